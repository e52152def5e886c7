"""Files that are put into the archive: the `receive` process, which speaks tus 1.0.0 (https://tus.io).

It is the only program that may write where the files are, and runs apart from `serve`, which reads what
others sent: a file that takes over the reader of HDF5 files changes nothing here.
"""
