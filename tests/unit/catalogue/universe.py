"""Random catalogues: as records to load, and as rows for the oracle."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from panosc_common.panet import IRI, LATEST, ontology
from panosc_common.policy import DataPolicy, release_instant
from unit.catalogue.oracle import Row

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
POLICY = DataPolicy()
PANET = ontology(LATEST)
WORDS = ["Iron", "iron oxide", "Åland", "silica_50%", "X-ray", "neutron"]
NAMES = ["photon_energy", "temperature", "state", "pressure"]
UNITS = [None, "K", "degC", "eV", "keV"]
VALUES: list[Any] = [1, 2.5, -3, 1000, "solid", "Liquid", "2.5", "", None]


def make(seed: int) -> list[dict[str, Any]]:
    """Records of some instruments and documents with their datasets, public ones and others."""
    pick = random.Random(seed)
    instruments = [
        {"pid": f"i{n}", "name": pick.choice(WORDS), "facility": pick.choice(["ESRF", "ILL"])}
        for n in range(4)
    ]
    techniques = [
        {"pid": f"t{n}", "name": pick.choice(WORDS), "panetId": pick.choice([None, f"P{n}"])}
        for n in range(3)
    ] + [
        {
            "pid": f"{IRI}{name}",
            "name": PANET.terms[name].label,
            "panetId": pick.choice([None, f"{IRI}{name}"]),
        }
        for name in ("PaNET01188", "PaNET01189", "PaNET01162", "PaNET01200")
    ]
    samples = [
        {"pid": f"s{n}", "name": pick.choice(WORDS), "description": pick.choice([None, *WORDS])}
        for n in range(5)
    ]
    people = [
        {"id": f"p{n}", "fullName": f"Person {n}", "orcid": None, "firstName": pick.choice([None, "Ada"])}
        for n in range(4)
    ]
    places = [
        {"id": f"a{n}", "name": f"Institute {n}", "city": pick.choice([None, "Paris"])} for n in range(2)
    ]

    def parameters() -> list[dict[str, Any]]:
        return [
            {"name": pick.choice(NAMES), "value": pick.choice(VALUES), "unit": pick.choice(UNITS)}
            for _ in range(pick.randrange(4))
        ]

    def moment() -> str | None:
        return pick.choice([None, (NOW - timedelta(days=pick.randrange(2000))).isoformat()])

    records: list[dict[str, Any]] = [{"kind": "Instrument", **instrument} for instrument in instruments]
    number = 0
    for d in range(8):
        datasets = []
        for _ in range(pick.randrange(8)):
            number += 1
            datasets.append(
                {
                    "pid": f"20.500/{number}",
                    "title": pick.choice(WORDS),
                    "isPublic": pick.random() < 0.6,
                    "creationDate": moment(),
                    "size": pick.choice([None, 0, 10, 2**40]),
                    "doi": pick.choice([None, f"10.5072/{d}"]),
                    "license": pick.choice([None, "CC0-1.0"]),
                    "instrument": pick.choice([None, *instruments]),
                    "techniques": pick.sample(techniques, pick.randrange(3)),
                    "samples": pick.sample(samples, pick.randrange(3)),
                    "parameters": parameters(),
                    "files": [
                        {
                            "name": pick.choice(WORDS),
                            "path": f"/{number}/{f}",
                            "size": pick.choice([None, 5, 7]),
                        }
                        for f in range(pick.randrange(3))
                    ],
                }
            )
        members = [
            {
                "role": role,
                "person": pick.choice([None, *people]),
                "affiliation": pick.choice([None, *places]),
            }
            for role in pick.sample(["principal investigator", "owner", "local contact"], pick.randrange(3))
        ]
        records.append(
            {
                "kind": "Document",
                "pid": f"10.5072/{d}",
                "type": pick.choice(["proposal", "publication"]),
                "title": pick.choice(WORDS),
                "summary": pick.choice([None, *WORDS]),
                "doi": pick.choice([None, f"10.5072/{d}"]),
                "startDate": moment(),
                "endDate": moment(),
                "releaseDate": pick.choice([None, "", moment()]),
                "license": pick.choice([None, "CC-BY-SA-4.0"]),
                "keywords": pick.sample(WORDS, pick.randrange(3)),
                "members": members,
                "parameters": parameters(),
                "datasets": datasets,
            }
        )
    return records


def rows(records: list[dict[str, Any]]) -> dict[str, list[Row]]:
    """What the public sees at NOW, by model, related to each other."""
    found: dict[str, dict[Any, Row]] = {name: {} for name in ("Dataset", "Document", "Instrument")}
    others: dict[tuple[str, str], Row] = {}

    def thing(model: str, record: dict[str, Any], names: list[str], relation: str, owner: Row) -> Row:
        row = others.setdefault(
            (model, record["pid"]), Row(model, record["pid"], {name: record.get(name) for name in names})
        )
        row.relations.setdefault(relation, []).append(owner)
        return row

    for record in records:
        if record["kind"] == "Instrument":
            fields = {name: record[name] for name in ("pid", "name", "facility")}
            found["Instrument"][record["pid"]] = Row("Instrument", record["pid"], fields, {"datasets": []})
    for record in records:
        if record["kind"] == "Document":
            _document(found, thing, record)
    return {name: list(rows.values()) for name, rows in found.items()}


def _document(found: dict[str, dict[Any, Row]], thing: Any, record: dict[str, Any]) -> None:
    explicit, end = _instant(record["releaseDate"]), _instant(record["endDate"])
    release = explicit or (release_instant(end, POLICY) if end else None)
    document = Row(
        "Document",
        record["pid"],
        {
            "pid": record["pid"],
            "isPublic": True,
            **{name: record[name] for name in ("type", "title", "summary", "doi")},
            "startDate": _date(record["startDate"]),
            "endDate": _date(record["endDate"]),
            "releaseDate": _date(release.isoformat() if release else None),
            "license": record["license"] or POLICY.license,
            "keywords": record["keywords"],
        },
        {"datasets": [], "parameters": _parameters(record["parameters"]), "members": []},
    )
    for position, member in enumerate(record["members"]):
        names = {"person": ["fullName", "orcid", "researcherId", "firstName", "lastName"]}
        names["affiliation"] = ["name", "address", "city", "country"]
        related = {
            relation: [Row(relation, 0, {name: member[relation].get(name) for name in keys})]
            if member[relation]
            else []
            for relation, keys in names.items()
        }
        document.relations["members"].append(Row("Member", position, {"role": member["role"]}, related))
    found["Document"][document.key] = document
    for item in record["datasets"]:
        created = _instant(item["creationDate"])
        base = end or created
        public = explicit or (release_instant(base, POLICY) if base else None)
        if not item["isPublic"] and (public is None or public > NOW):
            continue
        sizes = [file["size"] for file in item["files"] if file["size"] is not None]
        fields = {
            "pid": item["pid"],
            "title": item["title"],
            "isPublic": True,
            "creationDate": _date(item["creationDate"]),
            "size": item["size"] if item["size"] is not None else sum(sizes) if sizes else None,
            "doi": item["doi"],
            "license": item["license"] or record["license"] or POLICY.license,
            "releaseDate": _date(public.isoformat() if public else None),
        }
        dataset = Row("Dataset", item["pid"], fields)
        instrument = [found["Instrument"][item["instrument"]["pid"]]] if item["instrument"] else []
        dataset.relations = {
            "documents": [document],
            "instrument": instrument,
            "parameters": _parameters(item["parameters"]),
            "files": [
                Row("File", n, {key: file[key] for key in ("name", "path", "size")}, {"dataset": [dataset]})
                for n, file in enumerate(item["files"])
            ],
            "techniques": [
                thing("Technique", t, ["pid", "name", "panetId"], "datasets", dataset)
                for t in item["techniques"]
            ],
            "samples": [
                thing("Sample", s, ["pid", "name", "description"], "datasets", dataset)
                for s in item["samples"]
            ],
        }
        document.relations["datasets"].append(dataset)
        for row in instrument:
            row.relations["datasets"].append(dataset)
        found["Dataset"][dataset.key] = dataset


def _parameters(records: list[dict[str, Any]]) -> list[Row]:
    return [
        Row("Parameter", n, {key: p[key] for key in ("name", "value", "unit")}) for n, p in enumerate(records)
    ]


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _date(text: str | None) -> str | None:
    """As the search API writes dates."""
    if not text:
        return None
    return (
        datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
