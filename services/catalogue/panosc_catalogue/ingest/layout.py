"""What a path tells: which proposal and which dataset a file belongs to, and whether it is NeXus."""

from dataclasses import dataclass
from fnmatch import fnmatch

from panosc_catalogue.settings import NexusSource


@dataclass(frozen=True)
class Place:
    """Where a file belongs; `dataset` is the path of the dataset's directory or of the file itself."""

    dataset: str
    proposal: str | None
    is_nexus: bool
    is_grouped: bool

    @property
    def is_relevant(self) -> bool:
        """Whether the catalogue has to do with the file: NeXus, or beside NeXus in a dataset's directory."""
        return self.is_nexus or self.is_grouped


def place(path: str, source: NexusSource) -> Place:
    """The place of a file (path relative to the root, components separated by `/`).

    Components count from 1; the file's own name is none of the directories.
    """
    *directories, name = path.split("/")
    is_nexus = any(fnmatch(name.lower(), pattern.lower()) for pattern in source.include)
    proposal = source.layout.proposal_directory
    group = source.layout.dataset_directory
    is_grouped = group is not None and len(directories) >= group
    return Place(
        dataset="/".join(directories[:group]) if is_grouped else path,
        proposal=directories[proposal - 1] if len(directories) >= proposal else None,
        is_nexus=is_nexus,
        is_grouped=is_grouped,
    )
