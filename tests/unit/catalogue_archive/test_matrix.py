"""Role × state × way: who is shown what by the archive and the catalogue, computed from one rule."""

import re
import statistics
import time
from collections import Counter
from urllib.parse import quote, unquote, urlsplit

import httpx2
import pytest
from unit.catalogue_archive.ways import ARCHIVE, CATALOGUE, COUNTS, FOLDERS, TOGETHER, Record, Way
from unit.catalogue_archive.world import (
    MISSING,
    OPEN,
    PEOPLE,
    STATES,
    Person,
    State,
    World,
    named,
    sees,
)

NOT_FOUND = "there is no such file, directory or dataset, or you may not see it"
AT_THE_CATALOGUE = (
    "public",
    "member",
    "member with a token for other things",
    "staff of another instrument",
    "administrator",
)
"""Those of whom its own tests (`unit/catalogue/test_login`) have the least; they have all others."""


def ask(world: World, way: Way, state: State, number: int, who: str, **headers: str) -> httpx2.Response:
    """What the archive answers."""
    url, person = way.url(state, number), PEOPLE[who]
    if person.by_link:
        # Only of what can be linked there are links: others are tried with that of a file.
        linked = url if way.is_linkable else f"/files/{state.file(number)}"
        resource = unquote(urlsplit(linked).path).rstrip("/")
        url += f"{'&' if '?' in url else '?'}link={world.link(resource, person.proposals)}"
    given = {**way.headers, **world.headers(who), **headers}
    return world.archive.request(way.method, url, headers=given, json=way.body(state, number))


def expected(way: Way, who: Person, state: State) -> int | None:
    """The status of a refusal; None: it is shown."""
    if way.resource and who.is_public:
        return 401
    if who.by_link and not way.is_linkable:
        return 403
    if sees(who, state):
        return None
    return 403 if who.by_link else 404


@pytest.mark.parametrize("who", PEOPLE)
def test_the_archive_shows_what_the_rule_says_and_nothing_else(world: World, who: str) -> None:
    wrong = []
    for number, (name, way) in enumerate(ARCHIVE.items()):
        for state in STATES:
            answer = ask(world, way, state, number, who)
            status = expected(way, PEOPLE[who], state)
            if status is None:
                is_right = way.right(answer, state, number, world.root) and named(answer) <= {state.name}
            else:
                is_right = answer.status_code == status and named(answer) == set()
            if not is_right:
                wrong.append((name, state.name, status, answer.status_code, answer.text[:200]))
    assert wrong == []


def listed(world: World, who: str, target: str) -> list[str]:
    """The names in a folder, page by page, as far as the answers lead."""
    names: list[str] = []
    resource, person = urlsplit(target).path.rstrip("/"), PEOPLE[who]
    if person.by_link:
        target += f"&link={world.link(resource, person.proposals)}"
    while target:
        page = world.archive.get(target, headers=world.headers(who)).json()
        names += [one["name"] for one in page["entries"]]
        target = page.get("next", "")
    return names


@pytest.mark.parametrize("who", PEOPLE)
def test_folders_of_all_lead_to_what_the_rule_says(world: World, who: str) -> None:
    seen = [one for one in STATES if sees(PEOPLE[who], one)]
    for target, name in FOLDERS.items():
        shared = {"shared"} if "shared" not in target else set()
        for limit in (1, 1000):
            assert listed(world, who, f"{target}?limit={limit}") == sorted({*map(name, seen), *shared})


def status_of(record: Record, who: Person, state: State) -> int:
    """What the catalogue answers."""
    is_shown = state.is_public if record.harvested else sees(who, state)
    if record.is_proposal:
        return 404 if state.is_proprietary and not is_shown else record.status
    if is_shown:
        return record.status
    if state.is_gone and state.was_public and record.harvested:
        return record.status  # leads to the tombstone
    return 410 if state.is_gone and state.was_public and record.is_page else 404


@pytest.mark.parametrize("who", AT_THE_CATALOGUE)
def test_the_catalogue_shows_what_the_rule_says_and_nothing_else(world: World, who: str) -> None:
    wrong = []
    for record in CATALOGUE:
        for state in STATES:
            target = record.target.format(name=state.name, pid=quote(state.pid, safe=""), path=state.pid)
            answer = world.catalogue.get(target, headers=world.headers(who))
            status = status_of(record, PEOPLE[who], state)
            is_shown = state.is_public if record.harvested else sees(PEOPLE[who], state)
            is_shown |= state.is_gone and state.was_public and not record.is_proposal
            is_named = is_shown and status != 404 and record.names_data
            if (answer.status_code, named(answer)) != (status, {state.name} if is_named else set()):
                wrong.append(
                    (target[:40] + target[-40:], state.name, status, answer.status_code, named(answer))
                )
    print(wrong)
    assert wrong == []


@pytest.mark.parametrize("who", AT_THE_CATALOGUE)
def test_lists_and_counts_are_of_what_the_rule_says(world: World, who: str) -> None:
    headers, seen = world.headers(who), [one for one in STATES if sees(PEOPLE[who], one)]
    public = {one.name for one in STATES if one.was_public}
    for target, harvested in TOGETHER.items():
        expected = public if harvested else {one.name for one in seen}
        if "Instruments/I" in target:
            expected -= {one.name for one in STATES if one.instrument != "I"}
        answer = world.catalogue.get(target, headers=headers)
        assert (answer.status_code, named(answer)) == (200, expected), target
    for target, count in COUNTS.items():
        assert world.catalogue.get(target, headers=headers).json() == {"count": count(seen)}, target
    page = world.catalogue.get("/api/Datasets?limit=1&total=true", headers=headers)
    assert page.headers["X-Total-Count"] == str(len(seen))


@pytest.mark.parametrize("who", AT_THE_CATALOGUE)
def test_single_records_are_harvested_as_the_rule_says_whoever_asks(world: World, who: str) -> None:
    def asked(verb: str, kind: str, state: State, **more: str) -> httpx2.Response:
        pid = state.pid if kind == "datasets" else state.name
        query = {"verb": verb, "identifier": f"oai:catalogue.example.org:{kind}/{pid}", **more}
        return world.catalogue.get("/oai", params=query, headers=world.headers(who))

    def told(answer: httpx2.Response, state: State) -> str:
        """What is said, but for when and of what."""
        text = re.sub("<responseDate>.*?</responseDate>", "", answer.text)
        return text.replace(state.pid, "…").replace(state.name, "…")

    for state in STATES:
        for kind in ("datasets", "documents"):
            is_known = state.was_public if kind == "datasets" else not state.is_proprietary
            formats = asked("ListMetadataFormats", kind, state)
            assert ("idDoesNotExist" in formats.text) == (not is_known)
            for prefix in ("oai_dc", "oai_datacite"):
                answer = asked("GetRecord", kind, state, metadataPrefix=prefix)
                is_deleted = kind == "datasets" and state.is_gone and state.was_public
                assert ('status="deleted"' in answer.text) == is_deleted
                if kind == "datasets":
                    assert named(answer) == ({state.name} if state.is_public else set())
                elif not state.is_public:
                    assert named(answer) == set()
                if not is_known:
                    missing = asked("GetRecord", kind, MISSING, metadataPrefix=prefix)
                    assert told(answer, state) == told(missing, MISSING)
            if not is_known:
                assert told(formats, state) == told(asked("ListMetadataFormats", kind, MISSING), MISSING)
    assert named(world.catalogue.get("/oai?verb=ListSets", headers=world.headers(who))) == set()


HIDDEN = next(one for one in STATES if one.name == "embargoed")
ASKED_IN_TURN = 150


@pytest.mark.parametrize(
    ("service", "address"),
    [
        ("catalogue", "/api/Datasets/{pid}"),
        ("catalogue", "/datasets/{path}?format=html"),
        ("archive", "/files/{name}/run0.nxs"),
        ("archive", "/datasets/{pid}/bundle.zip"),
    ],
)
def test_what_is_hidden_is_answered_in_the_time_of_what_is_not_there(
    world: World, service: str, address: str
) -> None:
    """Asked in turn, so that whatever else the machine does meets both alike."""
    client: httpx2.Client = getattr(world, service)
    took: dict[str, list[float]] = {HIDDEN.name: [], MISSING.name: []}
    for _ in range(ASKED_IN_TURN):
        for state in (HIDDEN, MISSING):
            target = address.format(name=state.name, pid=quote(state.pid, safe=""), path=state.pid)
            started = time.perf_counter()
            assert client.get(target).status_code == 404
            took[state.name].append(time.perf_counter() - started)
    hidden, missing = (statistics.median(took[state.name]) for state in (HIDDEN, MISSING))
    assert 2 / 3 < hidden / missing < 3 / 2, (hidden, missing)


@pytest.mark.parametrize("who", AT_THE_CATALOGUE)
def test_links_for_machines_lead_to_no_hidden_dataset(world: World, who: str) -> None:
    """Signposting (`Link` and the linkset) of each proposal's page."""
    for state in STATES:
        page = world.catalogue.get(f"/documents/{state.name}?format=html", headers=world.headers(who))
        linkset = world.catalogue.get(f"/documents/{state.name}?format=linkset", headers=world.headers(who))
        url = f"http://catalogue.example.org/datasets/{state.pid}"
        in_header = [link for link in page.headers.get("Link", "").split(", ") if "/datasets/" in link]
        expected = [f'<{url}>; rel="item"; type="text/html"'] if sees(PEOPLE[who], state) else []
        assert in_header == expected, state.name
        assert (url in linkset.text) == sees(PEOPLE[who], state), state.name
        assert page.headers.get("Link") or page.status_code == 404


def asked_and_told(world: World, way: Way, state: State, number: int, who: str) -> tuple[object, ...]:
    """An answer and what the archive asked for it, but for what each has of its own, and its name."""
    # A token that was not used before has nothing kept for it.
    given = {} if PEOPLE[who].is_public else {"Authorization": f"Bearer {world.login.token(who)}"}
    world.noting.asked.clear()
    answer = ask(world, way, state, number, who, **given)
    # That a file is public that leads to others is kept from one of them to the next.
    others = [one for one in world.noting.asked if OPEN.file(0).encode() not in one["body"]]
    asked = Counter(repr(one).replace(state.name, "…") for one in others)
    text = answer.text.replace(state.name, "…")
    own = {"date", "x-request-id", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status_code, headers, text, asked


@pytest.mark.parametrize(
    "who", ["public", "member of another proposal", "member with a token for other things"]
)
def test_what_is_hidden_is_answered_as_what_was_never_there(world: World, who: str) -> None:
    """Also by what the archive asks the catalogue meanwhile, which takes nearly all of an answer's time."""
    time.sleep(1.1)  # for so long an answer is kept
    wrong = []
    for number, (name, way) in enumerate(ARCHIVE.items()):
        if expected(way, PEOPLE[who], MISSING) == 401:
            continue
        missing = asked_and_told(world, way, MISSING, number, who)
        assert missing[0] == 404
        assert missing[-1], "the archive asked nothing"
        for state in STATES:
            if not sees(PEOPLE[who], state):
                found = asked_and_told(world, way, state, number, who)
                if found != missing:
                    wrong.append((name, state.name, found, missing))
    assert wrong == []
