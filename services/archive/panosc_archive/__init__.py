"""Archive gateway: files, bundles, HDF5 slices, fixity."""

from importlib.metadata import version

__version__ = version("panosc-archive")
