"""The commands of docs/how-to/user-office.md, run as they are written."""

import re
import subprocess
from pathlib import Path

from support import keycloak
from unit.catalogue.teams.conftest import REALM, Catalogue

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "user-office.md"
SHELL = """set -euo pipefail
SECRET={secret}
curl() {{ command curl --silent --show-error --fail-with-body --max-time 30 "$@"; }}
{commands}
"""


def test_the_commands_do_what_they_say(catalogue: Catalogue, login: keycloak.Server, tmp_path: Path) -> None:
    blocks = re.findall(r"```(console|csv)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (table,) = [block for kind, block in blocks if kind == "csv"]
    (tmp_path / "teams.csv").write_text(table)
    commands = [block for kind, block in blocks if kind == "console"]
    assert len(commands) == 4
    given = SHELL.format(secret=keycloak.SECRET, commands="\n".join(commands))
    for written, here in (
        ("https://catalogue.esrf.data.example.org", str(catalogue.client.base_url).rstrip("/")),
        ("https://login.data.example.org/realms/panosc", login.issuer(REALM)),
        ("user-office-esrf:", "office:"),
    ):
        assert written in given
        given = given.replace(written, here)
    # Whom the page shuts out, its principal investigator has invited.
    catalogue.push(proposal="HC-4123")
    catalogue.connection.execute(
        "INSERT INTO team_member (proposal, role, identities, invited_by, invited_at) "
        "VALUES ('HC-4123', 'invited', '{email:eve@example.org}', '{orcid:0000-0002-1825-0097}', now())"
    )
    done = subprocess.run(
        ["bash", "-c", given], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"proposals":2,"changed":["HC-4123","HC-4124"]}' in done.stdout
    assert [one["email"] for one in catalogue.people("HC-4123")] == [None, "kai@example.org"]
    assert len(catalogue.people("HC-4124")) == 1
