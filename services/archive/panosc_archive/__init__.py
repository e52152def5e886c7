"""Archive gateway: files, bundles, HDF5 slices, fixity."""
