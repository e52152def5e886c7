"""The protocol: every answer valid, every wrong request answered with the right error."""

from typing import Any

import pytest
from unit.catalogue.oai.harvester import OAI, Catalogue

BASE = "https://catalogue.example.org/oai"
OPEN = {
    "pid": "10.5072/open",
    "title": "Iron & steel <1>",
    "type": "proposal",
    "summary": "Pasted from a form\x0c with a form feed",
    "endDate": "2020-02-29T15:00:00Z",
    "members": [
        {
            "role": "principal investigator",
            "person": {
                "fullName": "Ada Lovelace",
                "firstName": "Ada",
                "lastName": "Lovelace",
                "orcid": "0000-0002-1825-0097",
            },
            "affiliation": {"id": "https://ror.org/02550n020", "name": "Institute"},
        },
        {"role": "local_contact", "person": {"fullName": "Charles Babbage"}},
    ],
    "datasets": [
        {
            "pid": "20.500/a b/ä",
            "title": "Run",
            "creationDate": "2020-02-29T12:00:00Z",
            "instrument": {"pid": "demo/ID 21", "name": "ID21", "facility": "Demo"},
            "techniques": [
                {
                    "pid": "http://purl.org/pan-science/PaNET/PaNET01012",
                    "name": "x-ray probe",
                    "panetId": "http://purl.org/pan-science/PaNET/PaNET01012",
                }
            ],
            "samples": [{"pid": "s", "name": "iron"}],
            "files": [{"name": "run.nxs", "size": 7}],
        }
    ],
}
EMBARGOED = {"pid": "10.5072/new", "title": "Later", "endDate": "2099-01-01T00:00:00Z"}
DATASET = "datasets/20.500/a%20b/%C3%A4"


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    catalogue.write(**OPEN)
    catalogue.write(**EMBARGOED)
    catalogue.write(pid="10.5072/gone", title="Gone", endDate="2020-01-01T00:00:00Z")
    catalogue.stamps()
    catalogue.connection.execute("UPDATE document SET deleted_at = now() WHERE pid = '10.5072/gone'")
    return catalogue


@pytest.mark.parametrize("prefix", ["oai_dc", "oai_datacite", "datacite"])
def test_every_kind_of_answer_is_valid(filled: Catalogue, prefix: str) -> None:
    identifier = f"oai:catalogue.example.org:{DATASET}"
    queries = [
        "verb=Identify",
        "verb=ListSets",
        "verb=ListMetadataFormats",
        f"verb=ListMetadataFormats&identifier={identifier.replace('%', '%25')}",
        f"verb=ListIdentifiers&metadataPrefix={prefix}",
        f"verb=ListRecords&metadataPrefix={prefix}",
        f"verb=GetRecord&metadataPrefix={prefix}&identifier={identifier.replace('%', '%25')}",
    ]
    for query in queries:
        root = filled.ask(query)
        verb = query.split("&")[0].removeprefix("verb=")
        request = root.find(f"{OAI}request")
        assert request is not None
        assert request.text == BASE
        assert request.get("verb") == verb
        assert root.find(f"{OAI}{verb}") is not None
    listed = filled.ask(f"verb=ListRecords&metadataPrefix={prefix}")
    assert len(list(listed.iter(f"{OAI}record"))) == 4
    assert len(list(listed.iter(f"{OAI}metadata"))) == 3
    assert listed.find(f".//{OAI}resumptionToken") is None


def test_identify(filled: Catalogue) -> None:
    identify = filled.ask("verb=Identify").find(f"{OAI}Identify")
    assert identify is not None
    told = {str(child.tag).removeprefix(OAI): child.text for child in identify}
    assert told["repositoryName"] == "Demo Light Source"
    assert told["baseURL"] == BASE
    assert told["adminEmail"] == "data@example.org"
    assert told["deletedRecord"] == "persistent"
    assert told["granularity"] == "YYYY-MM-DDThh:mm:ssZ"
    assert told["earliestDatestamp"] == min(
        stamp.removeprefix("deleted ") for stamp in filled.stamps().values()
    )
    assert "catalogue.example.org" in list(identify.itertext())


WRONG = {
    "": "badVerb",
    "verb=": "badVerb",
    "verb=Junk": "badVerb",
    "verb=identify": "badVerb",
    "verb=Identify&verb=Identify": "badVerb",
    "verb=Identify&metadataPrefix=oai_dc": "badArgument",
    "verb=ListSets&set=x": "badArgument",
    "verb=ListSets&resumptionToken=x": "badResumptionToken",
    "verb=GetRecord": "badArgument",
    "verb=GetRecord&metadataPrefix=oai_dc": "badArgument",
    "verb=GetRecord&identifier=x": "badArgument",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=x&identifier=x": "badArgument",
    'verb=GetRecord&metadataPrefix=oai_dc&identifier=invalid"id': "idDoesNotExist",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:other.example.org:documents/10.5072/open": (
        "idDoesNotExist"
    ),
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:catalogue.example.org:documents/none": (
        "idDoesNotExist"
    ),
    "verb=GetRecord&metadataPrefix=junk&identifier=oai:catalogue.example.org:documents/10.5072/open": (
        "cannotDisseminateFormat"
    ),
    "verb=ListMetadataFormats&identifier=oai:catalogue.example.org:x": "idDoesNotExist",
    "verb=ListIdentifiers": "badArgument",
    "verb=ListRecords": "badArgument",
    "verb=ListRecords&metadataPrefix=junk%20junk": "badArgument",
    "verb=ListRecords&metadataPrefix=junk": "cannotDisseminateFormat",
    "verb=ListRecords&metadataPrefix=oai_dc&from=junk": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&until=junk": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-02-30": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-01-01T00:00Z": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-01-01T00:00:00%2B01:00": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=0000-01-01": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2002-01-01&until=2001-01-01": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-01-01&until=2002-01-01T00:00:00Z": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&until=2001-01-01": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&from=2999-01-01": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&set=junk": "noRecordsMatch",
    "verb=ListRecords&metadataPrefix=oai_dc&set=a%20b": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&set=": "badArgument",
    "verb=ListRecords&metadataPrefix=oai_dc&page=2": "badArgument",
    "verb=ListRecords&resumptionToken=junktoken": "badResumptionToken",
    "verb=ListRecords&resumptionToken=": "badResumptionToken",
    "verb=ListRecords&resumptionToken=junktoken&metadataPrefix=oai_dc": "badArgument",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=%FF": "badArgument",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=%00": "badArgument",
    "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:catalogue.example.org:documents/%2500": (
        "idDoesNotExist"
    ),
    "verb=ListRecords&metadataPrefix=oai_dc&from=2001-01-01'%20OR%201=1--": "badArgument",
    "&".join(["verb=Identify"] * 40): "badArgument",
}


def test_wrong_requests(filled: Catalogue) -> None:
    found = {query: filled.error(query) for query in WRONG}
    assert found == WRONG


def test_an_error_repeats_only_arguments_that_are_ones(filled: Catalogue) -> None:
    def repeated(query: str) -> dict[Any, Any]:
        request = filled.ask(query).find(f"{OAI}request")
        assert request is not None
        return dict(request.attrib)

    assert repeated("verb=Junk") == {}
    assert repeated("verb=ListRecords&metadataPrefix=oai_dc&from=junk") == {}
    assert repeated("verb=ListRecords&metadataPrefix=junk") == {
        "verb": "ListRecords",
        "metadataPrefix": "junk",
    }


def test_post_answers_as_get_does(filled: Catalogue) -> None:
    form = {
        "verb": "GetRecord",
        "metadataPrefix": "oai_dc",
        "identifier": f"oai:catalogue.example.org:{DATASET}",
    }
    posted = filled.client.post("/oai", data=form)
    got = filled.client.get("/oai", params=form)
    assert posted.status_code == got.status_code == 200
    assert b"Run" in posted.content
    stamp = b"<responseDate>"
    assert posted.content.split(stamp)[1][20:] == got.content.split(stamp)[1][20:]


def test_posts_that_are_no_forms(filled: Catalogue) -> None:
    assert filled.client.post("/oai", content=b'{"verb": "Identify"}').status_code == 415
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    latin = filled.client.post("/oai", content="verb=Identify&x=ä".encode("latin-1"), headers=headers)
    assert b'code="badArgument"' in latin.content
    huge = b"verb=Identify&" + b"x" * 70_000
    assert filled.client.post("/oai", content=huge, headers=headers).status_code == 413
    assert filled.client.put("/oai").status_code == 405


def test_a_window_has_both_its_ends(filled: Catalogue) -> None:
    stamps = filled.stamps()
    stamp = stamps[DATASET]
    assert DATASET in filled.stamps(from_=stamp, until=stamp)
    day = stamp[:10]
    assert filled.stamps(from_=day, until=day) == stamps
    assert filled.stamps(until="9999-12-31") == stamps


def test_sets(filled: Catalogue) -> None:
    names = {
        entry.findtext(f"{OAI}setSpec"): entry.findtext(f"{OAI}setName")
        for entry in filled.ask("verb=ListSets").iter(f"{OAI}set")
    }
    assert names["instrument:demo-id-21"] == "ID21"
    assert names["technique:PaNET01012"] == "x-ray probe"
    assert names["technique:PaNET00002"] == "defined by experimental probe"
    both = {DATASET, "documents/10.5072/open"}
    assert set(filled.stamps(set="instrument:demo-id-21")) == both
    assert set(filled.stamps(set="technique:PaNET01012")) == both
    assert set(filled.stamps(set="technique:PaNET00002")) == both
    assert set(filled.stamps(set="technique")) == both
    assert set(filled.stamps(set="datasets")) == {DATASET}
    assert set(filled.stamps(set="documents")) == {
        "documents/10.5072/open",
        "documents/10.5072/new",
        "documents/10.5072/gone",
    }
    assert len(filled.stamps(set="openaire_data")) == 4
    for name in names:
        page = filled.ask(f"verb=ListIdentifiers&metadataPrefix=oai_dc&set={name}")
        for header in page.iter(f"{OAI}header"):
            assert name in [spec.text for spec in header.iter(f"{OAI}setSpec")]


def test_a_set_has_no_name_that_only_hidden_data_give(catalogue: Catalogue) -> None:
    def technique(pid: str, name: str) -> dict[str, str]:
        return {"pid": pid, "name": name, "panetId": "PaNET09999"}  # in no release

    known = {"pid": "known", "title": "Known", "techniques": [technique("b", "new method")], "isPublic": True}
    secret = {"pid": "secret", "title": "Secret", "techniques": [technique("a", "ACME's own method")]}
    catalogue.write(pid="doc", title="Document", endDate="2099-01-01T00:00:00Z", datasets=[known, secret])
    names = {
        entry.findtext(f"{OAI}setSpec"): entry.findtext(f"{OAI}setName")
        for entry in catalogue.ask("verb=ListSets").iter(f"{OAI}set")
    }
    assert names["technique:PaNET09999"] == "PaNET09999"


def test_a_document_and_a_dataset_with_one_pid_are_two_records(catalogue: Catalogue) -> None:
    dataset = {"pid": "same", "title": "Dataset", "isPublic": True}
    catalogue.write(pid="same", title="Document", datasets=[dataset])
    assert set(catalogue.stamps()) == {"datasets/same", "documents/same"}
    assert "Dataset" in list(catalogue.record("datasets/same", "oai_dc").itertext())
    assert "Document" in list(catalogue.record("documents/same", "oai_dc").itertext())


def test_embargo_in_the_words_of_openaire_and_coar(filled: Catalogue) -> None:
    dublin = list(filled.record("documents/10.5072/new", "oai_dc").itertext())
    assert "info:eu-repo/semantics/embargoedAccess" in dublin
    assert "info:eu-repo/date/embargoEnd/2102-01-01" in dublin
    kernel = filled.record("documents/10.5072/new", "oai_datacite")
    namespace = "{http://datacite.org/schema/kernel-4}"
    dates = {date.get("dateType"): date.text for date in kernel.iter(f"{namespace}date")}
    assert dates["Accepted"] == "2099-01-01T00:00:00Z"
    assert dates["Available"] == "2102-01-01T00:00:00Z"
    rights = {entry.get("rightsURI") for entry in kernel.iter(f"{namespace}rights")}
    assert "info:eu-repo/semantics/embargoedAccess" in rights
    assert "http://purl.org/coar/access_right/c_f1cf" in rights
    assert "http://purl.org/coar/access_right/c_abf2" in list(
        filled.record("documents/10.5072/open", "oai_dc").itertext()
    )


def test_an_instrument_has_a_set_whatever_it_is_called(catalogue: Catalogue) -> None:
    names = {"束線", "光", "Ångström", "-"}
    for pid in names:
        instrument = {"pid": pid, "name": pid, "facility": "F"}
        dataset = {"pid": pid, "title": "Run", "isPublic": True, "instrument": instrument}
        catalogue.write(pid=pid, title="Proposal", datasets=[dataset])
    catalogue.stamps()
    sets = {
        one.findtext(f"{OAI}setName", ""): one.findtext(f"{OAI}setSpec", "")
        for one in catalogue.ask("verb=ListSets").iter(f"{OAI}set")
    }
    for pid in names:
        assert len(catalogue.stamps(set=sets[pid])) == 2
    assert len({sets[pid] for pid in names}) == len(names)
