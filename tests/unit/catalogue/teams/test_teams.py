"""Who says who is in a team, and what nobody can do who may not."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from panosc_catalogue.teams.people import MAX_INVITED, MAX_MEMBERS
from panosc_common import audit
from panosc_common.audit import CHANGE, EVENT
from unit.catalogue.teams.conftest import CLAIMS, DOCUMENT, LEADER, OTHER_PI, PI, Catalogue

BEN = {"role": "co-investigator", "email": "Ben@Example.org", "name": "Ben Okri"}
HEADER = "proposal,role,name,orcid,identifier,email"


def recorded(capfd: pytest.CaptureFixture[str], event: str = CHANGE) -> list[dict[str, Any]]:
    """The audit log since it was looked at last; no log of the process has an address."""
    said = capfd.readouterr()
    assert "example.org" not in (said.out + said.err).lower()
    return [told for line in said.out.splitlines() if (told := json.loads(line))["event"] == event]


def test_a_push_opens_at_once_and_the_next_one_closes(catalogue: Catalogue) -> None:
    assert not catalogue.sees("ben")
    told = catalogue.push(LEADER, BEN)
    assert told["changed"] is True
    assert [(one["role"], one["name"], one["email"]) for one in told["team"]["members"]] == [
        ("principal investigator", None, None),
        ("co-investigator", "Ben Okri", "ben@example.org"),
    ]
    assert catalogue.sees("ben")
    assert catalogue.push(BEN, LEADER)["changed"] is False
    assert catalogue.push(LEADER)["changed"] is True
    assert not catalogue.sees("ben")
    catalogue.push()
    assert not catalogue.sees("pi")


@pytest.mark.parametrize("proposal", ["doc", "facility:doc", "facility%3Adoc"])
def test_a_proposal_is_the_same_by_number_and_by_pid(catalogue: Catalogue, proposal: str) -> None:
    catalogue.push(BEN)
    assert catalogue.push(BEN, proposal=proposal)["changed"] is False
    catalogue.push(proposal=proposal)
    assert not catalogue.sees("ben")


def test_a_team_waits_for_its_proposal(catalogue: Catalogue) -> None:
    catalogue.push(LEADER, BEN, proposal="10.15151/ESRF-ES-1")
    assert catalogue.ask("ben", "GET", "/teams/10.15151/ESRF-ES-1").json()["document"] is None
    assert catalogue.invite(proposal="10.15151/ESRF-ES-1", email="kai@example.org").status_code == 200
    assert catalogue.ask("ben", "GET", "/api/Datasets").json() == []
    catalogue.add({**DOCUMENT, "pid": "10.15151/ESRF-ES-1", "datasets": [{"pid": "d/2", "title": "Run"}]})
    assert [one["pid"] for one in catalogue.ask("ben", "GET", "/api/Datasets").json()] == ["d/2"]


def test_a_team_is_of_one_document(catalogue: Catalogue) -> None:
    """Also where a document of another facility is called as the number of one of ours."""
    catalogue.push(LEADER)
    assert catalogue.invite("source pi", email="ben@example.org").status_code == 200
    catalogue.add(
        {**DOCUMENT, "pid": "facility:doc", "members": [], "datasets": [{"pid": "d/2", "title": "Run"}]}
    )
    assert [one["pid"] for one in catalogue.ask("pi", "GET", "/api/Datasets").json()] == ["d/2"]
    # Who leads the other one neither leads this one nor lets anybody in.
    assert catalogue.ask("ben", "GET", "/api/Datasets").json() == []
    assert catalogue.invite("source pi", email="eve@example.org").status_code == 404


def test_a_proposal_that_a_source_describes_is_before_one_that_a_file_names(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    catalogue.connection.execute("INSERT INTO ingest_source (name, reading) VALUES ('files', '')")
    other = {**DOCUMENT, "pid": "facility:doc", "datasets": [{"pid": "d/2", "title": "Run"}]}
    catalogue.add(other, source="files")
    assert catalogue.sees("pi")
    assert catalogue.ask("pi", "GET", "/teams/doc").json()["document"] == "doc"
    catalogue.add(other)
    assert not catalogue.sees("pi")


@pytest.mark.parametrize("who", [None, *CLAIMS])
def test_who_may_do_what(catalogue: Catalogue, who: str | None) -> None:
    catalogue.push(LEADER, BEN, {"role": "local contact", "email": "lo@example.org"})
    (invited,) = [
        one for one in catalogue.invite(orcid=OTHER_PI).json()["team"]["members"] if one["role"] == "invited"
    ]
    official = catalogue.people()[1]["id"]
    insiders = {"office", "admin", "staff", "member", "pi", "source pi", "ben", "other pi"}
    shut = 401 if who is None else 403 if who in insiders else 404

    def status(method: str, path: str, **given: Any) -> int:
        return catalogue.ask(who, method, path, **given).status_code

    assert status("GET", "/teams/doc") == (200 if who in insiders else 401 if who is None else 404)
    assert status("GET", "/teams/none") == (
        200 if who in {"office", "admin", "staff"} else 401 if who is None else 404
    )
    leads = who in {"pi", "source pi"}
    assert status("POST", "/teams/doc/members", json={"email": "x@example.org"}) == (200 if leads else shut)
    assert status("DELETE", f"/teams/doc/members/{official}") == (409 if who in insiders else shut)
    removes = leads or who in {"office", "admin"}
    assert status("DELETE", f"/teams/doc/members/{invited['id']}") == (200 if removes else shut)
    pushes = who in {"office", "admin"}
    refused = 401 if who is None else 403
    assert status("PUT", "/teams/doc", json={"members": []}) == (200 if pushes else refused)
    csv = {"content": HEADER, "headers": {"Content-Type": "text/csv"}}
    assert status("POST", "/teams", **csv) == (200 if pushes else refused)


def test_who_leads_one_proposal_leads_no_other(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    catalogue.push({**LEADER, "orcid": OTHER_PI}, proposal="other")
    assert catalogue.invite("other pi", email="ben@example.org").status_code == 404
    theirs = catalogue.invite(email="ben@example.org").json()["team"]["members"][1]["id"]
    catalogue.invite("other pi", proposal="other", email="kai@example.org")
    # The id is of the other team, whose leader may remove whom they invited there alone.
    assert catalogue.ask("other pi", "DELETE", f"/teams/other/members/{theirs}").status_code == 404
    assert catalogue.sees("ben")


def test_who_may_not_change_a_team_waits_for_nobody(catalogue: Catalogue) -> None:
    """And holds no connection while somebody else changes it, as the user office's file does."""
    catalogue.push(LEADER, BEN)
    catalogue.invite(email="kai@example.org")
    with psycopg.connect(catalogue.connection.info.dsn) as other:
        other.execute("SELECT FROM team WHERE proposal = 'doc' FOR UPDATE")
        begun = time.monotonic()
        for who, status in (("nobody", 404), ("ben", 403)):
            assert catalogue.invite(who, email="eve@example.org").status_code == status
            kai = catalogue.people()[2]["id"]
            assert catalogue.ask(who, "DELETE", f"/teams/doc/members/{kai}").status_code == status
        assert time.monotonic() - begun < 2
        waited = catalogue.invite(email="eve@example.org")
        assert (waited.status_code, waited.headers["Retry-After"]) == (503, "2")
        assert time.monotonic() - begun < 8
        assert "somebody else" in waited.json()["detail"].lower()
    assert catalogue.invite(email="eve@example.org").status_code == 200


def test_who_is_invited_invites_nobody(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    assert catalogue.invite(email="ben@example.org").status_code == 200
    assert catalogue.invite("ben", email="eve@example.org").status_code == 403


def test_who_no_longer_leads_leaves_no_door_open(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    catalogue.invite(email="ben@example.org")
    assert catalogue.sees("ben")
    catalogue.push({**LEADER, "role": "co-investigator"})
    assert not catalogue.sees("ben")
    assert catalogue.invite(email="eve@example.org").status_code == 403
    assert len(catalogue.people()) == 1


def test_who_leads_by_the_address_that_the_source_names_invites(catalogue: Catalogue) -> None:
    assert catalogue.invite(who="ben", email="pia@example.org").status_code == 404
    leader = {"role": "PI", "person": {"fullName": "Ben"}, "email": "ben@example.org"}
    catalogue.add({"pid": "doc", "title": "Proposal", "members": [leader]})
    assert catalogue.invite(who="ben", email="pia@example.org").status_code == 200
    assert [one["email"] for one in catalogue.people()] == ["pia@example.org"]
    catalogue.add({"pid": "doc", "title": "Proposal", "members": [{**leader, "role": "proposer"}]})
    assert catalogue.invite(who="ben", email="pat@example.org").status_code == 403
    assert catalogue.people() == []


def test_invitations_of_who_no_longer_leads_end_for_good(
    catalogue: Catalogue, capfd: pytest.CaptureFixture[str]
) -> None:
    """They do not wake when whoever gave them leads again."""
    catalogue.push(LEADER)
    catalogue.invite(email="ben@example.org")
    catalogue.invite("source pi", email="kai@example.org")
    recorded(capfd)
    catalogue.push()
    (told,) = recorded(capfd)
    assert [one["role"] for one in told["removed"]] == ["principal investigator", "invited"]
    assert catalogue.push(LEADER)["changed"] is True
    assert not catalogue.sees("ben")
    # The source names who gave this one.
    assert [one["email"] for one in catalogue.people()] == [None, "kai@example.org"]


def test_who_was_invited_by_two_stays_while_one_of_them_leads(
    catalogue: Catalogue, capfd: pytest.CaptureFixture[str]
) -> None:
    other = {**LEADER, "orcid": OTHER_PI}
    catalogue.push(LEADER, other)
    assert catalogue.invite(email="ben@example.org").json()["changed"] is True
    recorded(capfd)
    assert catalogue.invite("other pi", email="ben@example.org").json()["changed"] is True
    (told,) = recorded(capfd)
    assert (told["subject"], told["removed"]) == (catalogue.subject("other pi"), [])
    assert catalogue.invite("other pi", email="ben@example.org").json()["changed"] is False
    assert catalogue.invite(email="ben@example.org").json()["changed"] is False
    catalogue.push(other)
    assert catalogue.sees("ben")
    catalogue.push()
    assert not catalogue.sees("ben")


def test_whom_an_invitation_replaces_is_told(catalogue: Catalogue, capfd: pytest.CaptureFixture[str]) -> None:
    catalogue.push(LEADER)
    catalogue.invite(email="ben@example.org")
    catalogue.invite(identifier="kai")
    recorded(capfd)
    catalogue.invite(email="ben@example.org", identifier="kai")
    (told,) = recorded(capfd)
    assert [one["role"] for one in told["removed"]] == ["invited", "invited"]
    assert told["removed"][1]["identities"] == ["identifier:kai"]


def test_the_rest_of_the_team_reads_names_and_roles_alone(catalogue: Catalogue) -> None:
    catalogue.push({**LEADER, "email": "pi@example.org"}, {**BEN, "identifier": "ben-id"})
    catalogue.invite(identifier="kai", name="Kai", until="2028-01-01T00:00:00Z")
    nothing = {"orcid": None, "identifier": None, "email": None, "invitedAt": None, "until": None}
    for who in ("ben", "member"):
        shown = [{key: one[key] for key in one if key != "id"} for one in catalogue.people(who=who)]
        assert shown == [
            # Who has no name is called by something, of which an ORCID iD is public.
            {"role": "principal investigator", "name": None, **nothing, "orcid": PI},
            {"role": "co-investigator", "name": "Ben Okri", **nothing},
            {"role": "invited", "name": "Kai", **nothing},
        ]
    for who in ("pi", "source pi", "staff", "office", "admin"):
        pi, ben, kai = catalogue.people(who=who)
        assert (pi["email"], ben["identifier"]) == ("pi@example.org", "ben-id")
        assert (kai["identifier"], kai["until"]) == ("kai", "2028-01-01T00:00:00Z")


def test_whom_the_office_named_needs_its_word(catalogue: Catalogue) -> None:
    """Also who was invited before: with the office's next list they are out."""
    catalogue.push(LEADER)
    catalogue.invite(email="ben@example.org")
    told = catalogue.push(LEADER, BEN)["team"]["members"]
    assert [one["role"] for one in told] == ["principal investigator", "co-investigator"]
    answer = catalogue.ask("pi", "DELETE", f"/teams/doc/members/{told[1]['id']}")
    assert answer.status_code == 409
    assert "user office (users@facility.example)" in answer.json()["detail"]
    assert catalogue.invite(email="ben@example.org").status_code == 409
    catalogue.push(LEADER)
    assert not catalogue.sees("ben")


def test_an_invitation_ends(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    assert catalogue.invite(email="ben@example.org", until="2027-02-10T00:00:00Z").status_code == 200
    assert catalogue.sees("ben")
    catalogue.now = catalogue.now.replace(month=2, day=10, hour=0, minute=0)
    assert not catalogue.sees("ben")
    assert catalogue.ask("ben", "GET", "/teams/doc").status_code == 404
    past = catalogue.invite(email="ben@example.org", until="2027-02-09T00:00:00Z")
    assert (past.status_code, past.json()["field"]) == (422, "until")
    assert catalogue.invite(email="ben@example.org", until="2027-02-11T00:00:00Z").json()["changed"] is True
    assert catalogue.invite(email="BEN@example.org", until="2027-02-11T00:00:00Z").json()["changed"] is False
    assert catalogue.sees("ben")
    assert len(catalogue.people()) == 2


def test_invitations_are_bounded(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)
    for number in range(MAX_INVITED):
        assert catalogue.invite(identifier=f"p{number}").status_code == 200
    assert catalogue.invite(identifier="one-more").status_code == 409
    assert catalogue.invite(identifier="p0", name="P").status_code == 200
    assert len(catalogue.people()) == MAX_INVITED + 1


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ([{"role": "boss", "email": "a@example.org"}], "members.0.role"),
        ([{"role": "co-investigator"}], "members.0"),
        ([{"role": "co-investigator", "orcid": "0000-0002-1825-0098"}], "members.0.orcid"),
        ([{"role": "co-investigator", "email": "\N{KELVIN SIGN}ai@example.org"}], "members.0.email"),
        ([{"role": "co-investigator", "identifier": "a b"}], "members.0.identifier"),
        ([{"role": "co-investigator", "email": "a@example.org", "name": "A\nB"}], "members.0.name"),
        ([{"role": "co-investigator", "email": "a@example.org", "password": "x"}], "members.0.password"),
        ([LEADER, BEN, {**LEADER, "orcid": f"https://orcid.org/{PI}"}], "members.2.orcid"),
        ([{"role": "co-investigator", "identifier": f"p{n}"} for n in range(MAX_MEMBERS + 1)], "members"),
    ],
)
def test_what_is_wrong_changes_nothing(catalogue: Catalogue, members: list[Any], field: str) -> None:
    catalogue.push(BEN)
    answer = catalogue.ask("office", "PUT", "/teams/doc", json={"members": members})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["remedy"]
    assert catalogue.sees("ben")


def test_other_names_of_proposals_are_refused(catalogue: Catalogue) -> None:
    for name in ("d%00c", "d%09c", "%20doc", "d%C3%B6c", "x" * 301, "doc/members", "doc/members/1"):
        answer = catalogue.ask("office", "PUT", f"/teams/{name}", json={"members": []})
        assert (answer.status_code, answer.json()["field"]) == (422, "proposal")


def test_sizes_are_bounded(catalogue: Catalogue) -> None:
    large = {"content": b" " * (5 * 1024 * 1024)}
    for method, path, kind in (
        ("POST", "/teams", "text/csv"),
        ("PUT", "/teams/doc", "application/json"),
        ("POST", "/teams/doc/members", "application/json"),
    ):
        answer = catalogue.ask("office", method, path, headers={"Content-Type": kind}, **large)
        assert (answer.status_code, "bytes" in answer.json()["detail"]) == (413, True)


def sheet(catalogue: Catalogue, *lines: str) -> Any:
    content = "\r\n".join([HEADER, *lines]).encode()
    headers = {"Content-Type": "text/csv; charset=utf-8"}
    return catalogue.ask("office", "POST", "/teams", content=content, headers=headers)


def test_a_file_sets_the_teams_that_it_names(catalogue: Catalogue) -> None:
    catalogue.push(BEN, proposal="kept")
    lines = [
        f"doc,principal investigator,,{PI},,",
        "facility:doc,co-investigator,Ben,,,ben@example.org",
        "new,co-investigator,,,x,",
    ]
    assert sheet(catalogue, *lines).json() == {"proposals": 2, "changed": ["doc", "new"]}
    assert sheet(catalogue, *lines).json() == {"proposals": 2, "changed": []}
    assert catalogue.sees("ben")
    assert sheet(catalogue, lines[0]).json() == {"proposals": 1, "changed": ["doc"]}
    assert not catalogue.sees("ben")
    assert len(catalogue.people("kept")) == len(catalogue.people("new")) == 1


def test_a_file_of_the_size_that_is_allowed_is_taken(catalogue: Catalogue) -> None:
    lines = [
        f"P-{n // 20},co-investigator,Ada Marsh of Northgate {n},,,person-{n}@example.org"
        for n in range(50_000)
    ]
    begun = time.monotonic()
    for changed in (2500, 0):
        assert len(sheet(catalogue, *lines).json()["changed"]) == changed
    assert time.monotonic() - begun < 60
    assert sheet(catalogue, *lines * 2).status_code == 413


def test_a_file_is_taken_as_a_whole_or_not_at_all(catalogue: Catalogue) -> None:
    catalogue.push(BEN)
    answer = sheet(catalogue, f"doc,principal investigator,,{PI},,", "doc,boss,,,,eve@example.org")
    assert answer.status_code == 422
    (flaw,) = answer.json()["flaws"]
    assert flaw == {
        "line": 3,
        "column": "role",
        "value": "boss",
        "remedy": "give one of principal investigator, co-investigator, local contact",
    }
    assert "line 3, role: 'boss'" in answer.json()["detail"]
    assert catalogue.sees("ben")
    assert not catalogue.sees("pi")


def test_a_file_names_no_team_as_the_address_of_people(catalogue: Catalogue) -> None:
    answer = sheet(catalogue, "doc/members,co-investigator,,,x,")
    (flaw,) = answer.json()["flaws"]
    assert (answer.status_code, flaw["column"], flaw["value"]) == (422, "proposal", "doc/members")
    assert "/members" in flaw["remedy"]


def test_all_lines_of_a_file_are_one_write(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(audit, "_append", written.append)
    assert sheet(catalogue, *(f"P-{n},co-investigator,,,p{n}," for n in range(20))).status_code == 200
    (lines,) = written
    told = [json.loads(line) for line in lines.splitlines()]
    assert [one.get("proposal") for one in told] == [None, *sorted(f"P-{n}" for n in range(20))]
    assert len({one["requestId"] for one in told}) == 1


def test_every_change_is_told_and_no_address(catalogue: Catalogue, capfd: pytest.CaptureFixture[str]) -> None:
    recorded(capfd)
    ben = "email:sha256:a1f6e32ce3b12b27b0ba8b9ed1b9cd8ea0c6e4e4"
    catalogue.push(LEADER, BEN)
    (pushed,) = recorded(capfd)
    assert (pushed["subject"], pushed["action"], pushed["proposal"]) == (
        catalogue.subject("office"),
        "push",
        "doc",
    )
    assert (pushed["method"], pushed["path"]) == ("PUT", "/teams/doc")
    assert pushed["added"][0] == {"role": "principal investigator", "identities": [f"orcid:{PI}"]}
    assert pushed["added"][1]["identities"][0].startswith(ben[:13])
    catalogue.push(LEADER, BEN)
    (again,) = recorded(capfd)
    assert (again["added"], again["removed"]) == ([], [])
    told = catalogue.invite(email="kai@example.org", until="2028-01-01T00:00:00Z").json()
    (invited,) = recorded(capfd)
    assert (invited["subject"], invited["action"]) == (catalogue.subject("pi"), "invite")
    assert invited["until"] == "2028-01-01T00:00:00Z"
    catalogue.ask("pi", "DELETE", f"/teams/doc/members/{told['team']['members'][2]['id']}")
    (removed,) = recorded(capfd)
    assert (removed["action"], removed["removed"][0]["identities"]) == ("remove", invited["invited"])
    sheet(catalogue, "doc,co-investigator,,,,kai@example.org")
    whole, one = recorded(capfd)
    assert (whole["proposals"], whole["proposalCount"]) == (["doc"], 1)
    assert (one["proposal"], len(one["added"]), len(one["removed"])) == ("doc", 1, 2)
    for refused in (("pi", "PUT", "/teams/doc"), ("nobody", "POST", "/teams/doc/members")):
        catalogue.ask(*refused, json={"members": [], "email": "a@example.org"})
    sheet(catalogue, "doc,boss,,,,eve@example.org")
    assert recorded(capfd) == []


def test_access_by_a_team_says_on_whose_word(catalogue: Catalogue, capfd: pytest.CaptureFixture[str]) -> None:
    catalogue.push(LEADER)
    catalogue.invite(email="ben@example.org")
    recorded(capfd)
    for who, reason in (("pi", "user office"), ("ben", "principal investigator")):
        assert catalogue.sees(who)
        (told,) = recorded(capfd, EVENT)
        assert told["reasons"] == [f"member of proposal doc ({reason})"]


@pytest.mark.parametrize("who", [None, "nobody", "instrument", "elsewhere", "other pi"])
def test_teams_are_shown_to_whom_they_concern_alone(catalogue: Catalogue, who: str | None) -> None:
    catalogue.now = catalogue.now.replace(year=2029)  # when all else is public
    secret = {
        "role": "co-investigator",
        "name": "Zyx Secretive",
        "email": "zyx@example.org",
        "identifier": "zyx-id",
    }
    catalogue.push(LEADER, secret)
    includes = {"include": [{"relation": "members", "scope": {"include": [{"relation": "person"}]}}]}
    paths = [
        "/documents/doc",
        *(
            f"/documents/doc?format={form}"
            for form in ("jsonld", "datacite-json", "datacite-xml", "bibtex", "csl")
        ),
        "/datasets/d/1",
        "/search?show=proposals&q=secretive",
        "/search?show=proposals",
        f"/api/Documents?filter={json.dumps(includes)}",
        "/api/Documents?query=secretive",
        "/oai?verb=ListRecords&metadataPrefix=oai_datacite",
        "/dmp/doc",
        "/teams/doc",
        "/teams",
    ]
    for path in paths:
        text = catalogue.ask(who, "GET", path, headers={"Accept": "text/html, */*;q=0.5"}).text.lower()
        assert not {word for word in ("zyx", PI) if word in text}, path
    assert "Ada" in catalogue.ask(who, "GET", "/documents/doc").text
    assert "zyx" in catalogue.ask("pi", "GET", "/teams/doc").text


def test_two_pushes_at_once_are_one_after_the_other(catalogue: Catalogue) -> None:
    teams = [
        [{"role": "co-investigator", "identifier": f"{team}-{n}"} for n in range(50)] for team in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda members: catalogue.push(*members), teams * 3))
    there = {one["identifier"] for one in catalogue.people()}
    assert there in [{one["identifier"] for one in members} for members in teams]


def test_files_that_name_the_same_proposals_do_not_lock_each_other_out(catalogue: Catalogue) -> None:
    lines = [f"P-{n},co-investigator,,,p{n}," for n in range(200)]
    with ThreadPoolExecutor(6) as pool:
        given = [lines, lines[::-1]] * 4
        statuses = [answer.status_code for answer in pool.map(lambda some: sheet(catalogue, *some), given)]
    assert statuses == [200] * 8
    count = catalogue.connection.execute("SELECT count(*) FROM team_member").fetchone()
    assert count == (200,)


def test_invitations_during_pushes_are_before_or_after(catalogue: Catalogue) -> None:
    catalogue.push(LEADER)

    def act(number: int) -> int:
        if number % 3 == 0:
            catalogue.push(LEADER, {"role": "co-investigator", "identifier": f"p{number}"})
            return 200
        return catalogue.invite(identifier=f"p{number // 2}").status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(act, range(40))) <= {200, 409}
    people = [one["identifier"] for one in catalogue.people()]
    assert len(people) == len(set(people))
    with ThreadPoolExecutor(6) as pool:
        codes = list(
            pool.map(lambda n: catalogue.invite(identifier=f"q{n}").status_code, range(MAX_INVITED + 10))
        )
    invited = [one for one in catalogue.people() if one["role"] == "invited"]
    assert (len(invited), set(codes)) == (MAX_INVITED, {200, 409})
