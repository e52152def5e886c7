"""What a catalogue says of its login and its archives to programs that know its address only."""

import json
from pathlib import Path

import pytest
from panosc_catalogue.web.app import create_app
from unit.catalogue.service import get, serving, settings

PATH = "/.well-known/oauth-protected-resource"
HOST = "https://catalogue.aurora.example.org"
ARCHIVE = "https://archive.aurora.example.org"
CONFIGURATION = {
    "facility": {"displayName": "Aurora"},
    "publicUrl": f"{HOST}/",
    "sources": [
        {"name": "beamlines", "nexus": {"archive": "a", "root": "/data", "archiveUrl": f"{ARCHIVE}/"}},
        {"name": "hidden", "nexus": {"archive": "b", "root": "/data"}},
    ],
}
AAI = {
    "issuer": "https://login.example.org/realms/panosc",
    "audience": "facility-aurora",
    "entitlementNamespace": "geant:panosc.eu",
}


@pytest.mark.parametrize(
    ("more", "told"),
    [({"scope": "facility-aurora"}, {"scopes_supported": ["facility-aurora"]}), ({}, {})],
    ids=["of a Federation", "of its own"],
)
def test_a_program_learns_the_login_its_scope_and_the_archives(
    database_url: str, tmp_path: Path, more: dict[str, str], told: dict[str, list[str]]
) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps({**CONFIGURATION, "aai": AAI | more}))
    with serving(create_app(settings(database_url, tmp_path))) as client:
        answer = client.get(PATH)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json() == {
        "resource": HOST,
        "resource_name": "Aurora",
        "panosc_archives": [ARCHIVE],
        "authorization_servers": ["https://login.example.org/realms/panosc"],
        "bearer_methods_supported": ["header"],
        **told,
    }


@pytest.mark.parametrize(
    ("given", "challenge"),
    [
        (
            "Bearer nonsense",
            'Bearer error="invalid_token", error_description="it is no signed JSON Web Token", ',
        ),
        ("Basic YTpi", "Bearer "),
    ],
)
def test_refusals_say_where_programs_learn_it(
    database_url: str, tmp_path: Path, given: str, challenge: str
) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps({**CONFIGURATION, "aai": AAI}))
    with serving(create_app(settings(database_url, tmp_path))) as client:
        for path in ("/api/Datasets", "/search"):
            answer = client.get(path, headers={"Authorization": given})
            assert answer.status_code == 401
            told = f'{challenge}resource_metadata="{HOST}{PATH}"'
            assert answer.headers["WWW-Authenticate"] == told


def test_without_a_login_it_names_none(database_url: str, tmp_path: Path) -> None:
    with serving(create_app(settings(database_url, tmp_path))) as client:
        own = str(client.base_url).rstrip("/")
        assert get(client, PATH) == {"resource": own, "resource_name": "Facility", "panosc_archives": []}
