"""The program `panosc` as people run it, at a real Keycloak, catalogue and archive, over lines that break.

One file, as the servers take long to start.
"""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from unit.cli.conftest import EMBARGOED, LARGE, SMALL
from unit.cli.laptop import OTHER, Facility, Laptop, enter
from unit.cli.line import Line, bad_line

PAGE = (Path(__file__).parents[3] / "docs/how-to/command-line.md").read_text(encoding="utf-8")
COMMANDS = [
    "\n".join(re.findall(r"^\$ (.*)", block, re.M))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.S)
]
TAKEN_BACK = "It gives no access tokens any more; those that it gave end by themselves, minutes from now.\n"
ADDRESSES = "export PANOSC_CATALOGUE=https://catalogue.esrf.example\n"


@pytest.fixture
def line(laptop: Laptop) -> Iterator[Line]:
    with bad_line() as line:
        laptop.environment |= {"HTTP_PROXY": line.url, "NO_PROXY": "", "http_proxy": line.url, "no_proxy": ""}
        yield line


@pytest.fixture
def home(laptop: Laptop, facility: Facility) -> Path:
    laptop.environment["PANOSC_CATALOGUE"] = facility.catalogue
    return laptop.home


def pid_of(facility: Facility, path: str) -> str:
    title = Path(path).stem
    found = httpx2.get(f"{facility.catalogue}/api/Datasets", trust_env=False).json()
    return str(next(one["pid"] for one in found if one["title"] == title))


def same(home: Path, facility: Facility, path: str) -> bool:
    return (home / path).read_bytes() == (facility.root / path).read_bytes()


def leftovers(home: Path) -> set[str]:
    return {str(file.relative_to(home)) for file in home.rglob("*.part*")}


def test_somebody_logs_in_by_device_code(laptop: Laptop, facility: Facility) -> None:
    told = laptop.log_in(facility)
    assert f"Logged in to ESRF ({facility.catalogue}) as Ada Marsh." in told
    (file,) = laptop.state.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    shown = dict(line.split(maxsplit=1) for line in laptop.done("whoami").splitlines())
    assert shown["name"] == "Ada Marsh"
    assert shown["identifier"].endswith("@panosc.example.org")
    assert shown["entitlement"].startswith("urn:geant:panosc.example.org:group:esrf:proposals:hc2")
    assert shown["login"] == facility.login.issuer("panosc")
    assert shown["ends"].endswith("UTC, unless it is used before")


def test_who_refuses_in_the_browser_is_not_logged_in(laptop: Laptop, facility: Facility) -> None:
    with laptop.start("login", facility.catalogue) as process:
        assert process.stdout
        address = [process.stdout.readline() for _ in range(2)][1].split()[-1]
        enter(address, "ada", button="cancel")
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "panosc: the login was refused in the browser\n")
    assert not laptop.state.exists()


def test_logging_out_ends_the_login_and_forgets_it(laptop: Laptop, facility: Facility) -> None:
    laptop.log_in(facility)
    (file,) = laptop.state.iterdir()
    told = json.loads(file.read_text())
    assert laptop.done("logout") == f"Logged out of ESRF ({facility.catalogue}).\n"
    assert list(laptop.state.iterdir()) == []
    form = {"client_id": "panosc-cli", "grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    answer = httpx2.post(f"{told['issuer']}/protocol/openid-connect/token", data=form, trust_env=False)
    assert answer.json()["error"] == "invalid_grant"


def test_a_login_that_has_ended_says_how_to_go_on(laptop: Laptop, facility: Facility) -> None:
    laptop.log_in(facility)
    (file,) = laptop.state.iterdir()
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "expires": 0, "refresh_token": "gone"}))
    ended = laptop.run("search")
    assert ended.returncode == 3
    assert f"has ended (Invalid refresh token): `panosc login {facility.catalogue}`" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        ([], ["large", "öpen"]),
        (["--limit", "1"], ["large"]),
        (["öpen"], ["öpen"]),
        (["--from", "2015-07-01", "--to", "2015-07-01"], ["large"]),
        (["--to", "2015-06-30"], ["öpen"]),
        (["--instrument", "none of this name"], []),
        (["--technique", "SAXS"], []),
    ],
    ids=str,
)
def test_what_is_looked_for_is_found(
    laptop: Laptop, facility: Facility, arguments: list[str], titles: list[str]
) -> None:
    laptop.environment["PANOSC_CATALOGUE"] = facility.catalogue
    lines = laptop.done("search", "--json", *arguments).splitlines()
    assert [json.loads(line)["title"] for line in lines] == titles
    header, *rows = laptop.done("search", *arguments).splitlines()
    assert header.split() == ["PID", "DATE", "ACCESS", "TITLE"]
    assert [row.split()[-2:] for row in rows] == [["public", title] for title in titles]


def test_what_is_not_public_is_found_by_its_people_and_said_to_be_closed(
    laptop: Laptop, facility: Facility
) -> None:
    laptop.log_in(facility)
    (row,) = laptop.done("search", "embargoed").splitlines()[1:]
    assert row.split()[-2:] == ["closed", "embargoed"]


def test_a_dataset_comes_with_its_folders_and_is_not_fetched_twice(
    laptop: Laptop, facility: Facility, home: Path
) -> None:
    pid = pid_of(facility, SMALL)
    first = laptop.run("get", pid, "-o", "data")
    assert (first.returncode, first.stdout, first.stderr) == (0, f"data/{SMALL}\n", "panosc: 1 fetched\n")
    assert same(home / "data", facility, SMALL)
    assert leftovers(home) == set()
    assert laptop.run("get", pid, "-o", "data").stderr == "panosc: 1 there already\n"


@pytest.mark.parametrize("kind", ["page", "archive", "file"])
def test_addresses_do_as_well_as_pids(laptop: Laptop, facility: Facility, home: Path, kind: str) -> None:
    pid = quote(pid_of(facility, SMALL), safe="")
    del laptop.environment["PANOSC_CATALOGUE"]
    addresses = {
        "page": f"{facility.catalogue}/datasets/{pid}",
        "archive": f"{facility.archive}/datasets/{pid}",
        "file": f"{facility.archive}/files/{quote(SMALL)}",
    }
    (name,) = laptop.done("get", addresses[kind]).splitlines()
    assert name == (Path(SMALL).name if kind == "file" else SMALL)
    assert (home / name).read_bytes() == (facility.root / SMALL).read_bytes()


def test_search_leads_to_get(laptop: Laptop, facility: Facility, home: Path) -> None:
    found = laptop.done("search", "--json", "large")
    assert [json.loads(line)["title"] for line in found.splitlines()] == ["large"]
    assert laptop.run("get", "-", given=found).stdout == f"{LARGE}\n"
    assert same(home, facility, LARGE)


def test_a_line_that_breaks_is_gone_on_with(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    line.cuts = [1_000_000] * 7  # more often than there are attempts without progress
    assert laptop.run("get", pid_of(facility, LARGE)).returncode == 0
    assert same(home, facility, LARGE)
    ranges = line.ranges()
    assert ranges[0] is None
    assert len(ranges) == 8
    assert all(one and one.startswith("bytes=") and one != "bytes=0-" for one in ranges[1:])


def test_a_command_that_was_interrupted_is_gone_on_with(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    line.slow = 0.05
    pid = pid_of(facility, LARGE)
    with laptop.start("get", pid) as process:
        assert line.held.wait(30)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "interrupted; what has come is kept in *.part, and the same command goes on with it" in err
    assert leftovers(home) == {f"{LARGE}.part", f"{LARGE}.part.etag"}
    assert not (home / LARGE).exists()
    had = (home / f"{LARGE}.part").stat().st_size
    assert had > 0
    line.slow, line.asked = 0.0, []
    assert laptop.run("get", pid).returncode == 0
    assert line.ranges() == [f"bytes={had}-"]
    assert same(home, facility, LARGE)
    assert leftovers(home) == set()


def test_what_came_whole_but_was_not_named_is_not_fetched_again(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    answer = httpx2.head(f"{facility.archive}/files/{LARGE}", trust_env=False)
    part = home / f"{LARGE}.part"
    part.parent.mkdir(parents=True)
    shutil.copy(facility.root / LARGE, part)
    part.with_name(f"{part.name}.etag").write_text(answer.headers["ETag"])
    assert laptop.run("get", pid_of(facility, LARGE)).returncode == 0
    assert line.ranges() == [f"bytes={answer.headers['Content-Length']}-"]
    assert same(home, facility, LARGE)


def test_a_file_that_changed_between_two_attempts_is_begun_again(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    part = home / f"{LARGE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"of an older state")
    part.with_name(f"{part.name}.etag").write_text('"5-11"')
    assert laptop.run("get", pid_of(facility, LARGE)).returncode == 0
    assert line.ranges() == ["bytes=17-"]
    assert same(home, facility, LARGE)


def test_a_damaged_file_is_said_and_not_kept(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    line.damages = 1
    pid = pid_of(facility, SMALL)
    ended = laptop.run("get", pid)
    right = hashlib.sha256((facility.root / SMALL).read_bytes()).hexdigest()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"but the archive says {right}" in ended.stderr
    assert "1 failed" in ended.stderr
    assert leftovers(home) == set()
    assert not (home / SMALL).exists()
    assert laptop.run("get", pid).returncode == 0
    assert same(home, facility, SMALL)


def test_another_file_at_the_place_is_left_alone(laptop: Laptop, facility: Facility, home: Path) -> None:
    (home / SMALL).parent.mkdir(parents=True)
    (home / SMALL).write_bytes(bytes((facility.root / SMALL).stat().st_size))
    ended = laptop.run("get", pid_of(facility, SMALL))
    assert ended.returncode == 1
    assert "is there and differs from" in ended.stderr
    assert not any((home / SMALL).read_bytes())


def test_a_busy_archive_is_given_the_time_that_it_asks_for(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    line.busy = [(503, {"Retry-After": "1"}), (429, {"Retry-After": "1"}), (502, {})]
    began = time.monotonic()
    assert laptop.run("get", pid_of(facility, SMALL)).returncode == 0
    assert time.monotonic() - began > 2
    assert len(line.ranges()) == 4


def test_an_archive_that_wants_to_be_left_for_long_is_left(
    laptop: Laptop, facility: Facility, home: Path, line: Line
) -> None:
    line.busy = [(503, {"Retry-After": "3600"})]
    ended = laptop.run("get", pid_of(facility, SMALL))
    assert ended.returncode == 1
    assert "(503)" in ended.stderr


def test_what_is_under_embargo_needs_its_people(laptop: Laptop, facility: Facility, home: Path) -> None:
    address = f"{facility.archive}/files/{EMBARGOED}"
    ended = laptop.run("get", address)
    assert ended.returncode == 1
    assert "Not Found (404); what is not public yet needs a login" in ended.stderr
    laptop.log_in(facility, OTHER)
    assert laptop.run("get", address).returncode == 1
    laptop.done("logout")
    laptop.log_in(facility)
    assert "embargoed" in laptop.done("search", "embargoed")
    assert laptop.done("get", address) == "embargoed.nxs\n"
    assert (home / "embargoed.nxs").read_bytes() == (facility.root / EMBARGOED).read_bytes()


def test_a_token_that_ends_in_the_middle_is_renewed(laptop: Laptop, facility: Facility, home: Path) -> None:
    laptop.log_in(facility)
    (file,) = laptop.state.iterdir()
    told = json.loads(file.read_text())
    # One that this program takes for good, and the services don't.
    file.write_text(json.dumps({**told, "access_token": told["access_token"][:-9] + "AAAAAAAAA"}))
    assert laptop.done("get", f"{facility.archive}/files/{EMBARGOED}", "-o", "a") == "a/embargoed.nxs\n"
    renewed = json.loads(file.read_text())
    assert renewed["access_token"] != told["access_token"]
    # One that has ended.
    file.write_text(json.dumps({**renewed, "access_token": "gone", "expires": 0}))
    assert laptop.done("get", f"{facility.archive}/files/{EMBARGOED}", "-o", "b") == "b/embargoed.nxs\n"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def personal(facility: Facility, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A token for reading that somebody made on another machine."""
    out, err = Laptop(tmp_path_factory.mktemp("elsewhere")).make_token(facility)
    (token,) = out.splitlines()
    assert re.search(r"It ends on 20\d\d-\d\d-\d\d \d\d:\d\d UTC, and before by `panosc token revoke`", err)
    assert token not in err
    return token


def test_a_token_shows_a_script_what_is_its_owner_s(
    laptop: Laptop, facility: Facility, home: Path, personal: str
) -> None:
    laptop.environment["PANOSC_TOKEN"] = personal
    assert "embargoed" in laptop.done("search", "embargoed")
    assert laptop.done("get", f"{facility.archive}/files/{EMBARGOED}") == "embargoed.nxs\n"
    shown = laptop.done("whoami").splitlines()
    assert [one.split()[-1] for one in shown if "limited" in one] == ["panosc:limited", "panosc:read"]
    assert "name        Ada Marsh" in shown
    assert not any("facility" in one or "unless" in one for one in shown)
    assert not (home / "state").exists()


def test_scripts_that_run_side_by_side_have_one_token(
    laptop: Laptop, facility: Facility, home: Path, personal: str
) -> None:
    laptop.environment["PANOSC_TOKEN"] = personal
    running = [laptop.start("get", f"{facility.archive}/files/{EMBARGOED}", "-o", name) for name in "abc"]
    assert [process.communicate(timeout=60)[0] for process in running] == [
        f"{name}/embargoed.nxs\n" for name in "abc"
    ]


def test_a_token_that_is_not_for_reading_shows_what_is_public(
    laptop: Laptop, facility: Facility, home: Path
) -> None:
    token, _ = laptop.make_token(facility, "--scope", "teams", "--scope", "policy")
    laptop.environment["PANOSC_TOKEN"] = token
    assert len(laptop.done("search", "--json", "embargoed").splitlines()) == 0
    assert laptop.done("get", pid_of(facility, SMALL)) == f"{SMALL}\n"
    ended = laptop.run("get", f"{facility.archive}/files/{EMBARGOED}")
    assert (ended.returncode, "Not Found (404)" in ended.stderr) == (1, True)


def test_a_token_for_a_file_is_nobody_else_s_and_can_be_taken_back(
    laptop: Laptop, facility: Facility, home: Path
) -> None:
    assert laptop.make_token(facility, "-o", "token")[0] == ""
    assert (home / "token").stat().st_mode & 0o777 == 0o600
    taken = laptop.run("token", "create", "-o", "token")
    assert (taken.returncode, taken.stderr) == (1, "panosc: token: File exists\n")
    laptop.environment["PANOSC_TOKEN_FILE"] = "token"
    assert "Ada Marsh" in laptop.done("whoami")
    assert laptop.done("token").count(".") == 2
    assert laptop.done("token", "revoke") == TAKEN_BACK
    for command in ("whoami", "search", "token"):
        ended = laptop.run(command)
        assert (ended.returncode, ended.stdout) == (3, "")
        assert "the token has ended, or was taken back (" in ended.stderr


def test_who_refuses_in_the_browser_leaves_no_file(laptop: Laptop, facility: Facility, home: Path) -> None:
    with laptop.start("token", "create", "-o", "token") as process:
        assert process.stderr
        address = [process.stderr.readline() for _ in range(2)][1].split()[-1]
        enter(address, "ada", button="cancel")
        process.communicate(timeout=60)
    assert process.returncode == 3
    assert not (home / "token").exists()


def test_the_commands_for_scripts_do_what_they_say(laptop: Laptop, facility: Facility) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/personal-tokens.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.S))
    for written, here in (
        ("https://catalogue.esrf.example", facility.catalogue),
        ("https://login.example/realms/panosc", facility.login.issuer("panosc")),
    ):
        assert written in commands
        commands = commands.replace(written, here)
    laptop.make_token(facility, "-o", "token")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=laptop.home,
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(laptop.home),
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "name        Ada Marsh" in done.stdout
    assert f"data/{LARGE}" in done.stdout
    assert "embargoed" in done.stdout, "by curl"
    assert done.stdout.endswith(TAKEN_BACK)


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "said"),
    [
        (["search"], {"PANOSC_TOKEN": "x"}, 2, "has something else than `panosc token create` gave"),
        (["search"], {"PANOSC_TOKEN": "a.e30.c"}, 2, "has something else than"),
        (["search"], {"PANOSC_TOKEN": "a", "PANOSC_TOKEN_FILE": "b"}, 2, "both name a token: leave one"),
        (["search"], {"PANOSC_TOKEN_FILE": "/dev/null"}, 2, "has something else than"),
        (["search"], {"PANOSC_TOKEN_FILE": "none"}, 1, "none: No such file or directory"),
        (["token", "revoke"], {}, 2, "name the token by PANOSC_TOKEN or PANOSC_TOKEN_FILE"),
        (["token", "create"], {"PANOSC_CATALOGUE": ""}, 2, "name the catalogue"),
        (
            ["token", "create", "--scope", "everything"],
            {},
            2,
            "is not one of 'read', 'teams', 'policy', 'put'",
        ),
    ],
)
def test_tokens_that_are_none_are_said(
    laptop: Laptop, home: Path, arguments: list[str], environment: dict[str, str], status: int, said: str
) -> None:
    ended = laptop.run(*arguments, **environment)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in " ".join(ended.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["get", "ftp://x/y"], 2, "must begin with https://"),
        (["get", "esrf:x"], 2, "name the catalogue that has it"),
        (["get", "{archive}/files/hc1/"], 2, "is a folder"),
        (["get", "{archive}/hdf5/data"], 2, "is the address of neither"),
        (["get", "-c", "{catalogue}", "esrf:nothing"], 1, "may not see it (404)"),
        (["get", "-c", "{archive}", "esrf:nothing"], 1, "may not see it (404)"),
        (["search", "x"], 2, "name the catalogue"),
        (["search", "x", "-c", "{archive}"], 1, "there is nothing under this address"),
        (["whoami"], 3, "nobody is logged in"),
        (["logout"], 3, "nobody is logged in"),
        (["login", "{archive}"], 1, "there is no catalogue at"),
        (["login", "http://127.0.0.1:1"], 1, "does not answer"),
        (["login", "catalogue.example.org"], 2, "must begin with https://"),
    ],
)
def test_what_went_wrong_is_said_and_programs_are_told(
    laptop: Laptop, facility: Facility, arguments: list[str], status: int, said: str
) -> None:
    given = [one.format(archive=facility.archive, catalogue=facility.catalogue) for one in arguments]
    ended = laptop.run(*given)
    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in ended.stderr


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
