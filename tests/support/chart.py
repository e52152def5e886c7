"""The operator's chart as Helm renders it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml
from panosc_dev import toolchain

CHART = Path(__file__).resolve().parents[2] / "charts/panosc-operator"
VALUES: dict[str, Any] = {
    "baseDomain": "panosc.localhost",
    "images": {
        name: f"panosc.local/{name}:1"
        for name in ("operator", "catalogue", "archive", "postgres", "keycloak")
    },
}
"""The least that has to be given."""


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm, with values if there are any; the caller looks at return code and outputs."""
    program = os.environ.get("PANOSC_HELM_BINARY") or str(toolchain.binary("helm"))
    return subprocess.run(
        [program, *arguments, *([] if values is None else ["--values", "-"])],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
    )


def render(values: dict[str, Any], namespace: str = "panosc-system") -> list[dict[str, Any]]:
    """All objects of a release called panosc-operator."""
    release = ("template", "panosc-operator", str(CHART), "--namespace", namespace)
    done = helm(*release, values=VALUES | values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]


def without_definitions(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects but for the CustomResourceDefinitions, which are compared elsewhere."""
    return [document for document in objects if document["kind"] != "CustomResourceDefinition"]
