"""What people, harvesters and staff get from the demonstration's catalogue, through the gateway."""

import base64
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote
from xml.etree import ElementTree

import httpx2
import pytest
from support.cluster import Demo

CATALOGUE = "https://catalogue.aurora.panosc.localhost"
ARCHIVE = "https://archive.aurora.panosc.localhost"
OPEN_DATASET = "aurora:archive/SC-1001/A-SAXS/a-saxs_0001.nxs"
EMBARGOED_PROPOSAL = "aurora:HC-2218"
EMBARGOED_DATASET = "aurora:archive/HC-2218/N-TOF/n-tof_0001.nxs"
EMBARGOED_RUN = "HC-2218/N-TOF/n-tof_0001.nxs"
OAI = "{http://www.openarchives.org/OAI/2.0/}"


def counted(demo: Demo, collection: str, **where: object) -> int:
    response = demo.get(f"{CATALOGUE}/api/{collection}/count", params={"where": json.dumps(where)})
    assert response.status_code == 200, response.text
    return int(response.json()["count"])


def test_an_identifier_is_asked_for_with_and_without_encoded_slashes(demo: Demo) -> None:
    [plain, encoded] = [
        demo.client.get(f"{CATALOGUE}/api/Datasets/{quote(OPEN_DATASET, safe=safe)}", follow_redirects=False)
        for safe in ("/:", "")
    ]
    assert (plain.status_code, encoded.status_code) == (200, 200)
    assert plain.json() == encoded.json()
    assert plain.json()["pid"] == OPEN_DATASET


def test_a_dataset_has_a_page_for_people_and_for_machines(demo: Demo) -> None:
    page = f"{CATALOGUE}/datasets/{OPEN_DATASET}"
    read = demo.get(page, headers={"Accept": "text/html"})
    assert read.status_code == 200
    assert "X-ray scattering of" in read.text
    assert 'rel="cite-as"' in read.headers["Link"]
    [described] = [
        json.loads(part.split("</script>")[0])
        for part in read.text.split('<script type="application/ld+json">')[1:]
    ]
    bundles = [d["contentUrl"] for d in described["distribution"]]
    assert bundles
    assert all(demo.get(url, headers={"Range": "bytes=0-7"}).status_code in (200, 206) for url in bundles)
    cited = demo.get(page, headers={"Accept": "application/x-bibtex"})
    assert cited.text.lstrip().startswith("@")


def test_the_search_page_finds_what_a_person_types(demo: Demo) -> None:
    found = demo.get(f"{CATALOGUE}/", params={"q": "SAXS silica"}, headers={"Accept": "text/html"})
    assert found.status_code == 200
    assert f"/datasets/{OPEN_DATASET.rpartition('/')[0]}/" in found.text


def test_words_are_ranked_and_acronyms_understood(demo: Demo) -> None:
    answer = demo.get(f"{CATALOGUE}/api/Datasets", params={"filter": '{"query": "SAXS silica", "limit": 5}'})
    items = answer.json()
    assert items
    assert all(0 < item["score"] < 1 for item in items)
    assert "silica" in items[0]["title"]


def test_harvesters_get_every_public_record_once(demo: Demo) -> None:
    def harvested() -> list[str]:
        parameters: dict[str, str] | None = {"verb": "ListIdentifiers", "metadataPrefix": "oai_datacite"}
        found: list[str] = []
        while parameters:
            tree = ElementTree.fromstring(demo.get(f"{CATALOGUE}/oai", params=parameters).content)
            found += [node.text or "" for node in tree.iter(f"{OAI}identifier")]
            token = next((node.text for node in tree.iter(f"{OAI}resumptionToken")), None)
            parameters = {"verb": "ListIdentifiers", "resumptionToken": token} if token else None
        return found

    expected = counted(demo, "Documents") + counted(demo, "Datasets")
    identifiers = demo.eventually(harvested, until=lambda found: len(found) == expected, seconds=60)
    assert len(set(identifiers)) == len(identifiers)
    assert not [name for name in identifiers if EMBARGOED_DATASET in name]
    assert any(name.endswith(EMBARGOED_PROPOSAL) for name in identifiers)


@pytest.fixture
def staff(demo: Demo) -> Callable[..., httpx2.Response]:
    """Sends decisions as the facility's staff, whose token is in a Secret."""
    secret = json.loads(
        demo.kubectl("get", "secret", "catalogue-administrator", "-n", "aurora", "-o", "json")
    )
    token = base64.b64decode(secret["data"]["token"]).decode()
    words = {"requestedBy": "Chiara Lindqvist", "grantedBy": "User Office", "reason": "published early"}

    def decide(action: str, **fields: object) -> httpx2.Response:
        return demo.client.post(
            f"{CATALOGUE}/policy/decisions",
            json={"action": action, **fields, **words},
            headers={"Authorization": f"Bearer {token}"},
        )

    return decide


def test_staff_release_data_and_take_it_back(demo: Demo, staff: Callable[..., httpx2.Response]) -> None:
    page = f"{CATALOGUE}/datasets/{EMBARGOED_DATASET}"

    def seen() -> tuple[int, int, int]:
        return (
            demo.get(page).status_code,
            counted(demo, "Datasets", pid=EMBARGOED_DATASET),
            demo.get(f"{ARCHIVE}/files/{EMBARGOED_RUN}").status_code,
        )

    assert seen() == (404, 0, 404)
    released = staff("release", dataset=EMBARGOED_DATASET)
    try:
        assert released.status_code == 200, released.text
        assert demo.eventually(seen, until=lambda now: now == (200, 1, 200), seconds=15) == (200, 1, 200)
    finally:
        revoked = staff("revokeRelease", dataset=EMBARGOED_DATASET)
    assert revoked.status_code == 200, revoked.text
    hidden = demo.eventually(seen, until=lambda now: now[1:] == (0, 404), seconds=15)
    assert hidden[0] in (404, 410)


def test_nobody_decides_without_the_token(demo: Demo) -> None:
    refused = demo.client.post(f"{CATALOGUE}/policy/decisions", json={"action": "release"})
    assert refused.status_code == 401


def test_a_proposal_under_embargo_tells_when_it_ends_and_has_a_management_plan(demo: Demo) -> None:
    page = demo.get(f"{CATALOGUE}/documents/{EMBARGOED_PROPOSAL}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "embargo" in page.text.lower()
    assert EMBARGOED_DATASET not in page.text
    plan = demo.get(f"{CATALOGUE}/dmp/{EMBARGOED_PROPOSAL}", headers={"Accept": "application/json"})
    assert plan.json()["dmp"]["contact"]["mbox"] == "data@aurora.example"


def test_records_get_local_handles_that_lead_to_their_pages(demo: Demo) -> None:
    def handles() -> int:
        status = json.loads(demo.kubectl("get", "catalogue", "catalogue", "-n", "aurora", "-o", "json"))
        return int(status["status"]["dois"]["local"])

    expected = counted(demo, "Documents") + counted(demo, "Datasets")
    assert demo.eventually(handles, until=lambda count: count >= expected, seconds=90) >= expected


@pytest.fixture
def mirror(demo: Demo) -> Iterator[str]:
    """A second catalogue beside the first, which it reads over the search API as any other facility would."""
    manifest = {
        "apiVersion": "panosc.eu/v1alpha1",
        "kind": "Catalogue",
        "metadata": {"name": "mirror", "namespace": "aurora"},
        "spec": {
            "sources": [{"name": "original", "searchAPI": {"url": f"{CATALOGUE}/api"}}],
            "database": {"managed": {"size": "1Gi"}},
            "deletionPolicy": "Delete",
        },
    }
    demo.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    yield "https://mirror.aurora.panosc.localhost"
    demo.kubectl("delete", "catalogue", "mirror", "-n", "aurora", "--wait=true", "--timeout=120s")


def test_a_catalogue_reads_another_one(demo: Demo, mirror: str) -> None:
    expected = counted(demo, "Datasets")
    url = f"{mirror}/api/Datasets/count"
    found = demo.eventually(
        lambda: demo.get(url).json()["count"], until=lambda count: count == expected, seconds=240
    )
    assert found == expected
    demo.kubectl("wait", "--for=condition=Ready", "catalogue/mirror", "-n", "aurora", "--timeout=120s")
