"""What the operator makes of the resources, and that it follows their changes."""

import asyncio
import base64
import json
import time
from functools import partial

import yaml
from kubernetes.aio.client import Configuration
from panosc_common.service_accounts import Callers
from panosc_common.tokens import KeySet, Verifier
from panosc_operator.engine.client import Client
from panosc_operator.engine.kind import TokenIssuer
from support.apiserver import ApiServer
from support.operator import Operator
from support.resources import await_all_ready, await_reason, catalogue, facility, make_all


def test_facility_archive_and_catalogue_become_ready(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    await_all_ready(api, name)
    namespace = api.get("Namespace", name)
    assert namespace is not None
    assert namespace["metadata"]["labels"]["panosc.eu/facility"] == name
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    status = (api.get("Facility", name) or {})["status"]
    assert status["archives"] == status["catalogues"] == 1
    assert status["url"] == f"http://catalogue.{name}.panosc.localhost"
    assert [endpoint["name"] for endpoint in status["endpoints"]] == ["catalogue", "archive"]
    for kind, target in (("facility", name), ("dataarchive", "archive"), ("catalogue", "catalogue")):
        waited = api.kubectl("wait", "--for=condition=Ready", f"{kind}/{target}", "-n", name, "--timeout=5s")
        assert waited.returncode == 0, waited.stderr
    events = {(event["involvedObject"]["kind"], event["reason"]) for event in api.list("Event", name)}
    assert ("Catalogue", "Available") in events
    for each in ("Facility", "DataArchive", "Catalogue"):
        assert operator.metric("panosc_conditions", kind=each, type="Ready", status="True") >= 1
        annotations = [
            annotation for obj in api.list(each) for annotation in obj["metadata"].get("annotations", {})
        ]
        assert not [annotation for annotation in annotations if "kopf" in annotation]


def test_administrators_may_edit_the_kinds_and_read_no_secrets(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)
    may = partial(may_administrator, api, name)

    api.wait_for(lambda: may("update", "catalogues.panosc.eu", "-n", name), "the administrators' rights")
    assert may("get", "pods", "--subresource=log", "-n", name)
    assert may("get", f"facilities.panosc.eu/{name}")
    for verb in ("get", "list", "watch", "update", "patch", "delete"):
        assert not may(verb, "secrets", "-n", name)
    for secret in ("catalogue-postgres", f"{name}-tls", "scicat"):
        assert not may("get", f"secrets/{secret}", "-n", name)
    assert not may("update", "catalogues.panosc.eu", "-n", "default")
    assert not may("create", "secrets", "-n", "default")
    assert not may("update", f"facilities.panosc.eu/{name}")


def may_administrator(api: ApiServer, name: str, verb: str, resource: str, *more: str) -> bool:
    answer = api.kubectl("auth", "can-i", verb, resource, *_as_administrator(name), *more)
    return answer.stdout.strip() == "yes"


def _as_administrator(name: str) -> tuple[str, str]:
    return "--as=eve", f"--as-group={name}-it"


def test_administrators_may_do_what_the_how_to_pages_tell_them(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)
    staff = "secrets/catalogue-administrator"
    api.wait_for(lambda: may_administrator(api, name, "get", staff, "-n", name), "the rights to the token")

    def kubectl(*arguments: str) -> str:
        done = api.kubectl(*_as_administrator(name), "-n", name, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # docs/how-to/sources.md and its pages
    secret = ("create", "secret", "generic", "--from-literal=username=a", "--from-literal=password=hidden")
    kubectl(*secret, "scicat", "--type=panosc.eu/source")
    source = {"name": "legacy", "scicat": {"url": "https://x.example.org/api", "credentialsSecret": "scicat"}}
    kubectl("patch", "catalogue/catalogue", "--type=merge", "-p", json.dumps({"spec": {"sources": [source]}}))
    kubectl("wait", "catalogue/catalogue", "--for=condition=SourcesReady=Unknown", "--timeout=20s")
    kubectl("get", "catalogue", "catalogue", "-o", "jsonpath={.status.sources}")
    # Another account: another Secret, since none is read or changed.
    kubectl(*secret, "scicat-2", "--type=panosc.eu/source")
    # docs/how-to/dois.md
    kubectl(*secret, "datacite")
    assert may_administrator(api, name, "get", "pods", "--subresource=log", "-n", name)
    assert may_administrator(api, name, "get", "deployments.apps", "-n", name)
    # docs/how-to/policy.md
    read = ("get", "secret", "catalogue-administrator", "-o", "jsonpath={.data.token}")
    token = kubectl(*read)
    assert token
    kubectl("delete", "secret", "catalogue-administrator")
    api.wait_for(lambda: api.get("Secret", "catalogue-administrator", name), "another token")
    assert kubectl(*read) != token
    # docs/reference/catalogue.md, MigrationFailed
    assert may_administrator(api, name, "delete", "jobs.batch", "-n", name)


def test_a_catalogue_of_a_fitting_name_opens_no_secret_of_others(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)
    theirs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "grafana-administrator", "namespace": name},
        "stringData": {"token": "hidden-value"},
    }
    api.apply(theirs)
    api.apply(catalogue(name, "grafana"))
    await_reason(api, "ApplyFailed", "Catalogue", "grafana", name)
    opened = "secrets/catalogue-administrator"
    api.wait_for(lambda: may_administrator(api, name, "get", opened, "-n", name), "the rights to the token")
    assert not may_administrator(api, name, "get", "secrets/grafana-administrator", "-n", name)


def is_host_of(api: ApiServer, host: str, route: str, namespace: str) -> bool:
    return bool(api.existing("HTTPRoute", route, namespace)["spec"]["hostnames"] == [host])


def test_changes_reach_those_who_depend_on_them(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)

    def urls() -> str:
        pod = (api.get("Deployment", "archive", name) or {})["spec"]["template"]["spec"]
        environment = next(c for c in pod["containers"] if c["name"] == "api")["env"]
        return str(next(e["value"] for e in environment if e["name"] == "PANOSC_ARCHIVE_CATALOGUE_URLS"))

    api.wait_for(lambda: f"http://catalogue.{name}.svc:8080" in urls(), "the archive to know its catalogue")
    api.patch("Facility", name, {"spec": {"domain": f"{name}.example.org"}})
    for route in ("archive", "catalogue"):
        api.wait_for(
            partial(is_host_of, api, f"{route}.{name}.example.org", route, name),
            f"the new host of {route}",
        )
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: urls() == "[]", "the archive to forget its catalogue")


def test_a_catalogue_knows_the_archives_that_read_it_by_their_tokens(
    api: ApiServer, operator: Operator, name: str
) -> None:
    make_all(api, name)

    def callers() -> Callers | None:
        found = api.get("ConfigMap", "catalogue-callers", name)
        told = Callers.model_validate_json(found["data"]["callers.json"]) if found else None
        return told if told and told.accounts else None

    told = api.wait_for(callers, "the callers")
    archive = api.wait_for(lambda: api.get("Deployment", "archive", name), "the archive")
    pod = archive["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "archive-api"
    # As the kubelet asks for it.
    path = f"/api/v1/namespaces/{name}/serviceaccounts/archive-api/token"
    spec = {"audiences": [told.audience], "expirationSeconds": 3600}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    token = api.request("POST", path, json=request)["status"]["token"]
    verifier = Verifier(told.issuer, told.audience, KeySet(told.keys))
    assert asyncio.run(verifier.claims(token))["sub"] in told.accounts

    def audiences() -> list[str]:
        volumes = api.existing("Deployment", "archive", name)["spec"]["template"]["spec"]["volumes"]
        (projected,) = [volume["projected"] for volume in volumes if volume["name"] == "tokens"]
        return [source["serviceAccountToken"]["audience"] for source in projected.get("sources") or []]

    api.wait_for(lambda: audiences() == [told.audience], "the archive's token for the catalogue")
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: audiences() == [], "the archive to have no token for what is gone")


def test_an_api_server_that_tells_no_keys_is_no_error(api: ApiServer) -> None:
    async def asked() -> TokenIssuer | None:
        # Without an account, as if nothing were bound to those of service accounts.
        configuration = Configuration(host=api.url)
        configuration.ssl_ca_cert = str(api.ca_file)
        client = Client(configuration)
        try:
            return await client.token_issuer()
        finally:
            await client.close()

    assert asyncio.run(asked()) is None


def test_what_is_no_longer_wanted_goes(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    api.patch("Catalogue", "catalogue", {"spec": {"replicas": 3}}, name)
    api.wait_for(lambda: api.get("PodDisruptionBudget", "catalogue", name), "the disruption budget")
    api.patch("Catalogue", "catalogue", {"spec": {"replicas": 1}}, name)
    api.wait_for(lambda: api.get("PodDisruptionBudget", "catalogue", name) is None, "no disruption budget")
    api.patch("Facility", name, {"spec": {"quota": {"cpu": "8"}}})
    api.wait_for(lambda: api.get("ResourceQuota", "panosc", name), "the quota")
    api.patch("Facility", name, {"spec": {"quota": {"cpu": None}}})
    api.wait_for(lambda: api.get("ResourceQuota", "panosc", name) is None, "no quota")


def test_fifty_facilities_settle(api: ApiServer, operator: Operator) -> None:
    names = [f"many{number:02}" for number in range(50)]
    started = time.monotonic()
    for each in names:
        api.apply(facility(each))
    try:
        for each in names:
            await_reason(api, "GatewayProgressing", "Facility", each, seconds=60)
        operator.await_quiet()
        assert time.monotonic() - started < 60
    finally:
        for each in names:
            api.delete("Facility", each)
            api.delete("Namespace", each)


def test_log_is_json_and_has_no_secrets(api: ApiServer, operator: Operator, name: str) -> None:
    make_all(api, name)
    secret = (api.get("Secret", "catalogue-postgres", name) or {})["data"]["password"]
    password = base64.b64decode(secret).decode()
    assert len(password) == 32
    lines = operator.log_lines()
    assert any(line.get("child") == f"Secret {name}/catalogue-postgres" for line in lines)
    text = operator.log.read_text()
    assert password not in text
    assert "forbidden: User" not in text, "a call that operator/panosc_operator/rbac.py has no right for"
    assert "Not enough permissions" not in text
    assert "hidden-value" not in text
    defects = [line for line in lines if line.get("level") == "error"]
    assert not defects, yaml.safe_dump(defects[:3])
