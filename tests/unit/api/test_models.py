"""The models as the operator uses them: what the API server stored becomes Python and back."""

import re
from typing import Any

import pytest
import yaml
from panosc_operator.api import KINDS, Catalogue, DataArchive, Facility, Federation, Resource
from panosc_operator.engine.reconciler import AVAILABLE, DELETING, SUSPENDED
from panosc_operator.generate.crd import object_schema
from panosc_operator.generate.reference import example
from pydantic import BaseModel, ValidationError


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_an_example_survives_the_way_to_python_and_back(kind: type[Resource]) -> None:
    written = yaml.safe_load(example(kind))
    read = kind.model_validate(written)
    assert kind.model_validate(read.model_dump(by_alias=True, mode="json")) == read
    assert read.metadata.name == written["metadata"]["name"]


def test_what_the_api_server_adds_to_metadata_is_no_error() -> None:
    metadata = {"name": "esrf", "managedFields": [{"manager": "kubectl"}], "selfLink": "/x"}
    assert (
        Facility.model_validate({"metadata": metadata, "spec": {"displayName": "ESRF"}}).metadata.name
        == "esrf"
    )


def test_a_field_that_nobody_knows_is_an_error_in_the_spec_only() -> None:
    with pytest.raises(ValidationError, match="fixity"):
        Catalogue.model_validate({"metadata": {"name": "a"}, "spec": {"fixity": {}}})
    newer = {"metadata": {"name": "a"}, "status": {"madeBy": "a newer operator", "datasets": 3}}
    assert Catalogue.model_validate(newer).status.datasets == 3


@pytest.mark.parametrize(
    ("aai", "field"),
    [
        ({"client": {"id": "panosc", "credentialsSecret": "login"}}, "issuer"),
        ({"issuer": "https://login.eu", "client": {"id": "panosc"}}, "client.credentialsSecret"),
        ({"issuer": "https://login.eu", "client": {"id": "panosc", "secret": "hidden"}}, "client.secret"),
    ],
)
def test_a_client_has_an_issuer_and_its_secret_in_a_secret(aai: dict[str, Any], field: str) -> None:
    aai = {"audience": "esrf", "entitlementNamespace": "geant:esrf.eu", **aai}
    with pytest.raises(ValidationError) as refused:
        Facility.model_validate({"metadata": {"name": "esrf"}, "spec": {"displayName": "E", "aai": aai}})
    assert ".".join(("spec.aai", field)) in {".".join(map(str, one["loc"])) for one in refused.value.errors()}


@pytest.mark.parametrize("database", [{}, {"managed": {}, "external": {"secret": "accounts"}}])
def test_without_a_choice_of_the_database_the_spec_is_invalid(database: dict[str, Any]) -> None:
    """Not a wish to have none, by which the one that is there would be taken down."""
    spec = {"displayName": "P", "identifierScope": "x.eu", "entitlementNamespace": "geant:x.eu"}
    for kind, given in ((Federation, spec), (Catalogue, {})):
        with pytest.raises(ValidationError, match="set exactly one of: managed, external"):
            kind.model_validate({"metadata": {"name": "x"}, "spec": {**given, "database": database}})


def test_a_number_is_a_quantity_too() -> None:
    spec = {"displayName": "ESRF", "quota": {"cpu": 64, "memory": "1Ti"}}
    quota = Facility.model_validate({"metadata": {"name": "esrf"}, "spec": spec}).spec.quota
    assert (quota.cpu, quota.memory) == ("64", "1Ti")


def test_a_status_without_news_writes_no_zeros() -> None:
    status = DataArchive.model_validate(yaml.safe_load(example(DataArchive))).status
    assert status.model_dump(by_alias=True, exclude_none=True) == {"observedGeneration": 0, "conditions": []}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_python_and_the_api_server_have_the_same_defaults(kind: type[Resource]) -> None:
    """The API server writes defaults from the schema; Python has them in the model."""

    def defaulted(schema: dict[str, Any]) -> Any:
        fields = schema.get("properties", {})
        if "default" in schema and not fields:
            return schema["default"]
        if not fields or schema.get("type") != "object":
            return None
        known = {name: defaulted(child) for name, child in fields.items() if "default" in child}
        return known | {k: v for k, v in schema.get("default", {}).items() if k not in known}

    spec = object_schema(kind)["properties"]["spec"]
    example_spec = yaml.safe_load(example(kind))["spec"]
    least = {name: example_spec[name] for name in spec.get("required", [])}
    model: BaseModel = kind.model_validate({"metadata": {"name": "a"}, "spec": least}).spec  # type: ignore[attr-defined]
    dumped = model.model_dump(by_alias=True, exclude_none=True, mode="json")
    for name, value in defaulted(spec).items():
        assert dumped[name] == value or (value == {} and not any(dumped[name].values())), name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_reasons_and_conditions_are_words_with_a_sentence(kind: type[Resource]) -> None:
    described = [*kind.info.reasons, *kind.info.condition_types]
    for member in described:
        assert re.fullmatch(r"([A-Z][a-z]+)+", member.value)
        assert re.fullmatch(r"[A-Z`].*\.", member.description)
    assert len({member.description for member in described}) == len(described)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_everything_a_user_may_write_has_a_bound(kind: type[Resource]) -> None:
    """CEL's cost is estimated from the bounds, and an object must fit into etcd."""

    def unbounded(schema: dict[str, Any], path: str) -> list[str]:
        found = []
        if schema.get("type") == "string" and "enum" not in schema and "maxLength" not in schema:
            found.append(path)
        if schema.get("type") == "array" and "maxItems" not in schema:
            found.append(path)
        if schema.get("type") == "integer" and "maximum" not in schema:
            found.append(path)
        for name, child in schema.get("properties", {}).items():
            found += unbounded(child, f"{path}.{name}")
        return found + (unbounded(schema["items"], f"{path}[]") if "items" in schema else [])

    assert unbounded(object_schema(kind)["properties"]["spec"], "spec") == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_reasons_that_the_engine_gives_to_every_kind_are_documented(kind: type[Resource]) -> None:
    assert {AVAILABLE, SUSPENDED, DELETING} <= {str(reason) for reason in kind.info.reasons}
