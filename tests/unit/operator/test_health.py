"""The rules of kstatus, object by object."""

from pathlib import Path

import pytest
import yaml
from panosc_operator.engine.health import State, assess

CASES = yaml.safe_load(Path(__file__).with_name("health.yaml").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_assess(case: dict[str, object]) -> None:
    health = assess(case.get("object"))  # type: ignore[arg-type]
    assert health.state is State(str(case["state"]))
    assert str(case.get("message", "")) in health.message
    assert health.current == (health.message == "")
