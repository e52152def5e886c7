import sys
from panosc_dev import toolchain
toolchain.ensure_all()
