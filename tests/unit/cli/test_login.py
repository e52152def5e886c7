"""Logging in, being renewed, and logging out, by the real program at a real Keycloak."""

import json

import httpx2
from unit.cli.laptop import Facility, Laptop, enter


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
