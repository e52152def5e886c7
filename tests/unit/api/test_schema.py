"""From a pydantic model to a structural schema."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from panosc_common.model import Document
from panosc_operator.api.cel import ListMap, ListSet, Remedy, Rule, exactly_one_of, rules
from panosc_operator.api.meta import Quantity
from panosc_operator.generate.schema import UnsupportedSchema, structural_schema
from pydantic import Field, StringConstraints


class Inner(Document):
    """Inside."""

    model_config = rules(exactly_one_of("one", "two"))

    one: int | None = None
    """First."""

    two: int | None = None
    """Second."""


def schema_of(annotation: object, **field: Any) -> dict[str, Any]:
    """Schema of a field with this type."""
    namespace = {"__annotations__": {"field": annotation}, "__module__": __name__}
    model = type("Model", (Document,), namespace | ({"field": Field(**field)} if field else {}))
    schema = structural_schema(model)
    assert schema["type"] == "object"
    found: dict[str, Any] = schema["properties"]["field"]
    return found


def test_an_optional_field_is_its_type_without_null_or_default() -> None:
    assert schema_of(int | None, default=None) == {"type": "integer"}


def test_a_model_is_written_in_place_with_the_fields_own_description() -> None:
    schema = schema_of(Inner | None, default=None, description="Outside.")
    assert schema["description"] == "Outside."
    assert schema["properties"]["one"] == {"description": "First.", "type": "integer"}
    assert "required" not in schema


def test_a_description_is_one_line() -> None:
    """Rows of a Markdown table are."""
    assert schema_of(int, description="Of two\nlines.")["description"] == "Of two lines."


def test_a_rule_on_a_use_of_a_model_comes_after_the_models_own_and_stays_there() -> None:
    own, added = schema_of(Annotated[Inner, Rule("self.one > 1", "too small")])["x-kubernetes-validations"]
    assert own["message"] == "set exactly one of: one, two"
    assert added == {"rule": "self.one > 1", "message": "too small"}
    assert schema_of(Inner)["x-kubernetes-validations"] == [own]


def test_a_literal_is_an_enumeration_even_if_it_has_one_value() -> None:
    assert schema_of(Literal["only"]) == {"type": "string", "enum": ["only"]}
    assert schema_of(Literal["a", "b"]) == {"type": "string", "enum": ["a", "b"]}


def test_a_pattern_becomes_a_rule_whose_message_has_value_and_remedy() -> None:
    text = Annotated[str, StringConstraints(pattern=r"^\d'$", max_length=9), Remedy("a digit and '")]
    assert schema_of(text) == {
        "type": "string",
        "maxLength": 9,
        "x-kubernetes-validations": [
            {
                "rule": r"self.matches('^\\d\'$')",
                "message": "write a digit and '",
                "messageExpression": r"'\'' + self + '\' is not valid: write a digit and \''",
            }
        ],
    }


def test_lists_say_how_they_are_merged() -> None:
    assert schema_of(Annotated[list[str], ListSet(), Field(max_length=3)]) == {
        "type": "array",
        "maxItems": 3,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string"},
    }
    schema = schema_of(Annotated[list[Inner], ListMap(("one",))])
    assert (schema["x-kubernetes-list-type"], schema["x-kubernetes-list-map-keys"]) == ("map", ["one"])


def test_a_quantity_is_a_number_or_a_string() -> None:
    schema = schema_of(Quantity)
    assert schema["x-kubernetes-int-or-string"] is True
    assert "type" not in schema


def test_a_default_made_by_a_factory_is_complete_but_for_what_is_unset() -> None:
    assert schema_of(Inner, default_factory=lambda: Inner(one=1))["default"] == {"one": 1}
    assert "default" not in schema_of(list[str], default_factory=list)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (int | str, "Model.field: a union of types"),
        (dict[str, str], "Model.field: a map"),
        (set[str], "Model.field: uniqueItems can't be expressed"),
        (tuple[int, str], "Model.field: prefixItems can't be expressed"),
        (Annotated[float, Field(gt=0)], "Model.field: exclusiveMinimum can't be expressed"),
    ],
)
def test_what_the_api_server_would_distort_is_refused(annotation: object, message: str) -> None:
    with pytest.raises(UnsupportedSchema, match=message.replace(".", r"\.")):
        schema_of(annotation)


def test_a_duration_is_refused_as_go_reads_it_differently() -> None:
    with pytest.raises(UnsupportedSchema, match="format duration"):
        schema_of(timedelta)
