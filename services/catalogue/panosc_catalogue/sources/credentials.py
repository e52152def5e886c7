"""A source's credentials: files in a directory, as Kubernetes mounts a Secret."""

from pathlib import Path

from panosc_catalogue.sources.base import NotAllowed


class Credentials:
    """The credentials of one source; without a directory it has none.

    Raises NotAllowed for a directory without a file: its Secret is gone or empty. Read without the account, a
    source shows only what is public, and all else would be withdrawn.
    """

    def __init__(self, directory: Path | None) -> None:
        if directory and not any(file.is_file() for file in directory.glob("*")):
            raise NotAllowed("the Secret with the source's credentials is gone or empty: make it again")
        self._directory = directory

    def get(self, key: str) -> str | None:
        """The value of a key, without the line break that editors leave; None if it is not there or empty."""
        file = self._directory / key if self._directory else None
        if file is None or not file.is_file():
            return None
        return file.read_text(encoding="utf-8").strip() or None

    def require(self, key: str) -> str:
        """The value of a key. Raises NotAllowed that names it if it is not there."""
        value = self.get(key)
        if value is None:
            raise NotAllowed(
                f"the source's credentials lack {key}: make another Secret with it, and name that one"
            )
        return value

    def refused(self, key: str) -> NotAllowed:
        """The error of a value that the source does not take, or no longer."""
        return NotAllowed(
            f"the source refuses the value of the key {key} in the Secret with its credentials: it is wrong, "
            "expired or revoked; have a new one made at the source, put it into another Secret, and name that"
        )

    @property
    def ca_file(self) -> Path | None:
        """Certificates of those that sign the source's, where it is no public one's."""
        file = self._directory / "ca.crt" if self._directory else None
        return file if file and file.is_file() else None
