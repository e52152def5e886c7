"""Who sees which data, by role and state, over HTTP with tokens from a real Keycloak."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from panosc_catalogue.web.app import create_app
from panosc_common.access import Reason, Role
from panosc_common.audit import EVENT
from panosc_common.signed import Keys, Link
from support import keycloak, postgres
from unit.catalogue.service import get, serving, settings
from unit.catalogue.visibility import RELEASE

REALM = "community"
AUDIENCE = "catalogue"
NAMESPACE = "geant:panosc.eu"
ORCID = "0000-0002-1825-0097"
PEOPLE = {
    "nobody": [],
    "member of another proposal": ["facility:proposals:other"],
    "member of a proposal of another facility": ["elsewhere:proposals:doc"],
    "member by the source": [],
    "member": ["facility:proposals:doc"],
    "member by a group of the source": ["facility:proposals:pgroup%2017"],
    "in a group of the dataset": ["facility:proposals:pgroup%2019"],
    "in a group that the source does not name": ["facility:proposals:pgroup%2018"],
    "in a group of this name elsewhere": ["elsewhere:proposals:pgroup%2017", "facility:users:pgroup%2017"],
    "member by the source's e-mail": [],
    "with the source's e-mail, unverified": [],
    "with an e-mail that the source does not name": [],
    "staff of another instrument": ["facility:instruments:J"],
    "staff of the instrument": ["facility:instruments:I"],
    "staff": ["facility:staff"],
    "admin": ["facility:role=admin"],
    "federation admin": ["federation:role=admin"],
    "user office": ["facility:role=user-office"],
    "principal investigator": [],
    "pushed by ORCID": [],
    "pushed by identifier": [],
    "pushed by e-mail": [],
    "with the same e-mail, unverified": [],
    "with a similar e-mail": [],
    "with an ORCID that is no longer named": [],
    "invited by e-mail": [],
    "invited, which is over": [],
    "invited, and removed": [],
    "invited by who leads no more": [],
}
CLAIMS: dict[str, dict[str, Any]] = {
    who: {"entitlements": [f"urn:{NAMESPACE}:group:{group}" for group in groups]}
    for who, groups in PEOPLE.items()
}
CLAIMS["member by the source"]["orcid"] = ORCID
CLAIMS["member"]["name"] = "Ada Marsh"
CLAIMS["member by the source's e-mail"] |= {"email": "LEA@example.org", "email_verified": True}
CLAIMS["with the source's e-mail, unverified"] |= {"email": "lea@example.org", "email_verified": False}
CLAIMS["with an e-mail that the source does not name"] |= {"email": "le@example.org", "email_verified": True}
CLAIMS["principal investigator"]["orcid"] = "0000-0001-5109-3700"
CLAIMS["pushed by ORCID"]["orcid"] = "https://orcid.org/0000-0002-1694-233X"
CLAIMS["pushed by e-mail"] |= {"email": "Kai@Example.org", "email_verified": True}
CLAIMS["with the same e-mail, unverified"] |= {"email": "kai@example.org", "email_verified": False}
CLAIMS["with a similar e-mail"] |= {"email": "\N{KELVIN SIGN}ai@example.org", "email_verified": True}
CLAIMS["with an ORCID that is no longer named"]["orcid"] = "0000-0001-2345-6789"
CLAIMS["invited by e-mail"] |= {"email": "ben@example.org", "email_verified": True}
CLAIMS["invited, which is over"] |= {"email": "cy@example.org", "email_verified": True}
CLAIMS["invited, and removed"] |= {"email": "dee@example.org", "email_verified": True}
CLAIMS["invited by who leads no more"] |= {"email": "eve@example.org", "email_verified": True}
BY_TEAM = {
    "principal investigator": "user office",
    "pushed by ORCID": "user office",
    "pushed by identifier": "user office",
    "pushed by e-mail": "user office",
    "invited by e-mail": "principal investigator",
}
INSIDERS = {
    *("member by the source", "member", "member by a group of the source", "member by the source's e-mail"),
    *("in a group of the dataset", "staff of the instrument", "staff", "admin", *BY_TEAM),
}

DECIDED = "UPDATE document SET {} WHERE pid = 'doc'"
STATES = {
    "open": (RELEASE, ""),
    "under embargo": (RELEASE - timedelta(seconds=1), ""),
    "extended": (RELEASE, DECIDED.format("extended_until = '2028-01-01Z'")),
    "released early": (RELEASE - timedelta(days=300), DECIDED.format("released_at = '2025-01-01Z'")),
    "proprietary": (RELEASE, DECIDED.format("proprietary_decided = true")),
    "withdrawn": (RELEASE, "UPDATE dataset SET deleted_at = '2025-01-01Z'"),
}
PUBLIC = {"open", "released early"}


@dataclass
class Catalogue:
    client: httpx2.Client
    connection: psycopg.Connection[Any]
    tokens: dict[str, str]
    folder: Path

    def seen(self, who: str | None) -> set[str]:
        """The ways in which the dataset is seen by somebody, or by the public."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        datasets = {"include": [{"relation": "datasets", "scope": {}}]}
        sample = {"include": [{"relation": "samples", "scope": {"where": {"name": "secret sample"}}}]}

        def ask(path: str, **query: Any) -> httpx2.Response:
            return self.client.get(path, params=query, headers=headers)

        ways = {
            "list": ask("/api/Datasets").json() != [],
            "item": ask("/api/Datasets/d%2F1").status_code == 200,
            "count": ask("/api/Datasets/count").json() == {"count": 1},
            "total": ask("/api/Datasets", total="true", limit=1).headers["X-Total-Count"] == "1",
            "words": ask("/api/Datasets", query="Run").json() != [],
            "join": ask("/api/Datasets", filter=json.dumps(sample)).json() != [],
            "files": ask("/api/Datasets/d%2F1/files").status_code == 200,
            "file count": ask("/api/Datasets/d%2F1/files/count").status_code == 200,
            "instrument": ask("/api/Instruments", filter=json.dumps(datasets)).json()[0]["datasets"] != [],
            "search page": "/datasets/d/1" in ask("/search").text,
            "table": "d/1" in ask("/search", format="csv").text,
            "page": ask("/datasets/d/1").status_code == 200,
            "citation": ask("/datasets/d/1", format="bibtex").status_code == 200,
            "proposal's page": "/datasets/d/1" in ask("/documents/doc").text,
        }
        return {name for name, is_seen in ways.items() if is_seen}

    def change(self, who: str, method: str, path: str, **given: Any) -> Any:
        """What somebody's change of a team is answered with."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = self.client.request(method, path, json=given or None, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def team(self) -> None:
        """Have the proposal's team as `BY_TEAM` says, with some who were in it and are no more."""
        identifier = jwt.decode(self.tokens["pushed by identifier"], options={"verify_signature": False})[
            "sub"
        ]
        leader, former = {"orcid": "0000-0001-5109-3700"}, {"orcid": "0000-0001-2345-6789"}
        members = [
            {"role": "principal investigator", **leader},
            {"role": "co-investigator", "orcid": "0000-0002-1694-233x", "email": "nobody@example.org"},
            {"role": "co-investigator", "identifier": identifier},
            {"role": "local contact", "email": "kAI@example.ORG"},
        ]
        path = "/teams/doc"
        self.change("user office", "PUT", path, members=[{"role": "principal investigator", **former}])
        self.change(
            "with an ORCID that is no longer named", "POST", f"{path}/members", email="eve@example.org"
        )
        self.change("user office", "PUT", path, members=members)
        for email in ("cy@example.org", "dee@example.org", "Ben@example.org"):
            told = self.change("principal investigator", "POST", f"{path}/members", email=email)
        ids = {one["email"]: one["id"] for one in told["team"]["members"]}
        self.change("principal investigator", "DELETE", f"{path}/members/{ids['dee@example.org']}")
        self.connection.execute(
            "UPDATE team_member SET until = '2020-01-01Z' WHERE id = %s", (ids["cy@example.org"],)
        )


ALL = {
    *("list", "item", "count", "total", "words", "join", "files", "file count", "instrument"),
    *("search page", "table", "page", "citation", "proposal's page"),
}


def proposal(pid: str, dataset: str, **changes: Any) -> DocumentRecord:
    """A proposal with a dataset, whose source names an ORCID iD, an address and groups."""
    record = {
        "pid": pid,
        "title": "Proposal",
        "endDate": "2024-02-29T15:00:00Z",
        "members": [
            {"role": "proposer", "person": {"fullName": "Ada", "orcid": ORCID}},
            {"role": "co-proposer", "person": {"fullName": "Eleanor"}, "email": "Lea@example.org"},
        ],
        "groups": ["pgroup 17", "beamline"],
        "datasets": [
            {
                "pid": dataset,
                "title": "Run",
                "groups": ["pgroup 19"],
                "instrument": {"pid": "i", "name": "I", "facility": "Facility"},
                "samples": [{"pid": "s", "name": "secret sample"}],
                "files": [{"name": "run.nxs", "path": f"{pid}/run.nxs", "size": 1}],
            }
        ],
    }
    return DocumentRecord.model_validate(record | changes)


@pytest.fixture(scope="module")
def login(server: postgres.Server) -> Iterator[keycloak.Server]:
    with keycloak.server(server) as running:
        running.admin("POST", "", keycloak.realm(REALM, AUDIENCE, CLAIMS))
        yield running


@contextmanager
def catalogue_of(
    login: keycloak.Server, url: str, folder: Path, now: datetime, *records: DocumentRecord
) -> Iterator[Catalogue]:
    aai = {
        "issuer": login.issuer(REALM),
        "audience": AUDIENCE,
        "entitlementNamespace": NAMESPACE,
        "sessions": True,
    }
    (folder / "catalogue.json").write_text(json.dumps({"aai": aai}))
    (folder / "token").write_text("a-token-of-32-characters-or-more-")
    (folder / "links/a").mkdir(parents=True)
    (folder / "links/a/current").write_text("k" * 43)
    tokens = {who: login.token(REALM, **keycloak.credentials(who)) for who in PEOPLE}
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            store.write(connection, records, store.Origin("beamlines", "a"))
        given = settings(url, folder, administrator_token_file=folder / "token", link_keys=folder / "links")
        with serving(create_app(given, clock=lambda: now)) as client:
            yield Catalogue(client, connection, tokens, folder)


@pytest.fixture(scope="module", params=STATES)
def catalogue(
    request: pytest.FixtureRequest,
    login: keycloak.Server,
    server: postgres.Server,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Catalogue]]:
    now, change = STATES[request.param]
    url, folder = server.url(server.create(template)), tmp_path_factory.mktemp("files")
    ada = {"role": "proposer", "person": {"fullName": "Ada", "orcid": ORCID}}
    another = DocumentRecord.model_validate({"pid": "another", "title": "Other", "members": [ada]})
    records = proposal("doc", "d/1"), another
    with catalogue_of(login, url, folder, now, *records) as catalogue:
        catalogue.team()
        catalogue.connection.execute(change or "SELECT 1")
        yield request.param, catalogue


@pytest.mark.parametrize("who", [None, *PEOPLE])
def test_the_matrix(catalogue: tuple[str, Catalogue], who: str | None) -> None:
    state, asked = catalogue
    expected = state in PUBLIC or (who in INSIDERS and state != "withdrawn")
    assert asked.seen(who) == (ALL if expected else set())


PROPOSAL = {
    *("list", "item", "count", "total", "words", "members", "people", "search page", "table"),
    "of another proposal's member",
}
"""Ways in which a proposal is found."""


def proposal_seen(asked: Catalogue, who: str | None) -> set[str]:
    """The ways in which somebody finds the proposal."""
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}

    def ask(path: str, **query: Any) -> httpx2.Response:
        return asked.client.get(path, params=query, headers=headers)

    def found(path: str, *relations: str, pid: str = "doc", **query: Any) -> str:
        """What is answered of a proposal with relations that lie in one another."""
        scope: dict[str, Any] = {}
        for relation in reversed(relations):
            scope = {"include": [{"relation": relation, "scope": scope}]}
        return ask(path, filter=json.dumps({"where": {"pid": pid}, **scope}), **query).text

    ways = {
        "list": "Proposal" in found("/api/Documents"),
        "item": ask("/api/Documents/doc").status_code == 200,
        "count": ask("/api/Documents/count", where='{"pid": "doc"}').json() == {"count": 1},
        "total": ask("/api/Documents", filter='{"where": {"pid": "doc"}}', total="true").headers[
            "X-Total-Count"
        ]
        == "1",
        "words": "Proposal" in found("/api/Documents", query="Proposal"),
        "members": "proposer" in found("/api/Documents", "members"),
        "people": "Eleanor" in found("/api/Documents", "members", "person"),
        "search page": "/documents/doc" in ask("/search", show="proposals").text,
        "table": "/documents/doc" in ask("/search", show="proposals", format="csv").text,
        "of another proposal's member": '"doc"'
        in found("/api/Documents", "members", "person", "members", "document", pid="another"),
    }
    return {name for name, is_seen in ways.items() if is_seen}


@pytest.mark.parametrize("who", [None, *PEOPLE])
def test_the_proposal_of_proprietary_beamtime_is_shown_to_whoever_sees_its_data(
    catalogue: tuple[str, Catalogue], who: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    recorded(capfd)
    for target in ("/documents/doc", "/documents/doc?format=jsonld"):
        answer = asked.client.get(target, headers=headers)
        is_shown = state != "proprietary" or who in INSIDERS
        assert answer.status_code == (200 if is_shown else 404)
        is_closed = state == "proprietary" and is_shown
        assert ("Neither the data nor this description is public" in answer.text) == is_closed
        is_page = "format" not in target
        assert ("/dmp/doc" in answer.text) == (is_page and is_shown and not is_closed)
    assert proposal_seen(asked, who) == (PROPOSAL if is_shown else set())
    if who in INSIDERS and state == "proprietary":
        # Also where it has no data that they could see.
        asked.connection.execute("UPDATE dataset SET deleted_at = '2025-01-01Z'")
        try:
            recorded(capfd)
            status = asked.client.get("/documents/doc", headers=headers).status_code
            reasons = [told["reasons"] for told in recorded(capfd)]
        finally:
            asked.connection.execute("UPDATE dataset SET deleted_at = NULL")
        by_dataset = who in ("staff of the instrument", "in a group of the dataset")
        assert (status, reasons) == ((404, []) if by_dataset else (200, [[REASONS[who]]]))
        # Also that somebody has a part in it, and nothing else of it.
        within: dict[str, Any] = {"include": [{"relation": "members"}]}
        for relation in ("person", "members"):
            within = {"include": [{"relation": relation, "scope": within}]}
        query = {"filter": json.dumps({"where": {"pid": "another"}, **within})}
        answer = asked.client.get("/api/Documents", params=query, headers=headers).json()
        (member,) = answer[0]["members"]
        assert len(member["person"]["members"]) == 2
        assert [told["reasons"] for told in recorded(capfd)] == [[REASONS[who]]]
        # No date opens it.
        extended = "UPDATE document SET extended_until = {} WHERE pid = 'doc'"
        asked.connection.execute(extended.format("'2099-01-01Z'"))
        page = asked.client.get("/search?show=proposals", headers=headers).text
        table = asked.client.get("/search?show=proposals&format=csv", headers=headers).text
        asked.connection.execute(extended.format("NULL"))
        assert "Not public" in page
        assert ",not public," in table
        assert "2099" not in page + table


@pytest.mark.parametrize("who", [None, "member", "admin"])
def test_harvests_and_plans_are_of_what_is_public_whoever_asks(
    catalogue: tuple[str, Catalogue], who: str | None
) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    listed = asked.client.get("/oai?verb=ListRecords&metadataPrefix=oai_dc", headers=headers)
    assert ("Run" in listed.text) == (state in PUBLIC), listed.text
    for pid, is_shown in (("d/1", state in PUBLIC), ("doc", state != "proprietary")):
        identifier = next(
            (one for one in re.findall("<identifier>(.*?)</identifier>", listed.text) if one.endswith(pid)),
            None,
        )
        assert (identifier is not None) == is_shown or state == "withdrawn"
    plan = asked.client.get("/dmp/doc?format=html", headers=headers)
    assert (plan.status_code == 200) == (state != "proprietary")
    assert "secret sample" not in plan.text


RELATIONS = {
    "Datasets": {"documents": ["members", "datasets"], "instrument": [], "samples": [], "techniques": []},
    "Documents": {"members": ["person", "affiliation"], "datasets": ["documents"], "parameters": []},
    "Instruments": {"datasets": ["documents"]},
}
FORMS = (
    *("html", "jsonld", "datacite-json", "datacite-xml", "bibtex", "csl-json", "citation", "linkset", "urls"),
)


@pytest.mark.parametrize("who", [None, "member", "member by the source's e-mail", "principal investigator"])
def test_nothing_shows_the_groups_and_addresses_that_sources_name(
    catalogue: tuple[str, Catalogue], who: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    _, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    targets: list[tuple[str, dict[str, str]]] = [("/search", {}), ("/search", {"format": "csv"})]
    for model, relations in RELATIONS.items():
        include = [
            {"relation": name, "scope": {"include": [{"relation": one} for one in below]}}
            for name, below in relations.items()
        ]
        targets.append((f"/api/{model}", {"filter": json.dumps({"include": include})}))
        targets.append((f"/api/{model}", {"filter": "{}"}))
    for form in FORMS:
        targets += [(path, {"format": form}) for path in ("/documents/doc", "/datasets/d/1")]
    for prefix in ("oai_dc", "oai_datacite"):
        targets.append(("/oai", {"verb": "ListRecords", "metadataPrefix": prefix}))
    targets += [("/dmp/doc", {"format": form}) for form in ("json", "html")]
    if who:
        targets.append(("/teams/doc", {}))
    succeeded = 0
    for path, query in targets:
        answer = asked.client.get(path, params=query, headers=headers)
        succeeded += answer.is_success
        assert not re.search("lea@|pgroup", answer.text, re.IGNORECASE), path
    assert succeeded > len(targets) / 4
    # Nor are they found by.
    for words in ("lea@example.org", "pgroup"):
        for model in ("Documents", "Datasets"):
            assert asked.client.get(f"/api/{model}", params={"query": words}, headers=headers).json() == []
    for where in (
        {"groups": "pgroup 17"},
        {"members.email": "lea@example.org"},
        {"email": "lea@example.org"},
    ):
        query = {"filter": json.dumps({"where": where})}
        assert asked.client.get("/api/Documents", params=query, headers=headers).status_code == 400
    assert not re.search("lea@|pgroup", "".join(capfd.readouterr()), re.IGNORECASE)


HIDDEN = (
    "/api/Datasets/{}",
    "/api/Datasets/{}/files",
    "/api/Datasets/{}/files/count",
    "/datasets/{}",
    "/datasets/{}?format=bibtex",
    "/internal/datasets/{}/files",
)


@pytest.mark.parametrize("who", [None, "nobody", "member of another proposal", "staff of another instrument"])
@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_hidden_is_answered_as_what_is_not_there(
    catalogue: tuple[str, Catalogue], path: str, who: str | None
) -> None:
    state, asked = catalogue
    if state in PUBLIC or (state == "withdrawn" and path.startswith("/datasets/")):
        return  # shown, or as a tombstone
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    hidden, missing = (asked.client.get(path.format(f"d%2F{one}"), headers=headers) for one in "19")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text == missing.text.replace("d/9", "d/1").replace("d%2F9", "d%2F1")
    own = {"date", "x-request-id"}
    for one in (hidden, missing):
        for name in own & one.headers.keys():
            del one.headers[name]
    assert hidden.headers == missing.headers


def test_pages_greet_who_is_logged_in_and_let_others_log_in(catalogue: tuple[str, Catalogue]) -> None:
    _, asked = catalogue
    page = asked.client.get("/search?q=run&sort=title")
    assert '<a href="/login?then=/search%3Fq%3Drun%26sort%3Dtitle" rel="nofollow">Log in</a>' in page.text
    headers = {"Authorization": f"Bearer {asked.tokens['member']}"}
    for path in ("/search", "/documents/doc", "/documents/there-is-none"):
        page = asked.client.get(path, headers={**headers, "Accept": "text/html"})
        assert '<a href="/logout">Log out</a>' in page.text
        assert "Log in" not in page.text
    assert '<span class="person">Ada Marsh</span>' in asked.client.get("/search", headers=headers).text


def test_the_page_of_what_is_not_public_says_so(catalogue: tuple[str, Catalogue]) -> None:
    state, asked = catalogue
    page = asked.client.get("/datasets/d/1", headers={"Authorization": f"Bearer {asked.tokens['member']}"})
    is_closed = state not in PUBLIC and state != "withdrawn"
    assert ("you see them because you are logged in" in page.text) == is_closed


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ("/search?q=a%20b", 303),
        ("//evil.example.org/", 400),
        ("//[", 400),
        ("/\\evil.example.org", 400),
        ("https://evil.example.org/", 400),
        ("search", 400),
    ],
)
def test_who_has_logged_in_goes_back_to_this_catalogue_only(
    catalogue: tuple[str, Catalogue], then: str, status: int
) -> None:
    _, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens['nobody']}"}
    answer = asked.client.get("/login", params={"then": then}, headers=headers, follow_redirects=False)
    assert answer.status_code == status
    assert answer.headers.get("Location") == (then if status == 303 else None)


def test_where_nothing_logs_people_in_that_is_said(catalogue: tuple[str, Catalogue]) -> None:
    _, asked = catalogue
    answer = asked.client.get("/login")
    assert answer.status_code == 404
    assert "nobody can log in here" in answer.json()["detail"]


def test_what_is_under_embargo_is_not_called_public(catalogue: tuple[str, Catalogue]) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens['admin']}"}
    found = asked.client.get("/api/Datasets", headers=headers).json()
    assert [one["isPublic"] for one in found] == ([] if state == "withdrawn" else [state in PUBLIC])


def test_search_page_and_table_say_what_is_under_embargo(catalogue: tuple[str, Catalogue]) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens['admin']}"}
    page = asked.client.get("/search", headers=headers).text
    (*_, line) = asked.client.get("/search", params={"format": "csv"}, headers=headers).text.splitlines()
    if state == "withdrawn":
        assert "badge" not in page
    else:
        assert ('class="badge open"' in page, ",open," in line) == (state in PUBLIC, state in PUBLIC)
        assert ('class="badge closed"' in page) == (state not in PUBLIC)


@pytest.mark.parametrize("who", [None, *PEOPLE])
def test_administrators_of_the_facility_decide_and_nobody_else(
    catalogue: tuple[str, Catalogue], who: str | None
) -> None:
    _, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    for path in ("/policy", "/policy/log", "/policy/documents/doc", "/policy/datasets/d/1"):
        answer = asked.client.get(path, headers=headers)
        assert answer.status_code == {None: 401, "admin": 200}.get(who, 403), answer.text
    decision = {
        "action": "setLicense",
        "document": "doc",
        "license": "CC0-1.0" if who == "admin" else "CC-BY-4.0",
        "requestedBy": "Ada Marsh",
        "grantedBy": "User Office",
        "reason": "as agreed",
    }
    answer = asked.client.post("/policy/decisions", json=decision, headers=headers)
    assert answer.status_code == {None: 401, "admin": 200}.get(who, 403), answer.text
    if who == "admin":
        (entry,) = asked.client.get("/policy/log", headers=headers).json()["entries"]
        payload = asked.tokens[who].split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
        assert (entry["grantedBy"], entry["decidedBy"]) == ("User Office", subject)


def test_who_is_named_elsewhere_belongs_to_no_proposal(
    login: keycloak.Server, database_url: str, tmp_path: Path
) -> None:
    author = proposal("paper", "d/2", type="publication")
    named = proposal("named", "d/3", members=[], groups=[])
    there = {"pid": "d/4", "title": "Run", "instrument": {"pid": "x", "name": "I", "facility": "Elsewhere"}}
    elsewhere = proposal("there", "d/4", members=[], groups=[], datasets=[there])
    now = RELEASE - timedelta(seconds=1)
    with catalogue_of(login, database_url, tmp_path, now, author, named, elsewhere) as asked:
        with asked.connection.transaction():
            # As a file does that anybody may have written.
            store.write_dataset_members(asked.connection, "d/3", author.members or [], store.Origin("b", "a"))

        def seen(who: str) -> set[str]:
            headers = {"Authorization": f"Bearer {asked.tokens[who]}"}
            return {one["pid"] for one in asked.client.get("/api/Datasets", headers=headers).json()}

        for who in ("member by the source", "member by the source's e-mail"):
            assert seen(who) == set()
        assert seen("member by a group of the source") == set()
        assert seen("staff of the instrument") == {"d/2", "d/3"}
        assert seen("staff") == {"d/2", "d/3", "d/4"}


def test_whom_the_source_names_no_more_sees_nothing(
    login: keycloak.Server, database_url: str, tmp_path: Path
) -> None:
    now = RELEASE - timedelta(seconds=1)
    people = ("member by the source", "member by the source's e-mail", "member by a group of the source")
    with catalogue_of(login, database_url, tmp_path, now, proposal("doc", "d/1")) as asked:

        def written(**changes: Any) -> set[str]:
            """Who sees the dataset when the source has said this."""
            with asked.connection.transaction():
                record = DocumentRecord.model_validate({"pid": "doc", "title": "Proposal"} | changes)
                store.write(asked.connection, [record], store.Origin("beamlines"))
            return {who for who in people if "item" in asked.seen(who)}

        assert written() == set(people)
        assert written(groups=["another"]) == set(people[:2])
        eleanor = {"person": {"fullName": "Eleanor"}, "email": "eleanor@example.org"}
        assert written(members=[eleanor], groups=["another", "pgroup 17"]) == set(people[2:])
        # The address is of the member, not of the person, who is another one's elsewhere.
        lea = {**eleanor, "email": "lea@example.org"}
        other = proposal("other", "d/2", members=[lea], groups=[])
        with asked.connection.transaction():
            store.write(asked.connection, [other], store.Origin("beamlines"))
        assert written() == set(people[2:])
        assert written(members=[lea]) == set(people[1:])
        asked.connection.execute("UPDATE document SET deleted_at = now() WHERE pid = 'doc'")
        assert not any("item" in asked.seen(who) for who in people)
        assert "item" in asked.seen("member")


def test_what_the_staff_decides_is_kept_by_nobody(catalogue: tuple[str, Catalogue]) -> None:
    _, asked = catalogue
    headers = {"Authorization": "Bearer a-token-of-32-characters-or-more-"}
    answer = asked.client.get("/policy", headers=headers)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


def test_answers_for_somebody_are_kept_for_nobody_else(catalogue: tuple[str, Catalogue]) -> None:
    _, asked = catalogue
    answer = asked.client.get("/api/Datasets", headers={"Authorization": f"Bearer {asked.tokens['member']}"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Authorization" in answer.headers["Vary"]
    assert "Authorization" in asked.client.get("/api/Datasets").headers["Vary"]


@pytest.mark.parametrize("given", ["Bearer nonsense", "Bearer", "Basic YTpi"])
def test_who_cannot_be_told_is_refused_rather_than_the_public(
    catalogue: tuple[str, Catalogue], given: str
) -> None:
    _, asked = catalogue
    answer = asked.client.get("/api/Datasets", headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] == "AUTHORIZATION_REQUIRED"
    assert get(asked.client, "/api/Instruments") != []


def test_refusals_are_described(catalogue: tuple[str, Catalogue]) -> None:
    _, asked = catalogue
    document = asked.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["login"]["scheme"] == "bearer"
    searches = [operation for path, operation in document["paths"].items() if path.startswith("/api/")]
    assert searches
    for operation in searches:
        assert operation["get"]["security"] == [{}, {"login": []}]
    answer = asked.client.get("/api/Datasets", headers={"Authorization": "Bearer nonsense"})
    described = document["paths"]["/api/Datasets"]["get"]["responses"]["401"]
    assert list(described["headers"]) == ["WWW-Authenticate"]
    assert "WWW-Authenticate" in answer.headers


REASONS = {
    "member by the source": "member of proposal doc",
    "member": "member of proposal doc",
    "member by a group of the source": "member of proposal doc",
    "member by the source's e-mail": "member of proposal doc",
    "staff of the instrument": "staff of instrument I",
    "in a group of the dataset": "member of group pgroup 19",
    "staff": "staff of the facility",
    "admin": "administrator of the facility",
    **{who: f"member of proposal doc ({said_by})" for who, said_by in BY_TEAM.items()},
}


def recorded(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The audit log since it was looked at last."""
    return [json.loads(line) for line in capfd.readouterr().out.splitlines() if EVENT in line]


@pytest.mark.parametrize("who", REASONS)
def test_who_sees_what_is_not_public_is_recorded_with_the_reason(
    catalogue: tuple[str, Catalogue], who: str, capfd: pytest.CaptureFixture[str]
) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}", "X-Request-Id": "42"}
    deep = {"fields": ["pid"], "include": [{"relation": "datasets", "scope": {"fields": ["title"]}}]}
    samples = {"include": [{"relation": "samples", "scope": {"where": {"name": "secret sample"}}}]}
    targets: dict[str, dict[str, Any]] = {
        "/api/Datasets": {},
        "/api/Datasets?limit=1": {"filter": json.dumps(samples)},
        "/api/Datasets/d%2F1": {"filter": '{"fields": ["title"]}'},
        "/api/Datasets/d%2F1/files": {},
        "/api/Documents": {"filter": json.dumps(deep)},
        "/api/Instruments": {"filter": json.dumps(deep)},
        "/search": {},
        "/search?format=csv": {},
        "/datasets/d/1": {},
        "/datasets/d/1?format=bibtex": {},
        "/documents/doc": {},
    }
    is_closed = state not in PUBLIC and state != "withdrawn"
    recorded(capfd)
    for target, query in targets.items():
        asked.client.get(target, params=query or None, headers=headers)
        records = recorded(capfd)
        assert len(records) == is_closed, (target, records)
        for told in records:
            assert told["reasons"] == [REASONS[who]]
            assert (told["datasets"], told["datasetCount"], told["requestId"]) == (["d/1"], 1, "42")
            assert told["subject"]
            assert asked.tokens[who] not in json.dumps(told)


def test_what_the_public_sees_is_not_recorded(
    catalogue: tuple[str, Catalogue], capfd: pytest.CaptureFixture[str]
) -> None:
    _, asked = catalogue
    recorded(capfd)
    for headers in ({}, {"Authorization": f"Bearer {asked.tokens['nobody']}"}):
        asked.client.get("/api/Datasets", headers=headers)
    assert recorded(capfd) == []


@pytest.mark.parametrize("who", [None, *PEOPLE])
def test_archives_learn_why_something_is_seen(catalogue: tuple[str, Catalogue], who: str | None) -> None:
    state, asked = catalogue
    headers = {"Authorization": f"Bearer {asked.tokens[who]}"} if who else {}
    path = "doc/run.nxs"
    is_closed = who in INSIDERS and state not in PUBLIC and state != "withdrawn"
    visible = asked.client.post(
        "/internal/archives/a/visible", json={"paths": [path]}, headers=headers
    ).json()
    children = asked.client.get("/internal/archives/a/children?directory=doc", headers=headers).json()
    files = asked.client.get("/internal/datasets/d%2F1/files", headers=headers).json()
    assert (visible["subject"] is None) == (who is None)
    if is_closed:
        assert who
        (closed,) = visible["closed"].values()
        assert closed["dataset"] == "d/1"
        for told in (closed["reason"], *children["reasons"], *files["reasons"]):
            assert str(Reason.model_validate(told)) == REASONS[who]
        assert len(children["reasons"]) == len(files["reasons"]) == 1
    else:
        assert (visible["closed"], children["reasons"], files.get("reasons", [])) == ({}, [], [])


def signed(folder: Path, *reasons: Reason, archive: str = "a", seconds: float = 60) -> dict[str, str]:
    """The header by which an archive asks for who has a signed link."""
    until = int(time.time() + seconds)
    link = Link(archive=archive, subject="ada", resource="/files/x", reasons=reasons, expires=until)
    return {"Authorization": f"Link {Keys(folder).sign(link)}"}


@pytest.mark.parametrize(
    ("reason", "is_shown"),
    [
        (Reason(role=Role.MEMBER, of="doc"), True),
        (Reason(role=Role.MEMBER, of="other"), False),
        (Reason(role=Role.MEMBER, of="pgroup 17"), False),
        (Reason(role=Role.GROUP, of="pgroup 19"), True),
        (Reason(role=Role.GROUP, of="other group"), False),
        # Of the proposal: links are signed for its members then.
        (Reason(role=Role.GROUP, of="pgroup 17"), False),
        (Reason(role=Role.INSTRUMENT_STAFF, of="I"), True),
        (Reason(role=Role.INSTRUMENT_STAFF, of="J"), False),
        (Reason(role=Role.STAFF), True),
        (Reason(role=Role.ADMIN), True),
        (None, False),
    ],
    ids=str,
)
def test_a_signed_link_shows_as_much_as_its_reason(
    catalogue: tuple[str, Catalogue], reason: Reason | None, is_shown: bool
) -> None:
    state, asked = catalogue
    headers = signed(asked.folder / "links/a", *([reason] if reason else []))
    told = asked.client.post(
        "/internal/archives/a/visible", json={"paths": ["doc/run.nxs"]}, headers=headers
    ).json()
    expected = state in PUBLIC or (is_shown and state != "withdrawn")
    assert told["visible"] == (["doc/run.nxs"] if expected else [])
    closed = [str(Reason.model_validate(one["reason"])) for one in told["closed"].values()]
    assert closed == ([str(reason)] if expected and state not in PUBLIC else [])
    assert told["subject"] == "ada"


def test_a_link_of_who_leaves_the_team_ends_at_once(
    login: keycloak.Server, database_url: str, tmp_path: Path
) -> None:
    now, path = RELEASE - timedelta(seconds=1), "doc/run.nxs"
    with catalogue_of(login, database_url, tmp_path, now, proposal("doc", "d/1")) as asked:
        asked.team()

        def told(headers: dict[str, str]) -> Any:
            visible = "/internal/archives/a/visible"
            return asked.client.post(visible, json={"paths": [path]}, headers=headers).json()

        def reason(who: str) -> Reason:
            (closed,) = told({"Authorization": f"Bearer {asked.tokens[who]}"})["closed"].values()
            return Reason.model_validate(closed["reason"])

        reasons = {who: reason(who) for who in (*BY_TEAM, "member")}
        links = {who: signed(tmp_path / "links/a", one) for who, one in reasons.items()}
        listing = "/internal/archives/a/children?directory=doc"
        for who, link in links.items():
            (closed,) = told(link)["closed"].values()
            (listed,) = asked.client.get(listing, headers=link).json()["reasons"]
            for one in (closed["reason"], listed):
                assert Reason.model_validate(one) == reasons[who]
        # The same link is for all catalogues of its archive: another's entry opens nothing here.
        elsewhere = reasons["pushed by ORCID"].model_copy(update={"entry": str(uuid4())})
        assert told(signed(tmp_path / "links/a", elsewhere))["visible"] == []

        left = {"role": "principal investigator", "orcid": "0000-0001-5109-3700"}
        asked.change("user office", "PUT", "/teams/doc", members=[left])
        seen = {who for who, link in links.items() if told(link)["visible"]}
        assert seen == {"principal investigator", "invited by e-mail", "member"}
        asked.change("user office", "PUT", "/teams/doc", members=[])
        assert {who for who, link in links.items() if told(link)["visible"]} == {"member"}
        # Whose entry is made anew asks for a new link.
        asked.change("user office", "PUT", "/teams/doc", members=[left])
        assert told(links["principal investigator"])["visible"] == []


UNTIL = {"under embargo": "embargo until 2027-02-28", "extended": "embargo until 2028-01-01"}


@pytest.mark.parametrize("asked_for", [{"archive": "a", "path": "doc/run.nxs"}, {"pid": "d/1"}], ids=str)
def test_links_alone_learn_until_when_there_is_an_embargo(
    catalogue: tuple[str, Catalogue], asked_for: dict[str, str]
) -> None:
    state, asked = catalogue
    headers = signed(asked.folder / "links/a")
    told = asked.client.get("/internal/embargo", params=asked_for, headers=headers).json()
    assert told == {"why": UNTIL.get(state)}
    for others in ({}, {"Authorization": f"Bearer {asked.tokens['nobody']}"}):
        assert asked.client.get("/internal/embargo", params=asked_for, headers=others).status_code == 404
    there_is_none = asked.client.get("/internal/embargo", params={"pid": "none"}, headers=headers).json()
    assert there_is_none == {"why": None}


def test_a_signed_link_is_no_token_for_others(catalogue: tuple[str, Catalogue], tmp_path: Path) -> None:
    _, asked = catalogue
    admin = Reason(role=Role.ADMIN)
    (tmp_path / "current").write_text("o" * 43)
    taken = signed(asked.folder / "links/a", admin)
    refused = [
        signed(tmp_path, admin),
        signed(asked.folder / "links/a", admin, archive="b"),
        signed(asked.folder / "links/a", admin, archive="a/../a"),
        signed(asked.folder / "links/a", admin, seconds=-60),
        {"Authorization": taken["Authorization"].replace("Link", "Bearer")},
    ]
    for headers in refused:
        assert asked.client.get("/internal/archives/a/children", headers=headers).status_code == 401
    assert asked.client.get("/internal/archives/a/children", headers=taken).status_code == 200
    assert asked.client.get("/api/Datasets", headers=taken).status_code == 401
