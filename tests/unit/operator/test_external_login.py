"""A login elsewhere at which people log in by their browser: its plan, and what is said without one."""

import json
from typing import Any

import pytest
from panosc_operator.engine.kind import Judgement
from panosc_operator.engine.resources import BACKEND, SECURITY_POLICY, Object, key_of
from support.judging import judge, resource, status_of
from support.known import Known, kind_of, observe

SERVED: Object = {"gateway_tls": True, "gateway_port": 443}
AAI = {"issuer": "https://login.esrf.fr:8443/x", "audience": "esrf", "entitlementNamespace": "geant:esrf.fr"}
CLIENT = {"id": "panosc", "credentialsSecret": "login-client"}
CATALOGUE = resource("Catalogue", "catalogue")
ARCHIVE = resource("DataArchive", "archive", storage={"claim": {"size": "1Ti"}})
POLICY: Object = {
    "apiVersion": SECURITY_POLICY.api_version,
    "kind": SECURITY_POLICY.kind,
    "metadata": {"name": "panosc-login", "namespace": "esrf", "resourceVersion": "10"},
}
NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
}
CERTIFICATE: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/tls",
    "metadata": {"name": "esrf-tls", "namespace": "esrf", "resourceVersion": "7"},
}
AUTHORITIES: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "ours", "namespace": "panosc-system", "resourceVersion": "8"},
    "data": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"},
}


def facility(**client: Any) -> Object:
    return resource("Facility", "esrf", None, displayName="ESRF", aai={**AAI, "client": {**CLIENT, **client}})


def secret(**content: str) -> Object:
    metadata = {"name": "login-client", "namespace": "esrf", "resourceVersion": "9"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": content}


GOOD = secret(**{"client-secret": "aGlkZGVu"})
FACILITY = facility()


def planned(obj: Object, *others: Object, **changes: Any) -> dict[str, Object]:
    """What is made, by kind and name."""
    changes = {**SERVED, **changes}
    plan = kind_of(obj, **changes).plan(observe(obj, [NAMESPACE, *others], **changes)) or []
    return {f"{one.type.kind} {one.manifest['metadata']['name']}": one.manifest for one in plan}


def judged(obj: Object, *others: Object, **more: Any) -> Judgement:
    """The judgement where all that is made is well."""
    return judge(obj, world=[NAMESPACE, CERTIFICATE, *others], **{**SERVED, **more})


def test_the_client_is_referred_to_and_its_secret_is_nowhere() -> None:
    made = planned(FACILITY, GOOD)
    oidc = made["SecurityPolicy panosc-login"]["spec"]["oidc"]
    assert oidc["clientSecret"]["name"] == "login-client"
    assert "Secret panosc-login" not in made, "the account at a federation"
    assert "aGlkZGVu" not in json.dumps(made)
    assert "aGlkZGVu" not in repr(observe(FACILITY, [NAMESPACE, GOOD], **SERVED))


def test_both_kinds_of_logins_differ_in_values_only() -> None:
    federation = resource(
        "Federation",
        "panosc",
        None,
        displayName="PaNOSC",
        identifierScope="panosc.eu",
        entitlementNamespace="geant:panosc.eu",
    )
    member = resource("Facility", "esrf", None, displayName="ESRF")
    values = ("provider", "clientID", "clientSecret", "scopes")

    def policy(made: dict[str, Object]) -> Object:
        spec: Object = made["SecurityPolicy panosc-login"]["spec"]
        return {**spec, "oidc": {key: value for key, value in spec["oidc"].items() if key not in values}}

    assert policy(planned(FACILITY, GOOD)) == policy(planned(member, federation))


@pytest.mark.parametrize(
    ("client", "authorities"),
    [
        ({}, {"wellKnownCACertificates": "System"}),
        (
            {"ownAuthority": True},
            {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "panosc-trust"}]},
        ),
    ],
)
def test_the_issuers_certificate_is_compared_with_its_name(client: Object, authorities: Object) -> None:
    made = planned(facility(**client), GOOD, AUTHORITIES, trust_config_map="ours")
    assert made["Backend panosc-login"]["spec"] == {
        "endpoints": [{"fqdn": {"hostname": "login.esrf.fr", "port": 8443}}],
        "tls": {"sni": "login.esrf.fr", **authorities},
    }


@pytest.mark.parametrize(
    ("obj", "others", "reason", "words"),
    [
        (
            FACILITY,
            [],
            "LoginSecretInvalid",
            "Secret esrf/login-client of spec.aai.client.credentialsSecret isn't there: `kubectl create "
            "secret generic login-client --namespace=esrf --from-file=client-secret=FILE`",
        ),
        (FACILITY, [secret(clientSecret="aGlkZGVu")], "LoginSecretInvalid", "has no key client-secret"),
        (FACILITY, [secret(**{"client-secret": ""})], "LoginSecretInvalid", "or nothing in it: delete it"),
        (facility(ownAuthority=True), [GOOD], "TrustMissing", "spec.aai.client.ownAuthority"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_half_made(
    obj: Object, others: list[Object], reason: str, words: str
) -> None:
    finding = judged(obj, *others).finding
    assert finding is not None
    assert (finding.reason, finding.stalled) == (reason, True)
    assert words in finding.message
    assert "aGlkZGVu" not in finding.message
    kinds = {name.split()[0] for name in planned(obj, *others)}
    assert kinds.isdisjoint({SECURITY_POLICY.kind, BACKEND.kind})
    assert "Gateway" in kinds


def test_what_the_gateway_refuses_is_said_in_its_words() -> None:
    assert judged(FACILITY, GOOD).finding is None
    accepted = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "no configuration"}
    refusal = status_of("SecurityPolicy panosc-login", {"ancestors": [{"conditions": [accepted]}]})
    finding = judged(FACILITY, GOOD, change=refusal).finding
    assert finding is not None
    assert (finding.reason, finding.stalled) == ("LoginRefused", True)
    assert "SecurityPolicy esrf/panosc-login: " in finding.message
    assert "no configuration" in finding.message


@pytest.mark.parametrize("changes", [{"gateway_tls": False}, {"gateway_sessions": False}])
def test_where_the_gateway_keeps_no_sessions_the_client_waits(changes: Object) -> None:
    made = planned(FACILITY, **changes)
    assert "SecurityPolicy panosc-login" not in made
    assert judged(FACILITY, **changes).finding is None


@pytest.mark.parametrize("has_policy", [True, False])
def test_pages_lead_to_the_login_when_the_gateway_has_its_client(has_policy: bool) -> None:
    world = [FACILITY, *([POLICY] if has_policy else [])]
    made = planned(CATALOGUE, *world)
    config = json.loads(made["ConfigMap catalogue-config"]["data"]["catalogue.json"])
    assert config["aai"]["sessions"] is has_policy
    assert ("HTTPRoute catalogue.session" in made) is has_policy
    assert ("HTTPRoute archive.session" in planned(ARCHIVE, *world)) is has_policy


@pytest.mark.parametrize("obj", [CATALOGUE, ARCHIVE], ids=lambda obj: obj["kind"])
def test_they_are_looked_at_when_the_gateway_gets_its_client_or_loses_it(obj: Object) -> None:
    (watch,) = [one for one in kind_of(obj).watches if one.type == SECURITY_POLICY]
    elsewhere = {**obj, "metadata": {**obj["metadata"], "namespace": "ill"}}
    assert list(watch.map(POLICY, Known([obj, elsewhere]).cache)) == [key_of(obj)]
