"""Pruning deletes only what was made for exactly this owner and holds nothing to be kept."""

from typing import Any

import pytest
from panosc_operator.api import Catalogue
from panosc_operator.engine.prune import prunable
from panosc_operator.engine.resources import Key, Object

OWNER = Catalogue.model_validate(
    {"metadata": {"name": "catalogue", "namespace": "ns", "uid": "mine"}, "spec": {}}
)


def child(**metadata: Any) -> Object:
    common = {"name": "a", "namespace": "ns", "ownerReferences": [{"uid": "mine"}]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**common, **metadata}}


@pytest.mark.parametrize(
    ("obj", "goes"),
    [
        pytest.param(child(), True, id="not wanted any more"),
        pytest.param(child(name="wanted"), False, id="wanted"),
        pytest.param(child(annotations={"panosc.eu/retain": "true"}), False, id="holds data"),
        pytest.param(
            child(ownerReferences=[{"uid": "former"}]), False, id="made for a former owner of the name"
        ),
        pytest.param(child(ownerReferences=[]), False, id="only its labels say it is ours"),
        pytest.param(child(deletionTimestamp="now"), False, id="going already"),
    ],
)
def test_prunable(obj: Object, goes: bool) -> None:
    wanted = {Key("", "ConfigMap", "ns", "wanted")}
    assert bool(prunable([obj], wanted, OWNER)) is goes
