"""Where the archives serve what the catalogue describes."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from panosc_common.media import is_hdf5

from panosc_catalogue.settings import CatalogueConfig

BUNDLES: Mapping[str, str] = {"zip": "application/zip", "tar": "application/x-tar"}


class Archives:
    """The public addresses of the archives that the catalogue's sources name."""

    def __init__(self, config: CatalogueConfig) -> None:
        self._urls = {
            source.nexus.archive: source.nexus.archive_url.rstrip("/")
            for source in config.sources
            if source.nexus and source.nexus.archive_url
        }

    @property
    def urls(self) -> list[str]:
        """Address of each archive."""
        return list(self._urls.values())

    def file(self, archive: str | None, path: str) -> str | None:
        """Address of a file; None if no archive that is known has it."""
        base = self._urls.get(archive or "")
        return f"{base}/files/{quote(path.lstrip('/'))}" if base else None

    def bundles(self, archive: str | None, pid: str) -> Iterator[tuple[str, str, str]]:
        """Kind, address and media type of each form in which a dataset is had in one piece."""
        if base := self._urls.get(archive or ""):
            for kind, media_type in BUNDLES.items():
                yield kind, f"{base}/datasets/{quote(pid, safe='')}/bundle.{kind}", media_type

    def preview(self, archive: str | None, path: str) -> str | None:
        """Address of a picture of what an HDF5 file says should be plotted; None for other files."""
        base = self._urls.get(archive or "")
        if base is None or not is_hdf5(path):
            return None
        return f"{base}/previews?file={quote(path.lstrip('/'), safe='')}&format=svg"
