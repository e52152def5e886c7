"""Media types of files: the archive serves them so, and the catalogue says beforehand what will come."""

import mimetypes

HDF5_SUFFIXES = (".nxs", ".h5", ".hdf5", ".hdf", ".nx5", ".nexus")


def is_hdf5(path: str) -> bool:
    """Whether the file's name is one of an HDF5 file, as NeXus files are."""
    return path.lower().endswith(HDF5_SUFFIXES)


def media_type(path: str) -> str:
    """The media type of a file, by its name."""
    if is_hdf5(path):
        return "application/x-hdf5"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
