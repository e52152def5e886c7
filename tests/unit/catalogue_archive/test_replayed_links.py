"""Signed links that are used where, when or as they are not meant to be, and again as they are."""

import re
import time
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from panosc_common.signed import Keys, Link
from support import keycloak
from unit.catalogue_archive.world import STATES, World

EMBARGOED = next(one for one in STATES if one.name == "embargoed")
FILE, OTHER = f"/files/{EMBARGOED.file(0)}", f"/files/{EMBARGOED.file(1)}"
DOCUMENTED = (Path(__file__).parents[3] / "docs/how-to/links.md").read_text()


def signed(world: World, **more: object) -> str:
    """What a member is given for the file, as a token."""
    wanted = {"resource": FILE, **more}
    answer = world.archive.post("/links", json=wanted, headers=world.headers("member"))
    assert answer.status_code == 201, answer.text
    return httpx2.URL(answer.json()["url"]).params["link"]


def forged(world: World, folder: Path, archive: str, key: bytes) -> str:
    """One that the archive of this name signs by its key, of the same file."""
    (folder / "current").write_bytes(key)
    link = {"archive": archive, "subject": "ada", "resource": FILE, "expires": int(time.time()) + 60}
    return Keys(folder).sign(Link.model_validate(link))


def changed(token: str, part: int) -> str:
    """Another letter in the middle of its header, claims or signature."""
    parts = token.split(".")
    middle = len(parts[part]) // 2
    letter = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + letter + parts[part][middle + 1 :]
    return ".".join(parts)


def refused(answer: httpx2.Response, why: str) -> None:
    """It is said why, and the page on links says what to do then."""
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith(f"the signed link is not taken: {why}"), answer.text
    assert EMBARGOED.title not in answer.text
    rows = [re.escape(row).replace("…", ".*") for row in re.findall(r"^\| 403 `(.*?)` ", DOCUMENTED, re.M)]
    said = answer.json()["detail"].removeprefix("the signed link is not taken: ")
    assert any(re.match(row, said) for row in rows), said


@pytest.mark.parametrize(
    "address",
    [
        OTHER,
        f"/files/{EMBARGOED.name}/",
        f"/datasets/{quote(EMBARGOED.pid, safe='')}/bundle.zip",
        f"/datasets/{quote(EMBARGOED.pid, safe='')}",
        f"/hdf5/meta/?file={EMBARGOED.file(0)}",
        f"/previews?file={EMBARGOED.file(0)}",
    ],
)
def test_at_another_address(world: World, address: str) -> None:
    separator = "&" if "?" in address else "?"
    answer = world.archive.get(f"{address}{separator}link={signed(world)}")
    refused(answer, f"it is for {FILE}, and for no other address")


def test_at_another_archive(world: World, tmp_path: Path) -> None:
    elsewhere = forged(world, tmp_path, "other", b"o" * 43)
    refused(world.archive.get(f"{FILE}?link={elsewhere}"), "its signature is wrong")
    # Were the key the same, it would still be of another archive.
    same_key = forged(world, tmp_path, "other", (world.link_keys / "current").read_bytes())
    refused(world.archive.get(f"{FILE}?link={same_key}"), "it cannot be understood")


def test_after_its_end(world: World) -> None:
    link = signed(world, expiresIn=1)
    time.sleep(1.1)
    refused(world.archive.get(f"{FILE}?link={link}"), "it has expired")


@pytest.mark.parametrize(
    ("part", "why"),
    [(0, "it cannot be understood"), (1, "its signature is wrong"), (2, "its signature is wrong")],
    ids=["header", "claims", "signature"],
)
def test_changed(world: World, part: int, why: str) -> None:
    refused(world.archive.get(f"{FILE}?link={changed(signed(world), part)}"), why)


def test_as_a_token(world: World) -> None:
    link = signed(world)
    for scheme in ("Bearer", "Link"):
        headers = {"Authorization": f"{scheme} {link}"}
        assert world.archive.get(FILE, headers=headers).status_code == 401
        assert world.catalogue.get("/api/Datasets", headers=headers).status_code == 401


def test_again_by_who_has_it_and_each_use_is_in_the_audit_log(world: World) -> None:
    """By design, as the page on links says: programs resume, and ask for parts."""
    answer = world.archive.post("/links", json={"resource": FILE}, headers=world.headers("member"))
    link, identifier = httpx2.URL(answer.json()["url"]).params["link"], answer.json()["identifier"]
    for request in ("first", "second"):
        used = world.archive.get(f"{FILE}?link={link}", headers={"X-Request-Id": request})
        assert used.content == (world.root / EMBARGOED.file(0)).read_bytes()
    uses = [one for one in world.audited() if one.get("link") == identifier]
    assert [one["requestId"] for one in uses] == ["first", "second"]
    assert {one["subject"] for one in uses} == {keycloak.claims(world.login.token("member"))["sub"]}
    assert "as often as they like" in DOCUMENTED
    assert link.rpartition(".")[2] not in world.log.read_text()
