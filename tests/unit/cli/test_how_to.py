"""The commands of the how-to page, run as they are written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from unit.cli.conftest import LARGE
from unit.cli.laptop import Facility
from unit.cli.test_get import pid_of

PAGE = (Path(__file__).parents[3] / "docs/how-to/command-line.md").read_text(encoding="utf-8")
COMMANDS = [
    "\n".join(re.findall(r"^\$ (.*)", block, re.M))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.S)
]
ADDRESSES = "export PANOSC_CATALOGUE=https://catalogue.esrf.example\n"


@pytest.mark.parametrize("commands", [one for one in COMMANDS if "login" not in one])
def test_the_commands_do_what_they_say(facility: Facility, commands: str, tmp_path: Path) -> None:
    script = (ADDRESSES + commands).replace("https://catalogue.esrf.example", facility.catalogue)
    script = script.replace("https://archive.esrf.example", facility.archive)
    script = script.replace("esrf:archive/…", pid_of(facility, LARGE))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "NO_PROXY": "*",
    }
    shell = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        shell, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "large" in done.stdout


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 3
