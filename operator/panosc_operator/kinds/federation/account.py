"""What the operator knows of a Secret."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """A secret and what changes with it."""

    secret: str = field(repr=False)
    version: str
