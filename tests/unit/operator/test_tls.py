"""Certificates of the hosts, and authorities that services trust: what is said when they are missing."""

from typing import Any

import pytest
from panosc_operator.engine.kind import Children, Finding
from panosc_operator.engine.resources import Object
from support.known import kind_of, observe, settings

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n"
FACILITY: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Facility",
    "metadata": {"name": "esrf", "uid": "u", "resourceVersion": "5", "generation": 1},
    "spec": {"displayName": "ESRF"},
}
CATALOGUE: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Catalogue",
    "metadata": {
        "name": "catalogue",
        "namespace": "esrf",
        "uid": "v",
        "resourceVersion": "6",
        "generation": 1,
    },
    "spec": {"sources": []},
}
NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
}


def secret(kind: str) -> Object:
    metadata = {"name": "esrf-tls", "namespace": "esrf", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata}


def bundle(text: str | None, name: str = "ours", namespace: str = "panosc-system") -> Object:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": "8"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"ca.crt": text} if text else {},
    }


def finding(*others: Object, **changes: Any) -> Finding:
    judgement = kind_of(FACILITY, **changes).judge(observe(FACILITY, others, **changes), Children())
    assert judgement.finding is not None
    return judgement.finding


def test_a_missing_certificate_is_said_with_the_command_that_makes_it() -> None:
    found = finding(gateway_tls=True)
    assert (found.reason, found.stalled) == ("CertificateMissing", True)
    assert (
        "Secret esrf/esrf-tls with the certificate for *.esrf.panosc.localhost isn't there" in found.message
    )
    assert "kubectl create secret tls esrf-tls --namespace=esrf --cert=FILE --key=FILE" in found.message


def test_a_certificate_that_cert_manager_makes_is_waited_for() -> None:
    found = finding(gateway_tls=True, gateway_cluster_issuer="letsencrypt")
    assert (found.reason, found.stalled) == ("CertificateMissing", False)
    assert "ClusterIssuer letsencrypt" in found.message
    assert "kubectl describe certificate esrf-tls --namespace=esrf" in found.message


def test_a_secret_of_another_type_is_no_certificate() -> None:
    found = finding(secret("Opaque"), gateway_tls=True, gateway_cluster_issuer="letsencrypt")
    assert (found.reason, found.stalled) == ("CertificateMissing", True)
    assert "is of type Opaque, not kubernetes.io/tls: delete it" in found.message


@pytest.mark.parametrize(
    ("others", "changes"), [([secret("kubernetes.io/tls")], {"gateway_tls": True}), ([], {})]
)
def test_with_the_certificate_or_without_tls_the_gateway_is_waited_for(
    others: list[Object], changes: dict[str, Any]
) -> None:
    assert finding(*others, **changes).reason == "GatewayProgressing"


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "ConfigMap panosc-system/ours (the chart's value trust.configMap) isn't there"),
        ([bundle(None)], "isn't there, or has no key ca.crt: put the authorities' certificates there"),
        ([bundle("DER?")], "has no certificate in ca.crt"),
        ([bundle(CERTIFICATE + KEY)], "has a private key in ca.crt"),
    ],
)
def test_authorities_that_cannot_be_used_are_said_and_not_copied(others: list[Object], words: str) -> None:
    found = finding(*others, trust_config_map="ours")
    assert (found.reason, found.stalled) == ("TrustMissing", True)
    assert words in found.message
    planned = kind_of(FACILITY, trust_config_map="ours").plan(
        observe(FACILITY, others, trust_config_map="ours")
    )
    assert "panosc-trust" not in {desired.manifest["metadata"]["name"] for desired in planned or []}


def test_pods_start_again_with_other_authorities() -> None:
    def pods(text: str) -> list[Any]:
        world = [FACILITY, NAMESPACE, bundle(text, "panosc-trust", "esrf")]
        changes: dict[str, Any] = {"trust_config_map": "ours"}
        planned = kind_of(CATALOGUE, **changes).plan(observe(CATALOGUE, world, **changes)) or []
        return [d.manifest["spec"]["template"] for d in planned if d.type.kind == "Deployment"]

    before, after = pods("one"), pods("two")
    assert len(before) == 2
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_catalogue_waits_for_the_authorities_that_its_pods_mount() -> None:
    changes: dict[str, Any] = {"trust_config_map": "ours"}
    kind, observed = kind_of(CATALOGUE, **changes), observe(CATALOGUE, [FACILITY, NAMESPACE], **changes)
    assert kind.plan(observed) is None
    judgement = kind.judge(observed, Children())
    assert judgement.finding is not None
    assert "ConfigMap esrf/panosc-trust isn't there yet: see the Facility" in judgement.finding.message


@pytest.mark.parametrize(
    ("changes", "redirects"),
    [
        ({}, False),
        ({"gateway_tls": True, "gateway_port": 443}, True),
        ({"gateway_tls": True, "gateway_port": 443, "gateway_http_port": 0}, False),
        ({"gateway_tls": True, "gateway_port": 80}, False),
    ],
)
def test_plain_http_leads_to_https_where_there_is_a_port_for_it(
    changes: dict[str, Any], redirects: bool
) -> None:
    assert settings(**changes).redirects is redirects


def test_the_login_trusts_the_authorities_for_its_upstream_providers() -> None:
    federation: Object = {
        "apiVersion": "panosc.eu/v1alpha1",
        "kind": "Federation",
        "metadata": {"name": "panosc", "uid": "w", "resourceVersion": "9", "generation": 1},
        "spec": {
            "displayName": "PaNOSC",
            "identifierScope": "panosc.eu",
            "entitlementNamespace": "geant:panosc.eu",
        },
    }

    def pod(*others: Object) -> Object:
        changes: dict[str, Any] = {"trust_config_map": "ours"}
        planned = kind_of(federation, **changes).plan(observe(federation, others, **changes)) or []
        (template,) = (d.manifest["spec"]["template"] for d in planned if d.type.kind == "Deployment")
        found: Object = template
        return found

    def volumes(template: Object) -> list[str]:
        return [volume["name"] for volume in template["spec"]["volumes"]]

    assert volumes(pod()) == volumes(pod(bundle("DER?"))) == ["tmp", "data"]
    trusting = pod(bundle(CERTIFICATE))
    assert {"name": "trust", "configMap": {"name": "ours"}} in trusting["spec"]["volumes"]
    (container,) = trusting["spec"]["containers"]
    assert {"name": "KC_TRUSTSTORE_PATHS", "value": "/etc/panosc/trust/ca.crt"} in container["env"]
    assert {"name": "trust", "mountPath": "/etc/panosc/trust"} in container["volumeMounts"]
    assert pod(bundle(CERTIFICATE * 2))["metadata"] != trusting["metadata"]
