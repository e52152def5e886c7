"""What ends a command, and the exit status that tells programs why."""


class Failure(Exception):
    """It could not be done; the message names what, and the remedy."""

    status = 1


class Misused(Failure):
    """What was asked for makes no sense."""

    status = 2


class NotAllowed(Failure):
    """Nobody is logged in, the login has ended, or it was refused."""

    status = 3


INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
