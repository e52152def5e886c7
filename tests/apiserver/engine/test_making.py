"""What the operator makes of the resources, and that it follows their changes."""

import base64
import time

import yaml
from support.apiserver import ApiServer
from support.operator import Operator
from support.resources import await_all_ready, await_reason, facility, make_all


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

    def may(verb: str, resource: str, *more: str) -> bool:
        answer = api.kubectl("auth", "can-i", verb, resource, "--as=eve", f"--as-group={name}-it", *more)
        return answer.stdout.strip() == "yes"

    api.wait_for(lambda: may("update", "catalogues.panosc.eu", "-n", name), "the administrators' rights")
    assert may("get", "pods", "--subresource=log", "-n", name)
    assert may("get", f"facilities.panosc.eu/{name}")
    assert not may("get", "secrets", "-n", name)
    assert not may("update", "catalogues.panosc.eu", "-n", "default")
    assert not may("update", f"facilities.panosc.eu/{name}")


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
            lambda route=route: (
                (api.get("HTTPRoute", route, name) or {})["spec"]["hostnames"]
                == [f"{route}.{name}.example.org"]
            ),
            f"the new host of {route}",
        )
    api.delete("Catalogue", "catalogue", name)
    api.wait_for(lambda: urls() == "[]", "the archive to forget its catalogue")


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
