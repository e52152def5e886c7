"""Who belongs to a proposal: as the user office says, and whom its principal investigators invite."""
