"""The search API's data model as tables: fields, relations and the SQL behind them.

`{0}` in a piece of SQL stands for the alias of the model's row, `{1}` for the alias of the related row,
`{2}` for the alias of the table that links both. `MONTHS`, `LICENSE` and `CLOCK` are parameters that any
statement may have: the policy's embargo and licence, and the instant for which the answer holds (null: the
database's now).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

MONTHS = "%(embargo_months)s::integer"
LICENSE = "%(policy_license)s::text"
CLOCK = "coalesce(%(clock)s::timestamptz, now())"
PAST_SEALED = "%(past_sealed)s::boolean"
VIEWER = (
    "%(viewer_documents)s::bigint[], %(viewer_instruments)s::bigint[], %(viewer_everything)s::boolean, "
    "%(viewer_groups)s::text[]"
)
VISIBLE_DATASETS = f"visible_dataset({MONTHS}, {CLOCK}, {PAST_SEALED}, {VIEWER})"
"""The datasets that whoever asks may see."""
VISIBLE_DOCUMENTS = f"visible_document({MONTHS}, {VIEWER})"
"""The documents that whoever asks may see."""


class Kind(Enum):
    """How a field's values compare."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    TEXTS = "list of text"
    VALUE = "number or text"


@dataclass(frozen=True)
class Field:
    """A property of a model; `sql` is the expression that is compared, `shown` the one that is answered."""

    kind: Kind
    sql: str
    shown: str
    nullable: bool = True


@dataclass(frozen=True)
class Relation:
    """A way from one model to another: `link` is joined to the related rows, `on` ties both to the parent."""

    target: str
    on: str
    many: bool = True
    link: str = ""


@dataclass(frozen=True)
class Model:
    """A model: `rows` is the source of its public rows, `key` breaks ties of every order.

    `text` are the fields that the operator of this name looks into, `words` the source of the words by which
    rows are found and ranked; models that have one are scored. `blocks` is the source of the blocks of
    neighbours that rows have among their words, from the newest on, where so many rows are that it matters.
    """

    name: str
    rows: str
    key: str
    fields: Mapping[str, Field]
    relations: Mapping[str, Relation]
    text: tuple[str, ...]
    words: str = ""
    blocks: str = ""


def _text(column: str) -> Field:
    return Field(Kind.TEXT, f"{{0}}.{column}", f"{{0}}.{column}")


# The functions that decide what is visible lose the columns' own collation, and with it the index.
_PID = Field(Kind.TEXT, '{0}.pid COLLATE "C"', "{0}.pid")


def _number(column: str) -> Field:
    return Field(Kind.NUMBER, f"{{0}}.{column}", f"{{0}}.{column}")


def _identifier(column: str) -> Field:
    return Field(Kind.TEXT, f"{{0}}.{column}::text", f"{{0}}.{column}::text")


def _boolean(column: str) -> Field:
    return Field(Kind.BOOLEAN, f"{{0}}.{column}", f"{{0}}.{column}")


def _date(column: str) -> Field:
    shown = f"to_char({{0}}.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    return Field(Kind.DATE, f"{{0}}.{column}", shown)


def _title() -> Field:
    return replace(_text("title"), nullable=False)


def _texts(column: str) -> Field:
    return Field(Kind.TEXTS, f"{{0}}.{column}", f"{{0}}.{column}")


_LICENSE = Field(Kind.TEXT, f"coalesce({{0}}.license, {LICENSE})", f"coalesce({{0}}.license, {LICENSE})")
"""The licence of public data: the policy's where a record names none."""

SCORE = Field(Kind.NUMBER, "{0}.score", "{0}.score")
"""How well a row matches the query, in (0, 1)."""

VALUE = Field(
    Kind.VALUE,
    "{0}.text_value",
    "CASE WHEN {0}.text_value IS NOT NULL THEN to_json({0}.text_value)"
    " WHEN {0}.number_upper IS NULL THEN to_json({0}.number_value)"
    " ELSE to_json({0}.number_value::text || ' to ' || {0}.number_upper::text) END",
)
"""A parameter's value: answered as the source gave it, compared as number or as text as the operand is.
A range is answered as text, since the search API's values are numbers or texts."""

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            Model(
                "Dataset",
                VISIBLE_DATASETS,
                _PID.sql,
                {
                    "pid": _PID,
                    "title": _title(),
                    "isPublic": _boolean("is_public"),
                    "creationDate": _date("creation_date"),
                    "size": _number("size"),
                    "doi": _text("doi"),
                    "license": _LICENSE,
                    "releaseDate": _date("release_date"),
                },
                {
                    "documents": Relation(
                        "Document",
                        "{2}.dataset_id = {0}.id",
                        link="JOIN document_dataset {2} ON {2}.document_id = {1}.id",
                    ),
                    "techniques": Relation(
                        "Technique",
                        "{2}.dataset_id = {0}.id",
                        link="JOIN dataset_technique {2} ON {2}.technique_id = {1}.id",
                    ),
                    "instrument": Relation("Instrument", "{1}.id = {0}.instrument_id", many=False),
                    "files": Relation("File", "{1}.dataset_id = {0}.id"),
                    "parameters": Relation("Parameter", "{1}.dataset_id = {0}.id"),
                    "samples": Relation(
                        "Sample",
                        "{2}.dataset_id = {0}.id",
                        link="JOIN dataset_sample {2} ON {2}.sample_id = {1}.id",
                    ),
                },
                text=("title",),
                words=f"searched_dataset({PAST_SEALED})",
                blocks=f"searched_blocks({PAST_SEALED})",
            ),
            Model(
                "Document",
                VISIBLE_DOCUMENTS,
                _PID.sql,
                {
                    "pid": _PID,
                    "isPublic": _boolean("is_public"),
                    "type": _text("type"),
                    "title": _title(),
                    "summary": _text("summary"),
                    "doi": _text("doi"),
                    "startDate": _date("start_date"),
                    "endDate": _date("end_date"),
                    "releaseDate": _date("release_date"),
                    "license": _LICENSE,
                    "keywords": _texts("keywords"),
                },
                {
                    "datasets": Relation(
                        "Dataset",
                        "{2}.document_id = {0}.id",
                        link="JOIN document_dataset {2} ON {2}.dataset_id = {1}.id",
                    ),
                    "members": Relation("Member", "{1}.document_id = {0}.id"),
                    "parameters": Relation("Parameter", "{1}.document_id = {0}.id"),
                },
                text=("title", "summary"),
                words="document_search",
            ),
            Model(
                "Instrument",
                "visible_instrument",
                _PID.sql,
                {"pid": _PID, "name": _text("name"), "facility": _text("facility")},
                {"datasets": Relation("Dataset", "{1}.instrument_id = {0}.id")},
                text=("name", "facility"),
                words="instrument_search",
            ),
            Model(
                "File",
                "visible_file",
                "{0}.id",
                {
                    "id": _identifier("id"),
                    "name": _text("name"),
                    "path": _text("path"),
                    "size": _number("size"),
                },
                {"dataset": Relation("Dataset", "{1}.id = {0}.dataset_id", many=False)},
                text=("name",),
            ),
            Model(
                "Parameter",
                "parameter",
                "{0}.position, {0}.id",
                {
                    "id": _identifier("id"),
                    "name": _text("name"),
                    "value": VALUE,
                    "unit": _text("unit"),
                },
                {
                    "dataset": Relation("Dataset", "{1}.id = {0}.dataset_id", many=False),
                    "document": Relation("Document", "{1}.id = {0}.document_id", many=False),
                },
                text=("name", "value"),
            ),
            Model(
                "Sample",
                "sample",
                _PID.sql,
                {"pid": _PID, "name": _text("name"), "description": _text("description")},
                {
                    "datasets": Relation(
                        "Dataset",
                        "{2}.sample_id = {0}.id",
                        link="JOIN dataset_sample {2} ON {2}.dataset_id = {1}.id",
                    )
                },
                text=("name", "description"),
            ),
            Model(
                "Technique",
                "technique",
                _PID.sql,
                {"pid": _PID, "name": _text("name"), "panetId": _text("panet_id")},
                {
                    "datasets": Relation(
                        "Dataset",
                        "{2}.technique_id = {0}.id",
                        link="JOIN dataset_technique {2} ON {2}.dataset_id = {1}.id",
                    )
                },
                text=("name",),
            ),
            Model(
                "Member",
                f"visible_member({VIEWER})",
                "{0}.position, {0}.id",
                {"id": _identifier("id"), "role": _text("role")},
                {
                    "document": Relation("Document", "{1}.id = {0}.document_id", many=False),
                    "person": Relation("Person", "{1}.id = {0}.person_id", many=False),
                    "affiliation": Relation("Affiliation", "{1}.id = {0}.affiliation_id", many=False),
                },
                text=("role",),
            ),
            Model(
                "Person",
                "person",
                "{0}.id",
                {
                    "id": _identifier("id"),
                    "fullName": _text("full_name"),
                    "orcid": _text("orcid"),
                    "researcherId": _text("researcher_id"),
                    "firstName": _text("first_name"),
                    "lastName": _text("last_name"),
                },
                {"members": Relation("Member", "{1}.person_id = {0}.id")},
                text=("fullName",),
            ),
            Model(
                "Affiliation",
                "affiliation",
                "{0}.id",
                {
                    "id": _identifier("id"),
                    "name": _text("name"),
                    "address": _text("address"),
                    "city": _text("city"),
                    "country": _text("country"),
                },
                {"members": Relation("Member", "{1}.affiliation_id = {0}.id")},
                text=("name", "city", "country"),
            ),
        )
    }
)
