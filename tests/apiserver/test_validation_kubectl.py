"""The kinds as a person with kubectl meets them."""

import json
from collections.abc import Iterator

import pytest
from panosc_operator.api import KINDS
from panosc_operator.api.meta import Resource
from support.apiserver import ApiServer, Object


@pytest.fixture
def ready_archive(api: ApiServer, namespace: str) -> str:
    """Namespace with a DataArchive whose status says that it is ready."""
    api.apply(
        f"""
        apiVersion: panosc.eu/v1alpha1
        kind: DataArchive
        metadata: {{name: archive, namespace: {namespace}}}
        spec: {{storage: {{existingClaim: data}}}}
        """
    )
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Available",
        "message": "The archive serves its files.",
        "lastTransitionTime": "2026-11-24T12:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [condition],
        "observedGeneration": 1,
        "url": "http://archive.esrf.localhost",
        "files": 1234,
        "capacity": "10Gi",
        "fixity": {"damaged": 0},
    }
    api.patch("DataArchive", "archive", {"status": status}, namespace, "status")
    return namespace


def _columns(table: str) -> list[dict[str, str]]:
    """Rows of kubectl's table by column; an empty cell would be ambiguous, so the tests have none."""
    header, *rows = (line.split() for line in table.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_get_panosc_lists_every_kind_with_readiness_and_address(api: ApiServer, ready_archive: str) -> None:
    done = api.kubectl("get", "panosc", "--namespace", ready_archive)
    assert done.returncode == 0, done.stderr
    (row,) = (row for row in _columns(done.stdout) if row["NAME"].startswith("dataarchive"))
    assert row.pop("AGE")
    assert row == {
        "NAME": "dataarchive.panosc.eu/archive",
        "READY": "True",
        "REASON": "Available",
        "URL": "http://archive.esrf.localhost",
        "FILES": "1234",
    }


def test_get_wide_shows_more(api: ApiServer, ready_archive: str) -> None:
    done = api.kubectl("get", "da", "--namespace", ready_archive, "--output", "wide")
    (row,) = _columns(done.stdout)
    assert (row["DAMAGED"], row["CAPACITY"]) == ("0", "10Gi")


def test_wait_for_ready(api: ApiServer, ready_archive: str) -> None:
    done = api.kubectl("wait", "--for=condition=Ready", "da/archive", "-n", ready_archive, "--timeout=5s")
    assert done.stdout.strip() == "dataarchive.panosc.eu/archive condition met"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_the_category_has_every_kind(api: ApiServer, kind: type[Resource]) -> None:
    done = api.kubectl("api-resources", "--categories=panosc", "--no-headers")
    lines = [line.split() for line in done.stdout.splitlines()]
    info = kind.info
    assert [
        info.plural,
        info.short_name,
        "panosc.eu/v1alpha1",
        str(info.namespaced).lower(),
        info.kind,
    ] in lines


def test_explain_reads_like_documentation(api: ApiServer) -> None:
    done = api.kubectl("explain", "facility.spec.dataPolicy.embargo")
    text = " ".join(done.stdout.split())
    assert "KIND: Facility" in text
    assert "DESCRIPTION: How long data stay with their proposal before everybody may read them." in text
    assert "months <integer> Calendar months from the end of the experiment to the day" in text
    assert "Default: 36." in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_explain_has_a_sentence_for_every_field(api: ApiServer, kind: type[Resource]) -> None:
    definition = api.get("CustomResourceDefinition", kind.info.crd_name)
    assert definition is not None
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    def silent(schema: Object, path: str) -> Iterator[str]:
        if "description" not in schema and not path.endswith(("[]", ".metadata", ".metadata.name")):
            yield path
        for name, child in schema.get("properties", {}).items():
            yield from silent(child, f"{path}.{name}")
        if "items" in schema:
            yield from silent(schema["items"], f"{path}[]")

    assert list(silent(schema, kind.info.kind)) == []


MISSPELT = """
apiVersion: panosc.eu/v1alpha1
kind: DataArchive
metadata: {name: archive, namespace: NAMESPACE}
spec:
  storage: {existingClaim: data}
  fixity: {cron: "@daily"}
"""


def test_a_misspelt_field_is_refused(api: ApiServer, namespace: str) -> None:
    done = api.kubectl("apply", "-f", "-", stdin=MISSPELT.replace("NAMESPACE", namespace))
    assert done.returncode != 0
    assert 'unknown field "spec.fixity.cron"' in done.stderr


def test_a_misspelt_field_is_left_out_by_who_doesnt_ask(api: ApiServer, namespace: str) -> None:
    done = api.kubectl(
        "apply", "--validate=ignore", "-f", "-", stdin=MISSPELT.replace("NAMESPACE", namespace)
    )
    assert done.returncode == 0, done.stderr
    stored = json.loads(api.kubectl("get", "da/archive", "-n", namespace, "-o", "json").stdout)
    assert stored["spec"]["fixity"] == {"schedule": "0 3 * * 0"}
