"""What each kind becomes, object by object: `golden/<case>/input.yaml` and `expected.yaml`.

The first document of an input is the resource, the others are what else is in the cluster; one of kind
Settings changes the operator's settings. `PANOSC_GENERATE=1` writes the expected files again: read the diff.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from panosc_archive.settings import Uploads
from panosc_catalogue.settings import CatalogueConfig
from panosc_operator.engine.desired import Desired, marked
from panosc_operator.engine.resources import Object
from support.known import kind_of, observe

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(folder.name for folder in GOLDEN.iterdir())


def planned(case: str) -> tuple[Any, list[Desired]]:
    """The resource of a case and its plan."""
    documents = list(yaml.safe_load_all((GOLDEN / case / "input.yaml").read_text()))
    changes = next((dict(document) for document in documents if document["kind"] == "Settings"), {})
    changes.pop("kind", None)
    resource, *others = [document for document in documents if document["kind"] != "Settings"]
    kind = kind_of(resource, **changes)
    plan = kind.plan(observe(resource, others, **changes))
    assert plan is not None
    return kind.model.model_validate(resource), plan


class Readable(yaml.SafeDumper):
    """YAML for reviewers: no anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, "|" if "\n" in text else None
    ),
)


def rendered(case: str) -> str:
    resource, plan = planned(case)
    objects = [marked(desired, resource) for desired in plan]
    return yaml.dump_all(objects, Dumper=Readable, sort_keys=True, width=110)


@pytest.mark.parametrize("case", CASES)
def test_plan_is_as_in_the_golden_file(case: str) -> None:
    expected = GOLDEN / case / "expected.yaml"
    if os.environ.get("PANOSC_GENERATE"):
        expected.write_text(rendered(case))
    assert rendered(case) == expected.read_text()


def pods(manifest: Object) -> list[Object]:
    """Specs of the pods that an object makes."""
    spec = manifest.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return [template["spec"]] if template else []


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_labelled_and_every_pod_is_modest(case: str) -> None:
    _, plan = planned(case)
    requested = 0
    for desired in plan:
        labels = desired.manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "panosc"
        # What is the federation's is no facility's.
        assert labels.get("panosc.eu/facility") == (None if case.startswith("federation-") else "esrf")
        for spec in pods(desired.manifest):
            assert spec["automountServiceAccountToken"] is False
            for container in spec["containers"]:
                assert set(container["resources"]["requests"]) == {"cpu", "memory"}
                assert container["resources"]["limits"]["memory"]
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                requested += int(container["resources"]["requests"]["cpu"].rstrip("m"))
    # The demo has to fit on two cores beside Kubernetes itself.
    assert requested <= 500


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("catalogue-")])
def test_the_service_takes_the_configuration_that_is_planned_for_it(case: str) -> None:
    _, plan = planned(case)
    (config,) = [
        desired.manifest for desired in plan if desired.manifest["metadata"]["name"].endswith("-config")
    ]
    CatalogueConfig.model_validate_json(config["data"]["catalogue.json"])


def test_the_archive_takes_the_configuration_that_is_planned_for_it() -> None:
    _, plan = planned("dataarchive-uploads")
    specs = {
        desired.manifest["metadata"]["name"]: spec for desired in plan for spec in pods(desired.manifest)
    }
    (receive,) = specs["archive-receive"]["containers"]
    told = {one["name"]: one["value"] for one in receive["env"]}
    uploads = Uploads.model_validate_json(told["PANOSC_ARCHIVE_UPLOADS"])
    assert (uploads.max_bytes, uploads.proposal_directory) == (500 * 2**30, 2)
    writable = {
        name
        for name, spec in specs.items()
        for volume in spec["volumes"]
        if volume["name"] == "data" and not volume["persistentVolumeClaim"].get("readOnly")
    }
    assert writable == {"archive-receive"}


def test_only_what_takes_files_has_a_way_out_of_the_cluster() -> None:
    """The reader of HDF5 files, which one of them may take over, has none."""
    _, plan = planned("dataarchive-uploads")
    gates = [desired.manifest["spec"] for desired in plan if desired.type.kind == "NetworkPolicy"]
    components = [gate["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for gate in gates]
    assert components == ["receive"]


def test_nothing_secret_is_planned() -> None:
    """A password is a placeholder until the engine makes it: a plan is shown in logs, tests and reviews."""
    _, plan = planned("catalogue-managed")
    secrets = {
        desired.manifest["metadata"]["name"]: desired for desired in plan if desired.type.kind == "Secret"
    }
    assert set(secrets) == {"catalogue-postgres", "catalogue-administrator"}
    assert all(secret.create_only for secret in secrets.values())
    assert secrets["catalogue-postgres"].retain
    assert secrets["catalogue-postgres"].manifest["stringData"]["password"] == "{password}"
    assert secrets["catalogue-administrator"].manifest["stringData"] == {"token": "{token}"}
    for case in ("catalogue-external", "catalogue-dois", "catalogue-sources"):
        assert "hidden" not in rendered(case)
        assert "aGlkZGVu" not in rendered(case)
