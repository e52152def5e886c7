"""What `make up` says, and what it refuses before it changes anything."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from panosc_dev import addons, authority, deploy, forward, images, packages, privileges
from panosc_dev.cluster import LocalCluster
from panosc_dev.progress import StepFailed, elapsed


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (3725, "62 min 05 s")]
)
def test_elapsed_times_read_like_speech(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_the_holder_of_a_port_is_named() -> None:
    line = 'LISTEN 0 511 127.0.0.1:80 0.0.0.0:* users:(("nginx",pid=12,fd=6),("nginx",pid=11,fd=6))'
    assert forward.holder(line) == "nginx (process 12)"
    assert forward.holder("") == "another process"


def test_the_forwarder_listens_on_loopback_only() -> None:
    listen = forward.command(8443, "10.201.7.2", 30443)[1]
    assert listen.startswith("TCP-LISTEN:8443,")
    assert "bind=127.0.0.1" in listen.split(",")


def test_plain_http_leads_to_https_on_its_usual_port_only() -> None:
    assert addons.node_ports(443) == {443: 30443, 80: 30080}
    assert addons.node_ports(8443) == {8443: 30443}
    references = dict.fromkeys(("operator", "catalogue", "archive", "postgres", "keycloak"), "x")
    values = [deploy.chart_values(references, "d", port)["gateway"] for port in (443, 8443)]
    assert [value["httpPort"] for value in values] == [80, 0]


def test_nothing_is_built_before_the_packages_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Began(Exception):
        pass

    did: list[str] = []

    def builds(_: object) -> None:
        did.append("images")

    def starts(_: object) -> None:
        did.append("cluster")
        raise Began

    monkeypatch.setattr(packages, "ensure", lambda _: did.append("packages"))
    monkeypatch.setattr(images, "build_all", builds)
    monkeypatch.setattr(LocalCluster, "up", starts)
    with pytest.raises(Began):
        deploy.bring_up(LocalCluster("panosc-unit"), 443)
    assert did[0] == "packages"
    assert sorted(did[1:]) == ["cluster", "images"]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="there is no such folder"):
        deploy.check_data(tmp_path / "absent")


def test_a_folder_that_services_may_not_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(StepFailed, match=r"chmod o\+rx"):
        deploy.check_data(tmp_path)


def test_the_claim_is_bound_to_the_folder(tmp_path: Path) -> None:
    namespace, volume, claim = json.loads(deploy.data_volume(tmp_path))["items"]
    assert volume["spec"]["hostPath"]["path"] == str(tmp_path)
    assert volume["spec"]["claimRef"] == {
        "namespace": namespace["metadata"]["name"],
        "name": claim["metadata"]["name"],
    }
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def resource(status: str, *, generation: int = 2, observed: int = 2) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": status,
        "observedGeneration": observed,
        "reason": "R",
        "message": "m",
    }
    return {"metadata": {"generation": generation}, "status": {"conditions": [condition]}}


def test_readiness_counts_for_the_present_generation_only() -> None:
    assert deploy.readiness(resource("True")) == (True, "R: m")
    assert deploy.readiness(resource("False")) == (False, "R: m")
    assert deploy.readiness(resource("True", observed=1)) == (False, "R: m")
    assert deploy.readiness({"metadata": {"generation": 1}})[0] is False


def test_a_manifest_names_a_value_it_lacks() -> None:
    with pytest.raises(KeyError, match="volumes"):
        addons.render("storage", {"image_shell": "x", "image_local_path_provisioner": "y"})


def test_pods_roll_when_their_configuration_changes() -> None:
    values = {"image_shell": "x", "image_local_path_provisioner": "y", "volumes": "/a"}
    first, second = (addons.render("storage", {**values, "volumes": v}) for v in ("/a", "/b"))
    assert first == addons.render("storage", values)
    assert first.replace("/a", "/b") != second


def test_the_add_ons_hang_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ca = authority.ensure(addons.DOMAIN)
    built = {image.name: images.Built(image, f"x/{image.name}:1", tmp_path) for image in images.CLUSTER}
    values = addons.manifest_values(built, tmp_path, 443, ca)
    documents = {
        document["kind"]: document
        for name in ("gateway", "cert-manager")
        for document in yaml.safe_load_all(addons.render(name, values))
    }
    proxy = documents["EnvoyProxy"]["spec"]["provider"]["kubernetes"]["envoyService"]["patch"]
    ports = {port["port"]: port["nodePort"] for port in proxy["value"]["spec"]["ports"]}
    assert ports == addons.node_ports(443)
    issuer, secret = documents["ClusterIssuer"], documents["Secret"]
    assert issuer["spec"]["ca"]["secretName"] == secret["metadata"]["name"]
    assert base64.b64decode(secret["data"]["tls.key"]) == ca.key.read_bytes()
    references = dict.fromkeys(("operator", "catalogue", "archive", "postgres", "keycloak"), "x")
    chart = deploy.chart_values(references, addons.DOMAIN, 443)
    assert chart["gateway"]["clusterIssuer"] == issuer["metadata"]["name"]
    trusted = json.loads(deploy.trust(ca.certificate))["items"][-1]
    assert trusted["metadata"] == {"name": chart["trust"]["configMap"], "namespace": deploy.NAMESPACE}
    assert trusted["data"] == {"ca.crt": ca.certificate.read_text()}


def test_the_gateway_logs_no_query_and_the_how_to_tells_the_same() -> None:
    text = (addons._MANIFESTS / "gateway.yaml").read_text()
    told = text[text.index("  telemetry:\n") : text.index("  shutdown:")]
    fields = yaml.safe_load(told)["telemetry"]["accessLog"]["settings"][0]["format"]["json"]
    paths = [operator for operator in fields.values() if "PATH" in operator]
    assert paths == ["%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%"]
    assert not any("REFERER" in operator for operator in fields.values())
    assert told in (Path(__file__).parents[3] / "docs/how-to/links.md").read_text()


def test_sudo_keeps_the_folders_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    command = privileges.prefix({"HOME": "/home/ada", "SECRET": "x", "XDG_STATE_HOME": "/data"})
    assert command == ["sudo", "env", "HOME=/home/ada", "XDG_STATE_HOME=/data"]


def test_programs_for_root_are_found_on_the_path_of_a_user() -> None:
    path = privileges.with_administration("/usr/local/bin:/usr/bin:/sbin")
    assert path.split(":") == ["/usr/local/bin", "/usr/bin", "/sbin", "/usr/local/sbin", "/usr/sbin"]


def test_what_was_not_read_yet_is_named() -> None:
    archive: dict[str, Any] = {"kind": "DataArchive", "metadata": {"name": "archive"}}
    catalogue: dict[str, Any] = {
        "kind": "Catalogue",
        "metadata": {"name": "catalogue"},
        "spec": {"sources": [{"name": "a"}, {"name": "b"}]},
        "status": {"sources": [{"name": "a", "lastScan": "2026-11-24T23:00:00Z"}, {"name": "b"}]},
    }
    assert deploy.unread([archive, catalogue]) == ["archive", "catalogue/b"]
    archive["status"] = {"lastScan": "2026-11-24T23:00:00Z"}
    catalogue["status"]["sources"][1]["lastScan"] = "2026-11-24T23:00:01Z"
    assert deploy.unread([archive, catalogue]) == []
