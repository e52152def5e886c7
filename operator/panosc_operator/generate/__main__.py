"""`python -m panosc_operator.generate [--check]`: write the generated files, or say which are not current."""

import argparse
import sys
from pathlib import Path

from panosc_operator.generate.files import generated_files, stale_files, write_files


def _root() -> Path:
    """The repository that this module lies in."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "charts").is_dir() and (folder / "operator").is_dir():
            return folder
    sys.exit("generate works on a checkout of the repository, not on an installed package")


def main() -> None:
    """Write or check the generated files."""
    parser = argparse.ArgumentParser(prog="python -m panosc_operator.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is not current")
    check = parser.parse_args().check
    root, files = _root(), generated_files()
    stale = stale_files(root, files)
    for path in stale:
        print(f"{'not current' if check else 'written'}: {path}")
    if not check:
        write_files(root, files)
    elif stale:
        sys.exit("run `make generate` and commit the result")


if __name__ == "__main__":
    main()
