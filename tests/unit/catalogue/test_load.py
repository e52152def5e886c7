"""`panosc-catalogue load` and `migrate` as an administrator uses them."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import panosc_catalogue
import psycopg
import pytest
from alembic.script import ScriptDirectory
from panosc_catalogue.load import BadLine, Tally, load
from panosc_catalogue.migrate import migrate
from panosc_catalogue.revision import REVISION
from panosc_catalogue.settings import load_config
from panosc_catalogue.web.app import create_app
from support import postgres
from unit.catalogue.service import fill, get, serving, settings

UNTIDY = {
    "kind": "Document",
    "pid": 4711,
    "type": None,
    "title": "As real catalogues write them",
    "isPublic": True,
    "startDate": "2019-05-05 08:00:00",
    "endDate": "2019-05-06",
    "releaseDate": "",
    "keywords": None,
    "facilityId": 3,
    "members": [
        {
            "id": 1,
            "role": "owner",
            "person": {"id": 7, "fullName": "Ada Lovelace", "orcid": ""},
            "personId": 7,
        },
        {"role": "owner", "person": None, "affiliation": {"id": 2, "name": None}},
    ],
    "parameters": None,
    "datasets": [
        {
            "pid": "20.500/1",
            "title": 12,
            "isPublic": False,
            "creationDate": "2019-05-05T10:00:00+02:00",
            "instrumentId": "i",
            "instrument": {"pid": "i", "name": "BM1", "facility": "ESRF", "id": 9},
            "techniques": [{"pid": "t", "name": "SAXS", "panetId": ""}],
            "parameters": [
                {"name": "text", "value": "1.34E+12", "unit": ""},
                {"name": "flag", "value": True},
                {"name": "number", "value": 3, "unit": "keV"},
                {"name": "nothing", "value": None},
            ],
            "files": [{"id": 5, "name": "a.h5", "size": None}, {"name": "b.h5", "path": "x/b.h5", "size": 3}],
        }
    ],
}


def load_lines(url: str, lines: list[bytes]) -> tuple[Tally, list[BadLine]]:
    bad: list[BadLine] = []

    def ignore(tally: Tally) -> None:
        return None

    with psycopg.connect(url, autocommit=True) as connection:
        return load(connection, lines, bad.append, ignore), bad


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "panosc_catalogue.cli", *arguments], capture_output=True, text=True, timeout=60
    )


def everything(url: str, directory: Path) -> Any:
    relations = [{"relation": "members", "scope": {"include": ["person", "affiliation"]}}, "parameters"]
    inner = ["techniques", "samples", "files", "parameters", "instrument", "documents"]
    query = {"include": [*relations, {"relation": "datasets", "scope": {"include": inner}}]}
    with serving(create_app(settings(url, directory))) as client:
        return get(client, "/api/Documents", filter=json.dumps(query))


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(item) for name, item in value.items() if name != "id"}
    return [without_ids(item) for item in value] if isinstance(value, list) else value


def test_untidy_records_are_understood(database_url: str, tmp_path: Path) -> None:
    fill(database_url, [UNTIDY])
    (document,) = everything(database_url, tmp_path)
    assert document["pid"] == "4711"
    assert (document["startDate"], document["endDate"]) == (
        "2019-05-05T08:00:00.000Z",
        "2019-05-06T00:00:00.000Z",
    )
    assert document["keywords"] == []
    assert [member["role"] for member in document["members"]] == ["owner", "owner"]
    assert document["members"][0]["person"]["fullName"] == "Ada Lovelace"
    (dataset,) = document["datasets"]
    assert dataset["creationDate"] == "2019-05-05T08:00:00.000Z"
    assert dataset["size"] == 3
    assert [p["value"] for p in dataset["parameters"]] == ["1.34E+12", "true", 3, None]
    assert sorted(file["path"] for file in dataset["files"]) == ["a.h5", "x/b.h5"]
    assert [d["pid"] for d in dataset["documents"]] == ["4711"]


def test_loading_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    fill(database_url, [UNTIDY])
    once = everything(database_url, tmp_path)
    fill(database_url, [UNTIDY])
    assert without_ids(everything(database_url, tmp_path)) == without_ids(once)


def test_only_what_is_new_takes_a_row_id(database_url: str) -> None:
    """Neighbours by id are looked into together: what comes each night must not drive them apart."""
    lines = [json.dumps({"kind": "Dataset", "pid": f"d/{n}", "title": "T"}).encode() for n in range(3)]
    for known in (2, 2, 2, 3):
        load_lines(database_url, lines[:known])
    with psycopg.connect(database_url) as connection:
        (ids,) = connection.execute("SELECT array_agg(id - 1 ORDER BY pid) FROM dataset").fetchone() or ([],)
    assert ids == [0, 1, 2]


def test_a_later_record_replaces_lists_it_has_and_keeps_those_it_lacks(
    database_url: str, tmp_path: Path
) -> None:
    fill(database_url, [UNTIDY])
    fill(database_url, [{"kind": "Dataset", "pid": "20.500/1", "title": "New", "files": [{"name": "c.h5"}]}])
    (document,) = everything(database_url, tmp_path)
    (dataset,) = document["datasets"]
    assert dataset["title"] == "New"
    assert [file["name"] for file in dataset["files"]] == ["c.h5"]
    assert len(dataset["parameters"]) == 4
    with psycopg.connect(database_url) as connection:
        hidden = connection.execute("SELECT count(*) FROM file WHERE deleted_at IS NOT NULL").fetchone()
    assert hidden == (2,)


def test_a_record_that_says_less_takes_nothing_away(database_url: str, tmp_path: Path) -> None:
    document = {
        "pid": "D",
        "title": "T",
        "doi": "10.1/x",
        "summary": "S",
        "keywords": ["k"],
        "endDate": "2020-01-01",
        "releaseDate": "2130-01-01",
    }
    first = {"pid": "S1", "title": "a", "endDate": "2020-01-01", "isPublic": True}
    fill(database_url, [{"kind": "Document", **document, "datasets": [first]}])
    (before,) = everything(database_url, tmp_path)
    assert [dataset["pid"] for dataset in before["datasets"]] == ["S1"]
    nulls = dict.fromkeys(("doi", "summary", "endDate", "releaseDate", "keywords", "type"))
    header = {"pid": "D", "title": "T", **nulls}
    again = {"kind": "Document", "pid": "D", "title": "T", "datasets": [{"pid": "S1", "title": "a"}]}
    second = {"kind": "Dataset", "pid": "S2", "title": "b", "creationDate": "2020-01-01"}
    # In one batch and in one of its own.
    fill(database_url, [{**second, "documents": [header]}, again])
    fill(database_url, [{**second, "documents": [header]}])
    assert without_ids(everything(database_url, tmp_path)) == without_ids([before])


def test_a_document_may_name_that_a_date_is_none(database_url: str, tmp_path: Path) -> None:
    dataset = {"pid": "S", "title": "s"}
    line = {"kind": "Document", "pid": "D", "title": "T", "endDate": "2020-01-01", "datasets": [dataset]}
    fill(database_url, [{**line, "releaseDate": "2130-01-01"}])
    assert everything(database_url, tmp_path)[0]["datasets"] == []
    fill(database_url, [{**line, "releaseDate": None}])
    assert [found["pid"] for found in everything(database_url, tmp_path)[0]["datasets"]] == ["S"]


def test_bad_lines_are_named_and_the_rest_is_loaded(database_url: str) -> None:
    lines = [
        b'{"kind":"Instrument","pid":"i","name":"I","facility":"F"}',
        b'{"kind":"Document","pid":"d","title":"D","datasets":[{"pid":"x","title":"X","creationDate":"soon"}]}',
        b"",
        b"{broken",
        b'{"kind":"Cat","pid":"c"}',
        b'{"kind":"Dataset","title":"no pid"}',
        b'{"kind":"Dataset","pid":"n","title":"a\\u0000b"}',
        b'{"kind":"Dataset","pid":"s","title":"big","size":99999999999999999999}',
        b'{"kind":"Dataset","pid":"good","title":"Good"}',
    ]
    tally, bad = load_lines(database_url, lines)
    assert tally == Tally(loaded=2, refused=6)
    assert [(line.number, line.field) for line in bad] == [
        (2, "datasets.0.creationDate"),
        (4, ""),
        (5, ""),
        (6, "pid"),
        (7, "title"),
        (8, "size"),
    ]


def test_the_command_line_tells_and_exits_with_one(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps(UNTIDY) + '\n{"kind":"Dataset","title":"no pid"}\n')
    done = command("load", str(file), "--database-url", database_url)
    assert done.returncode == 1
    assert done.stdout == "1 loaded, 1 refused\n"
    assert done.stderr == "line 2: pid: Field required\n"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ([], "give --database-url or set PANOSC_CATALOGUE_DATABASE_URL"),
        (["--database-url", "postgresql://postgres@127.0.0.1:1/x"], "the database cannot be reached"),
    ],
)
def test_a_missing_database_is_told(url: list[str], told: str) -> None:
    done = command("migrate", *url)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_committed_schema_is_current() -> None:
    committed = Path(panosc_catalogue.__file__).with_name("load.schema.json").read_text()
    done = command("load", "--schema")
    assert json.loads(done.stdout) == json.loads(committed), (
        "write it anew: panosc-catalogue load --schema > services/catalogue/panosc_catalogue/load.schema.json"
    )


def test_a_release_that_knows_more_techniques_finds_them_in_what_was_loaded(
    database_url: str,
) -> None:
    line = {"kind": "Dataset", "pid": "d", "title": "t", "techniques": [{"pid": "t1", "name": "SAXS"}]}
    with psycopg.connect(database_url, autocommit=True) as connection:
        load(connection, [json.dumps(line).encode()], print, print)
        known = connection.execute("SELECT panet_key FROM technique").fetchall()
        connection.execute("UPDATE technique SET panet_key = NULL")
        migrate(database_url)
        assert connection.execute("SELECT panet_key FROM technique").fetchall() == known == [("PaNET01188",)]


def test_a_dataset_has_its_techniques_with_it(database_url: str) -> None:
    def line(*techniques: str, **more: Any) -> bytes:
        tags = (
            {"techniques": [{"pid": name, "name": name} for name in techniques]}
            if techniques != ("",)
            else {}
        )
        return json.dumps({"kind": "Dataset", "pid": "d", "title": "t", **tags, **more}).encode()

    kept = """
        SELECT d.technique_ids = ARRAY(SELECT technique_id FROM dataset_technique ORDER BY 1),
            ARRAY(SELECT name FROM technique WHERE id = ANY(d.technique_ids) ORDER BY 1)
        FROM dataset d
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        for lines, names in (
            ([line("SAXS", "XAS")], ["SAXS", "XAS"]),
            ([line("XAS"), line("XRF", "XRF")], ["XRF"]),
            ([line("", title="renamed")], ["XRF"]),
            ([line()], []),
            ([line("SAXS")], ["SAXS"]),
        ):
            load(connection, lines, print, print)
            assert connection.execute(kept).fetchall() == [(True, names)]


def test_writers_do_not_wait_for_a_technique_that_is_known(database_url: str) -> None:
    def line(pid: str) -> bytes:
        tags = {"techniques": [{"pid": "t1", "name": "SAXS"}], "samples": [{"pid": "s1", "name": "iron"}]}
        return json.dumps({"kind": "Dataset", "pid": pid, "title": "t", **tags}).encode()

    with psycopg.connect(database_url, autocommit=True) as one, psycopg.connect(database_url) as other:
        load(one, [line("a")], print, print)
        other.execute("SET lock_timeout = '10s'")
        with one.transaction():
            load(one, [line("b")], print, print)
            load(other, [line("c")], print, print)


def test_the_program_expects_the_newest_revision() -> None:
    scripts = Path(panosc_catalogue.__file__).with_name("migrations")
    assert ScriptDirectory(str(scripts)).get_current_head() == REVISION


def test_migrations_at_the_same_time_and_again(server: postgres.Server) -> None:
    name = server.create()
    reached: list[str] = []
    threads = [threading.Thread(target=lambda: reached.append(migrate(server.url(name)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reached == [REVISION] * 4
    with psycopg.connect(server.url(name)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(reached[0],)]
    server.drop(name)


def test_what_only_the_database_refuses_leaves_out_one_line(database_url: str) -> None:
    dataset = {"kind": "Dataset", "pid": "d", "title": "D"}
    # Longer than an index takes, and with nothing in it that compresses.
    path = "".join(f"{number:x}" for number in range(3000))
    lines = [
        dataset,
        {**dataset, "pid": "e", "files": [{"name": "f", "path": path}]},
        {**dataset, "pid": "f"},
    ]
    tally, bad = load_lines(database_url, [json.dumps(line).encode() for line in lines])
    assert tally == Tally(loaded=2, refused=1)
    assert [line.number for line in bad] == [2]
    assert "index" in bad[0].message


def test_a_wrong_policy_or_configuration_stops_the_start(database_url: str, tmp_path: Path) -> None:
    configuration = tmp_path / "catalogue.json"
    configuration.write_text('{"sources": [{"name": "Not A Name"}]}')
    with pytest.raises(ValueError, match=r"catalogue\.json: (?s:.*)sources\.0\.name"):
        load_config(configuration)
    policy = tmp_path / "policy.json"
    policy.write_text('{"embargo": {"months": -1}}')
    done = command("serve", "--policy-file", str(policy), "--database-url", database_url, "--port", "0")
    assert done.returncode == 2
    assert "policy.json" in done.stderr
    assert "embargo.months" in done.stderr
