"""Harvests by the programs that portals use, while records change."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from bench.population import populate
from oaipmh_scythe import Scythe
from oaipmh_scythe.models import Record
from sickle import Sickle
from support import postgres
from unit.catalogue.oai.harvester import OAI, Catalogue
from unit.catalogue.service import process

SIZE = 1000
"""Records at the beginning: five pages."""
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def fill(connection: psycopg.Connection[object], size: int) -> None:
    connection.execute(
        "INSERT INTO document (pid, type, title, end_date) "
        "SELECT 'p' || n, 'proposal', 'title ' || n, '2020-01-01' FROM generate_series(1, %s) AS n",
        (size,),
    )


def with_sickle(url: str, since: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Name and title (None: deleted) of each record, in the order in which the harvester gets them."""
    arguments = {"metadataPrefix": "oai_dc", **({"from": since} if since else {})}
    for record in Sickle(url, timeout=30).ListRecords(**arguments):
        yield record.header.identifier, None if record.deleted else record.xml.findtext(f".//{_TITLE}")


def with_scythe(url: str, since: str | None = None) -> Iterator[tuple[str, str | None]]:
    """As `with_sickle`."""
    with Scythe(url) as scythe:
        for record in scythe.list_records(metadata_prefix="oai_dc", from_=since):
            assert isinstance(record, Record)
            assert record.header.identifier is not None
            yield record.header.identifier, None if record.deleted else record.xml.findtext(f".//{_TITLE}")


@contextmanager
def changing(database_url: str) -> Iterator[None]:
    """Transactions that change, add and withdraw documents, some of them open for long."""
    done = threading.Event()
    pick = random.Random(5)

    def change(kind: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            turn = 0
            while not done.is_set():
                turn += 1
                some = [f"p{pick.randrange(SIZE) + 1}" for _ in range(5)]
                with connection.transaction():
                    if kind == 0:
                        connection.execute(
                            "UPDATE document SET title = %s WHERE pid = ANY(%s)", (f"new {turn}", some)
                        )
                    elif kind == 1:
                        connection.execute(
                            "UPDATE document SET deleted_at = now() WHERE pid = ANY(%s)", (some[:1],)
                        )
                    else:
                        connection.execute(
                            "INSERT INTO document (pid, type, title) VALUES (%s, 'proposal', 'added')",
                            (f"added {turn}",),
                        )
                    done.wait(pick.random() * 0.2)

    threads = [threading.Thread(target=change, args=(kind,)) for kind in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.parametrize("harvest", [with_sickle, with_scythe])
def test_during_changes_nothing_is_missed_and_nothing_doubled(
    catalogue: Catalogue, database_url: str, harvest: Callable[..., Iterator[tuple[str, str | None]]]
) -> None:
    fill(catalogue.connection, SIZE)
    url = str(catalogue.client.base_url.join("/oai"))
    before = catalogue.ask("verb=Identify").findtext(f"{OAI}responseDate")
    with changing(database_url):
        time.sleep(0.3)
        got = list(harvest(url))
    mirror = dict(got)
    assert len(mirror) == len(got), "doubled"
    first = {f"oai:catalogue.example.org:documents/p{n}" for n in range(1, SIZE + 1)}
    assert first <= set(mirror), "missed"

    mirror |= dict(harvest(url, before))
    truth = {
        f"oai:catalogue.example.org:documents/{pid.replace(' ', '%20')}": None if gone else title
        for pid, title, gone in catalogue.connection.execute(
            "SELECT pid, title, deleted_at IS NOT NULL FROM document"
        )
    }
    assert any(title is None for title in truth.values())
    assert mirror == truth


def test_tokens_survive_the_service_and_tell_how_far_it_is(catalogue: Catalogue) -> None:
    fill(catalogue.connection, 450)
    page = catalogue.ask("verb=ListIdentifiers&metadataPrefix=oai_dc&set=documents")
    cursors = []
    while (token := page.find(f".//{OAI}resumptionToken")) is not None and token.text:
        cursors.append((token.get("cursor"), token.get("completeListSize")))
        # As another service would get it that has never seen it.
        page = catalogue.ask(f"verb=ListIdentifiers&resumptionToken={token.text}")
        last = page.find(f".//{OAI}resumptionToken")
    assert cursors == [("0", "450"), ("200", "450")]
    assert last is not None
    assert (last.text, last.get("cursor")) == (None, "400")
    assert len(list(page.iter(f"{OAI}header"))) == 50


def test_a_token_is_of_its_verb_and_of_this_service(catalogue: Catalogue) -> None:
    fill(catalogue.connection, 201)
    page = catalogue.ask("verb=ListIdentifiers&metadataPrefix=oai_dc")
    token = page.findtext(f".//{OAI}resumptionToken")
    assert token
    assert catalogue.error(f"verb=ListRecords&resumptionToken={token}") == "badResumptionToken"
    for wrong in (token[:-3], token[1:], token + "x", token[:20] + "A" + token[21:]):
        assert catalogue.error(f"verb=ListIdentifiers&resumptionToken={wrong}") == "badResumptionToken"


def peak_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def harvested(database_url: str, directory: Path) -> tuple[int, float]:
    """Pages of a whole harvest, and the memory that the service had at most."""
    with process(database_url, directory) as (client, number):
        while client.get("/oai?verb=Identify").status_code == 503:
            time.sleep(0.2)
        query, pages = "metadataPrefix=oai_datacite", 0
        while query:
            answer = client.get(f"/oai?verb=ListRecords&{query}")
            assert answer.status_code == 200
            pages += 1
            token = re.search(r"<resumptionToken[^>]*>([^<]+)<", answer.text)
            query = f"resumptionToken={token[1]}" if token else ""
        return pages, peak_mib(number)


def test_a_long_harvest_takes_no_more_memory_than_a_short_one(
    server: postgres.Server, template: str, tmp_path: Path
) -> None:
    measured = []
    for datasets in (2_000, 12_000):
        name = server.create(template)
        populate(server.url(name), datasets)
        measured.append(harvested(server.url(name), tmp_path))
        server.drop(name)
    (few, little), (many, more) = measured
    assert many > 5 * few
    assert more - little < 10
