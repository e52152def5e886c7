"""What the chart makes of its values."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from panosc_operator.settings import Settings
from support.chart import CHART, VALUES, helm, render, without_definitions

GOLDEN = Path(__file__).parent / "golden/chart.yaml"


def rendered(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    (found,) = (document for document in render(values) if document["kind"] == kind)
    return found


def environment(values: dict[str, Any]) -> dict[str, str]:
    (container,) = rendered("Deployment", values)["spec"]["template"]["spec"]["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_the_release_is_the_golden_one() -> None:
    assert without_definitions(render({})) == list(yaml.safe_load_all(GOLDEN.read_text()))


def test_lint_finds_nothing() -> None:
    done = helm("lint", "--strict", str(CHART), values=VALUES)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"baseDomain": ""}, "baseDomain is not set: give the domain below which facilities get their hosts"),
        (
            {"images": {**VALUES["images"], "catalogue": ""}},
            "images.catalogue is not set: give the image's full reference, as `make install REGISTRY=…` does",
        ),
        ({"baseDomain": "panosc_eu"}, "at '/baseDomain': 'panosc_eu' does not match pattern"),
        ({"gateway": {"port": 0}}, "at '/gateway/port': minimum: got 0, want 1"),
        ({"gatway": {}}, "additional properties 'gatway' not allowed"),
        ({"logLevel": "verbose"}, "at '/logLevel'"),
    ],
)
def test_a_wrong_value_is_refused_with_the_remedy(values: dict[str, Any], message: str) -> None:
    done = helm("template", "panosc-operator", str(CHART), values=VALUES | values)
    assert done.returncode != 0
    assert message in done.stderr


def test_the_operator_understands_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = {
        "className": "envoy",
        "port": 8443,
        "httpPort": 8080,
        "podPort": 9443,
        "tls": True,
        "clusterIssuer": "letsencrypt",
        "namespace": "gateways",
    }
    dns = {"namespace": "openshift-dns", "port": 5353}
    values = {"gateway": gateway, "dns": dns, "metrics": {"namespace": "monitoring"}}
    values |= {"trust": {"configMap": "our-authority"}, "resyncSeconds": 60}
    variables = environment({**values, "logLevel": "DEBUG"})
    fields = {f"PANOSC_{name.upper()}" for name in Settings.model_fields}
    assert set(variables) <= fields
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.namespace == "panosc-system"
    assert settings.base_domain == "panosc.localhost"
    assert settings.gateway_class == "envoy"
    assert settings.gateway_namespace == "gateways"
    assert settings.gateway_http_port == 8080
    assert settings.gateway_target_port == 9443
    assert settings.gateway_cluster_issuer == "letsencrypt"
    assert (settings.dns_namespace, settings.dns_port) == ("openshift-dns", 5353)
    assert settings.trust_config_map == "our-authority"
    assert settings.metrics_namespace == "monitoring"
    assert settings.url_of("a.b") == "https://a.b:8443"
    assert settings.image_postgres == "panosc.local/postgres:1"
    assert settings.resync_seconds == 60
    assert settings.log_level == "DEBUG"


def test_definitions_are_the_committed_ones_and_stay_when_the_release_goes() -> None:
    definitions = {d["metadata"]["name"]: d for d in render({}) if d["kind"] == "CustomResourceDefinition"}
    committed = [
        yaml.load(file.read_text(), yaml.CSafeLoader) for file in (CHART.parents[1] / "crds").glob("*.yaml")
    ]
    assert sorted(definitions) == sorted(d["metadata"]["name"] for d in committed)
    for definition in committed:
        installed = definitions[definition["metadata"]["name"]]
        assert installed["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert installed == definition


def test_definitions_can_be_left_to_others() -> None:
    assert render({"crds": {"install": False}}) == without_definitions(render({}))


def test_a_service_monitor_finds_the_metrics_service() -> None:
    monitor = rendered(
        "ServiceMonitor", {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"prometheus": "main"}}}}
    )
    service = rendered("Service", {})
    assert monitor["metadata"]["labels"]["prometheus"] == "main"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": service["spec"]["ports"][0]["name"], "interval": "30s"}]


def test_without_aggregation_nobody_gets_rights_by_having_kubernetes_own_roles() -> None:
    roles = [
        document for document in render({"rbac": {"aggregate": False}}) if document["kind"] == "ClusterRole"
    ]
    assert roles
    assert not [label for role in roles for label in role["metadata"]["labels"] if "aggregate-to" in label]


def test_every_block_of_values_is_explained() -> None:
    for block in (CHART / "values.yaml").read_text().strip().split("\n\n")[1:]:
        first, second = block.splitlines()[:2]
        assert first.startswith("#") or second.startswith("  #"), f"`{first}` has no comment"


def test_every_value_is_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def undescribed(values: dict[str, Any], schema: dict[str, Any], path: str) -> list[str]:
        known = schema.get("properties", {})
        found = [f"{path}{name}" for name in values if name not in known]
        for name, value in values.items():
            if isinstance(value, dict) and "properties" in known.get(name, {}):
                found += undescribed(value, known[name], f"{path}{name}.")
        return found

    assert undescribed(values, schema, "") == []
