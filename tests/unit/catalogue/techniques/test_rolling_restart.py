"""Another release of the ontology takes over while people ask: no request fails, none mixes the releases."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from panosc_common.panet import IRI, ontology
from unit.catalogue.service import fill, process

OLD, NEW = "1.2.0", "1.3.0"
TECHNIQUE = "scattering technique"
TAGS = {"always": "small angle scattering", "before": "reference beam"}
"""Of each dataset the technique; the second is below TECHNIQUE in OLD only."""
QUERY = {"include": [{"relation": "techniques", "scope": {"where": {"name": TECHNIQUE}}}], "order": "pid"}


def dataset(pid: str, technique: str) -> dict[str, Any]:
    iri = f"{IRI}{ontology(OLD).resolve(technique)}"
    tag = {"pid": iri, "name": technique, "panetId": iri}
    return {"kind": "Dataset", "pid": pid, "title": pid, "isPublic": True, "techniques": [tag]}


@dataclass
class Asker:
    """Asks one service all the time."""

    client: httpx2.Client
    answers: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Of each request the status, and the datasets that were found."""

    @contextmanager
    def asking(self) -> Iterator[None]:
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answer = self.client.get("/api/Datasets", params={"filter": json.dumps(QUERY)})
                self.answers.append((answer.status_code, tuple(item["pid"] for item in answer.json())))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(30)


@contextmanager
def release(version: str, database_url: str, directory: Path) -> Iterator[httpx2.Client]:
    """A service that goes by the release, once it is ready."""
    directory.mkdir()
    (directory / "c.json").write_text(json.dumps({"ontology": {"version": version}}))
    with process(database_url, directory) as (client, _):
        while client.get("/readyz").status_code != 200:
            time.sleep(0.1)
        yield client


def test_each_service_answers_by_its_own_release_until_it_ends(database_url: str, tmp_path: Path) -> None:
    fill(database_url, [dataset(pid, technique) for pid, technique in TAGS.items()])
    with ExitStack() as leaving:
        client = leaving.enter_context(release(OLD, database_url, tmp_path / "old"))
        old = Asker(client)
        leaving.enter_context(old.asking())
        with release(NEW, database_url, tmp_path / "new") as other:
            new = Asker(other)
            with new.asking():
                time.sleep(1)
                first = client.get("/api/Datasets", params={"filter": json.dumps({**QUERY, "limit": 1})})
                # Whoever pages through is led on by another service.
                second = other.get(first.headers["Link"].partition("<")[2].partition(">")[0])
                leaving.close()
                alone = len(new.answers)
                time.sleep(1)
    assert set(old.answers) == {(200, ("always", "before"))}
    assert set(new.answers) == {(200, ("always",))}
    assert min(len(old.answers), alone) > 10
    assert len(new.answers) > alone
    assert (second.status_code, second.json()) == (200, [])
