"""What is wrong with a filter, as its author is told."""


class FilterError(ValueError):
    """The filter cannot be answered; the message names the part, what is wrong, and what is allowed."""
