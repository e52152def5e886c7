"""Tools of this repository's developers and of `make up`: toolchain, images, local cluster, demo.

Standard library only: it has to run on a bare machine before anything is installed.
"""
