"""What the staff decides, what it changes at which second, and what is kept of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.service import get
from unit.catalogue.visibility import END, EVERYWHERE, RELEASE, TOKEN, Catalogue

AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
WORDS = {"requestedBy": "Ada Lovelace", "grantedBy": "User Office", "reason": "thesis not yet published"}
SECOND = timedelta(seconds=1)
EXTENDED = datetime(2027, 9, 1, 12, 0, tzinfo=UTC)


def post(catalogue: Catalogue, action: str, **fields: Any) -> httpx2.Response:
    decision = {"action": action, **WORDS, **fields}
    return catalogue.client.post("/policy/decisions", json=decision, headers=AUTHORISED)


def decide(catalogue: Catalogue, action: str, **fields: Any) -> dict[str, Any]:
    answer = post(catalogue, action, **fields)
    assert answer.status_code == 200, answer.text
    held: dict[str, Any] = answer.json()
    return held


def state(catalogue: Catalogue, path: str) -> dict[str, Any]:
    answer = catalogue.client.get(f"/policy/{path}", headers=AUTHORISED)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def log(catalogue: Catalogue) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = state(catalogue, "log")["entries"]
    return entries


def iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def test_an_extended_embargo_ends_at_its_second(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - SECOND
    assert decide(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))["changed"] is True
    for instant in (RELEASE, EXTENDED - SECOND):
        catalogue.now = instant
        assert catalogue.visible() == set()
    (document,) = get(catalogue.client, "/api/Documents")
    assert document["releaseDate"] == "2027-09-01T12:00:00.000Z"
    catalogue.now = EXTENDED
    assert len(catalogue.visible()) == EVERYWHERE


def test_a_revoked_extension_ends_the_embargo_as_before(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - SECOND
    decide(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    catalogue.now = RELEASE
    assert catalogue.visible() == set()
    decide(catalogue, "revokeExtension", document="doc")
    assert len(catalogue.visible()) == EVERYWHERE
    catalogue.now = RELEASE - SECOND
    assert catalogue.visible() == set()


@pytest.mark.parametrize("subject", [{"document": "doc"}, {"dataset": "d/1"}])
def test_an_early_release_opens_at_its_second(catalogue: Catalogue, subject: dict[str, str]) -> None:
    at = END + timedelta(days=100)
    catalogue.now = END
    decide(catalogue, "release", at=iso(at), **subject)
    catalogue.now = at - SECOND
    assert catalogue.visible() == set()
    catalogue.now = at
    assert len(catalogue.visible()) == EVERYWHERE
    decide(catalogue, "revokeRelease", **subject)
    assert catalogue.visible() == set()
    catalogue.now = RELEASE
    assert len(catalogue.visible()) == EVERYWHERE


def test_a_release_without_an_instant_holds_at_once(catalogue: Catalogue) -> None:
    catalogue.now = END
    answer = decide(catalogue, "release", document="doc")
    assert answer["state"]["releasedAt"] == iso(END)
    assert answer["state"]["publicDatasets"] == 1
    assert len(catalogue.visible()) == EVERYWHERE
    catalogue.now = END + timedelta(days=1)
    assert decide(catalogue, "release", document="doc")["changed"] is False
    assert state(catalogue, "documents/doc")["releasedAt"] == iso(END)


def test_proprietary_beamtime_is_nowhere(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    decide(catalogue, "release", dataset="d/1")
    assert decide(catalogue, "setProprietary", document="doc", proprietary=True)["state"]["proprietary"]
    assert get(catalogue.client, "/api/Documents") == []
    assert get(catalogue.client, "/api/Documents/count") == {"count": 0}
    assert catalogue.client.get("/api/Documents/doc").status_code == 404
    assert get(catalogue.client, "/api/Datasets") == []
    assert catalogue.client.get("/api/Datasets/d%2F1").status_code == 404
    assert get(catalogue.client, "/api/Datasets/count") == {"count": 0}
    assert catalogue.client.get("/internal/datasets/d%2F1/files").status_code == 404
    assert get(catalogue.client, "/internal/archives/a/children")["entries"] == []
    decide(catalogue, "setProprietary", document="doc", proprietary=None)
    assert len(catalogue.visible()) == EVERYWHERE


@pytest.mark.parametrize("withdrawn", [False, True])
def test_a_dataset_that_belongs_to_proprietary_beamtime_too_is_nowhere(
    catalogue: Catalogue, withdrawn: bool
) -> None:
    catalogue.now = RELEASE
    assert len(catalogue.visible()) == EVERYWHERE
    other = {
        "pid": "other",
        "title": "Paid",
        "proprietary": True,
        "datasets": [{"pid": "d/1", "title": "Run"}],
    }
    with catalogue.connection.transaction():
        store.write(catalogue.connection, [DocumentRecord.model_validate(other)], store.Origin("load"))
    if withdrawn:
        catalogue.connection.execute("UPDATE dataset SET deleted_at = now()")
    assert catalogue.visible() == set()
    page = catalogue.client.get("/datasets/d/1")
    assert page.status_code == 410, "it was public before"
    assert "Run" not in page.text
    shown = state(catalogue, "datasets/d/1")
    assert (shown["proprietary"], shown["releaseDate"], shown["publicDatasets"]) == (True, None, 0)
    if not withdrawn:
        decide(catalogue, "setProprietary", document="other", proprietary=False)
        catalogue.connection.execute("DELETE FROM document WHERE pid = 'other'")
        assert len(catalogue.visible()) == EVERYWHERE


def test_a_source_may_say_that_beamtime_is_proprietary_and_the_staff_that_it_is_not(
    catalogue: Catalogue,
) -> None:
    catalogue.now = RELEASE
    catalogue.connection.execute("UPDATE document SET proprietary = true")
    assert get(catalogue.client, "/api/Documents") == []
    decide(catalogue, "setProprietary", document="doc", proprietary=False)
    assert len(catalogue.visible()) == EVERYWHERE


def test_the_licence_is_that_of_the_dataset_the_proposal_or_the_policy(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    assert state(catalogue, "datasets/d%2F1")["license"]["id"] == "CC-BY-4.0"
    catalogue.policy_file.write_text('{"license": "CC-BY-SA-4.0"}')
    assert state(catalogue, "datasets/d%2F1")["license"]["id"] == "CC-BY-SA-4.0"
    decide(catalogue, "setLicense", document="doc", license="CC BY-NC 4.0")
    assert state(catalogue, "datasets/d%2F1")["license"] == {
        "id": "CC-BY-NC-4.0",
        "name": "Creative Commons Attribution Non Commercial 4.0 International",
        "url": "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    }
    decide(
        catalogue, "setLicense", dataset="d/1", license="https://creativecommons.org/publicdomain/zero/1.0/"
    )
    assert state(catalogue, "datasets/d/1")["license"]["id"] == "CC0-1.0"
    assert state(catalogue, "documents/doc")["license"]["id"] == "CC-BY-NC-4.0"
    decide(catalogue, "setLicense", dataset="d/1", license=None)
    assert state(catalogue, "datasets/d/1")["license"]["id"] == "CC-BY-NC-4.0"


@pytest.mark.parametrize(
    ("action", "fields", "status", "field"),
    [
        ("extendEmbargo", {"document": "doc", "until": iso(RELEASE)}, 422, "until"),
        ("extendEmbargo", {"document": "doc", "until": "2029-02-28T15:00:01Z"}, 422, "until"),
        ("extendEmbargo", {"document": "doc", "until": "2028-01-01T00:00:00"}, 422, "until"),
        ("extendEmbargo", {"document": "doc", "until": "soon"}, 422, "until"),
        ("extendEmbargo", {"document": "nobody", "until": iso(EXTENDED)}, 404, "document"),
        ("extendEmbargo", {"dataset": "d/1", "until": iso(EXTENDED)}, 422, "document"),
        ("release", {"document": "doc", "at": "2020-01-01T00:00:00Z"}, 422, "at"),
        ("release", {"document": "doc", "at": iso(RELEASE)}, 422, "at"),
        ("release", {"document": "doc", "dataset": "d/1"}, 422, "release"),
        ("release", {}, 422, "release"),
        ("release", {"dataset": "d/2"}, 404, "dataset"),
        ("setLicense", {"dataset": "d/1", "license": "free for all"}, 422, "license"),
        ("setLicense", {"dataset": "d/1"}, 422, "license"),
        ("setProprietary", {"document": "doc", "proprietary": "maybe"}, 422, "proprietary"),
        ("destroy", {"document": "doc"}, 422, "action"),
        ("release", {"document": "doc", "reason": "  "}, 422, "reason"),
        ("release", {"document": "doc", "grantedBy": 10**30}, 422, "grantedBy"),
        ("release", {"document": "doc", "grantedBy": ""}, 422, "grantedBy"),
        ("release", {"document": "d\0oc"}, 422, None),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_remedy(
    catalogue: Catalogue, action: str, fields: dict[str, Any], status: int, field: str | None
) -> None:
    catalogue.now = RELEASE - SECOND
    answer = post(catalogue, action, **fields)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem.get("field") == field
    if field:
        assert problem["remedy"]
        assert problem["remedy"] in problem["detail"]
    assert log(catalogue) == []


def test_an_extension_reaches_to_the_limit_and_no_further(catalogue: Catalogue) -> None:
    catalogue.now = END
    catalogue.policy_file.write_text('{"embargo": {"months": 36, "maxExtensionMonths": 12}}')
    limit = datetime(2028, 2, 28, 15, 0, tzinfo=UTC)
    answer = post(catalogue, "extendEmbargo", document="doc", until=iso(limit + SECOND))
    assert answer.status_code == 422
    assert "2028-02-28T15:00:00Z" in answer.json()["remedy"]
    assert answer.json()["value"] == "2028-02-28T15:00:01Z"
    assert decide(catalogue, "extendEmbargo", document="doc", until=iso(limit))["changed"] is True
    # A policy that allows less from now on takes nothing back.
    catalogue.policy_file.write_text('{"embargo": {"months": 36, "maxExtensionMonths": 0}}')
    assert decide(catalogue, "extendEmbargo", document="doc", until=iso(limit))["changed"] is False
    assert state(catalogue, "documents/doc")["releaseDate"] == iso(limit)


def test_public_data_cannot_be_put_under_embargo_again(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE
    answer = post(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    assert answer.status_code == 409
    assert "public since 2027-02-28T15:00:00Z" in answer.json()["detail"]


def test_an_extension_without_a_known_end_opens_nothing(catalogue: Catalogue) -> None:
    catalogue.now = RELEASE - SECOND
    decide(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    catalogue.connection.execute("UPDATE document SET end_date = NULL")
    catalogue.connection.execute("UPDATE dataset SET creation_date = NULL")
    catalogue.now = datetime(2999, 1, 1, tzinfo=UTC)
    assert catalogue.visible() == set()
    decide(catalogue, "revokeExtension", document="doc")
    assert post(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED)).status_code == 409


def test_the_embargo_of_datasets_that_alone_have_dates_is_extended(catalogue: Catalogue) -> None:
    """Each has one of its own then; the last one to end is the proposal's."""
    later = {"pid": "d/2", "title": "Run", "creationDate": END + timedelta(days=10)}
    record = {"pid": "doc", "title": "Proposal", "datasets": [later]}
    with catalogue.connection.transaction():
        store.write(catalogue.connection, [DocumentRecord.model_validate(record)], store.Origin("b", "a"))
    catalogue.connection.execute("UPDATE document SET end_date = NULL")
    catalogue.now = RELEASE - SECOND
    shown = state(catalogue, "documents/doc")
    assert shown["embargoEnd"] == "2027-03-10T15:00:00Z"
    assert shown["extendableUntil"] == "2029-03-10T15:00:00Z"
    early = post(catalogue, "extendEmbargo", document="doc", until="2027-03-10T15:00:00Z")
    assert early.status_code == 422
    decide(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    catalogue.now = EXTENDED - SECOND
    assert state(catalogue, "documents/doc")["publicDatasets"] == 0
    catalogue.now = EXTENDED
    assert state(catalogue, "documents/doc")["publicDatasets"] == 2
    decide(catalogue, "revokeExtension", document="doc")
    catalogue.now = RELEASE
    assert state(catalogue, "documents/doc")["publicDatasets"] == 1
    answer = post(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    assert answer.status_code == 409, "the first dataset is public"
    assert decide(catalogue, "release", document="doc")["state"]["publicDatasets"] == 2


def test_what_the_source_opened_is_called_so_and_need_not_be_released(catalogue: Catalogue) -> None:
    catalogue.now = END
    assert state(catalogue, "datasets/d/1")["openedBySource"] is False
    catalogue.connection.execute("UPDATE dataset SET released = true")
    for path in ("datasets/d/1", "documents/doc"):
        shown = state(catalogue, path)
        assert (shown["openedBySource"], shown["publicDatasets"]) == (True, 1)
    assert decide(catalogue, "release", dataset="d/1")["changed"] is False
    answer = post(catalogue, "release", dataset="d/1", at=iso(END + timedelta(days=1)))
    assert answer.status_code == 409
    assert "its source has opened it" in answer.json()["detail"]


def test_a_source_s_next_record_overrides_no_decision(catalogue: Catalogue) -> None:
    catalogue.now = END
    decide(catalogue, "release", dataset="d/1")
    decide(catalogue, "setLicense", document="doc", license="CC0")
    closed = {"pid": "d/1", "title": "Run", "isPublic": False, "license": "CC BY 4.0"}
    record = {"pid": "doc", "title": "Proposal", "endDate": END, "license": "CC-BY", "datasets": [closed]}
    with catalogue.connection.transaction():
        origin = store.Origin("beamlines", "a")
        store.write(catalogue.connection, [DocumentRecord.model_validate(record)], origin)
    assert len(catalogue.visible()) == EVERYWHERE
    assert state(catalogue, "datasets/d/1")["license"]["id"] == "CC0-1.0"


def test_the_log_says_who_what_when_and_why_once(catalogue: Catalogue) -> None:
    catalogue.now = END
    for _ in range(3):
        decide(catalogue, "extendEmbargo", document="doc", until=iso(EXTENDED))
    later = iso(EXTENDED + timedelta(days=30))
    decide(catalogue, "extendEmbargo", document="doc", until=later, reason="second thesis")
    decide(catalogue, "release", dataset="d/1")
    first, second, third = log(catalogue)
    assert first["decidedAt"].endswith("Z")
    assert {key: first[key] for key in first if key not in ("id", "decidedAt")} == {
        "document": "doc",
        "aspect": "extension",
        "before": None,
        "after": iso(EXTENDED),
        "decidedBy": "administrator's token",
        **WORDS,
    }
    assert (second["before"], second["after"]) == (iso(EXTENDED), later)
    assert (third["dataset"], third["aspect"]) == ("d/1", "release")
    assert state(catalogue, "documents/doc")["decisions"]["extension"] == second
    assert state(catalogue, "log?pid=d/1")["entries"] == [third]
    page = state(catalogue, "log?limit=2")
    assert page == {"entries": [first, second], "next": second["id"]}
    assert state(catalogue, f"log?after={page['next']}") == {"entries": [third], "next": None}
    for after in ("", "x", "9" * 5000):
        assert catalogue.client.get(f"/policy/log?after={after}", headers=AUTHORISED).status_code == 400


def test_the_log_cannot_be_changed(catalogue: Catalogue) -> None:
    decide(catalogue, "setLicense", document="doc", license="CC0")
    for statement in ("UPDATE policy_log SET reason = ''", "DELETE FROM policy_log", "TRUNCATE policy_log"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            catalogue.connection.execute(statement)
    assert len(log(catalogue)) == 1


def test_the_state_names_the_limits_and_the_retention(catalogue: Catalogue) -> None:
    catalogue.now = END
    shown = state(catalogue, "documents/doc")
    assert shown["experimentEnd"] == "2024-02-29T15:00:00Z"
    assert shown["embargoEnd"] == "2027-02-28T15:00:00Z"
    assert shown["extendableUntil"] == "2029-02-28T15:00:00Z"
    assert shown["rawDataKeptUntil"] == "2034-02-28T15:00:00Z"
    assert (shown["datasets"], shown["publicDatasets"]) == (1, 0)
    assert shown["decisions"] == {"extension": None, "release": None, "proprietary": None, "license": None}
    assert state(catalogue, "datasets/d/1")["proposal"] == "doc"
    for path, pid in (("documents/doc", "doc"), ("datasets/d/1", "d/1")):
        provenance = state(catalogue, path)["provenance"]
        assert (provenance["source"], provenance["originId"]) == ("beamlines", pid)
        assert datetime.fromisoformat(provenance["fetchedAt"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"Authorization": "Bearer ééé".encode()}, 401),
        ({"Authorization": f"bearer {TOKEN}"}, 200),
    ],
)
def test_only_the_token_opens(catalogue: Catalogue, headers: Any, status: int) -> None:
    for path in ("/policy", "/policy/log", "/policy/documents/doc", "/policy/datasets/d/1"):
        answer = catalogue.client.get(path, headers=headers)
        assert answer.status_code == status
        assert TOKEN not in answer.text
        if status == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    decision = {"action": "release", "document": "doc", **WORDS}
    assert catalogue.client.post("/policy/decisions", json=decision, headers=headers).status_code == status


def test_a_new_token_holds_at_once_and_without_one_nobody_decides(catalogue: Catalogue) -> None:
    token_file = catalogue.policy_file.with_name("token")
    token_file.write_text("the-next-token-of-32-characters--")
    assert catalogue.client.get("/policy", headers=AUTHORISED).status_code == 401
    for content in ("", "\n"):
        token_file.write_text(content)
        assert catalogue.client.get("/policy", headers={"Authorization": "Bearer x"}).status_code == 503
    token_file.unlink()
    answer = catalogue.client.get("/policy", headers=AUTHORISED)
    assert answer.status_code == 503
    assert "switched off" in answer.json()["detail"]


def test_a_decision_of_any_length_is_not_read(catalogue: Catalogue) -> None:
    answer = catalogue.client.post("/policy/decisions", content=b"x" * 70_000, headers=AUTHORISED)
    assert answer.status_code == 413
    answer = catalogue.client.post("/policy/decisions", content=b"[" * 50_000, headers=AUTHORISED)
    assert answer.status_code == 422
