"""Every interface says the same while the database is away: 503, and when to come back."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
from panosc_catalogue.dois.app import create_app as create_dois
from panosc_catalogue.settings import load_config
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import serving, settings

NOBODY = "postgresql://nobody@127.0.0.1:1/none"
TOKEN = "a-token-of-32-characters-or-more-"
DECISION = {
    "action": "release",
    "document": "doc",
    "requestedBy": "Ada",
    "grantedBy": "User Office",
    "reason": "a thesis",
}
REQUESTS: list[dict[str, Any]] = [
    *(
        {"method": "GET", "url": path}
        for path in (
            "/readyz",
            "/search",
            "/documents/doc",
            "/doi/10.5072/doc",
            "/dmp/doc",
            "/oai?verb=Identify",
            "/api/Datasets",
            "/internal/archives/a/children",
            "/policy/documents/doc",
        )
    ),
    {"method": "POST", "url": "/policy/decisions", "json": DECISION},
]


def is_told_to_come_back(answer: httpx2.Response) -> bool:
    return answer.status_code == 503 and answer.headers.get("Retry-After") == "2"


def test_whoever_asks_is_told_to_come_back(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    given = settings(NOBODY, tmp_path, administrator_token_file=tmp_path / "token")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with serving(create_app(given)) as client, ThreadPoolExecutor(len(REQUESTS)) as pool:
        answers = pool.map(lambda request: client.request(**request, headers=headers), REQUESTS)
        found = {
            request["url"]: is_told_to_come_back(answer)
            for request, answer in zip(REQUESTS, answers, strict=True)
        }
    assert found == {request["url"]: True for request in REQUESTS}


def test_so_is_who_asks_for_the_state_of_dois(tmp_path: Path) -> None:
    doi = {"prefix": "10.5072", "registrar": {"none": {}}}
    config = {"publicUrl": "https://data.example.org", "identifiers": {"doi": doi}}
    given = settings(NOBODY, tmp_path)
    given.config_file.write_text(json.dumps(config))
    with serving(create_dois(given, load_config(given.config_file))) as client:
        assert is_told_to_come_back(client.get("/status"))
