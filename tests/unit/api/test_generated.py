"""What is committed is what the models say now."""

import subprocess
import sys
from pathlib import Path

from panosc_operator.generate.files import generated_files, stale_files, write_files

ROOT = Path(__file__).resolve().parents[3]


def test_committed_files_are_current() -> None:
    assert stale_files(ROOT, generated_files()) == [], "run `make generate` and commit the result"


def test_check_says_what_is_stale_and_changes_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "panosc_operator.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_writing_brings_a_tree_up_to_date_and_deletes_what_no_kind_makes(tmp_path: Path) -> None:
    files = generated_files()
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds/gone.yaml").write_text("kind: CustomResourceDefinition\n")
    (tmp_path / "crds/facilities.yaml").write_text("changed by hand\n")
    assert stale_files(tmp_path, files) == sorted([*files, "crds/gone.yaml"])
    write_files(tmp_path, files)
    assert stale_files(tmp_path, files) == []
    assert not (tmp_path / "crds/gone.yaml").exists()
