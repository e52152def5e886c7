"""A facility by HTTPS: its own certificate by a Secret, and authorities that its services trust."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer, Object
from support.operator import NAMESPACE, Operator
from support.resources import await_all_ready, await_reason, make_all

AUTHORITIES = "our-authorities"


@pytest.fixture
def certificate(tmp_path: Path, name: str) -> tuple[Path, Path]:
    """Files with a certificate for the facility's hosts and its key."""
    made, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    hosts = f"subjectAltName=DNS:*.{name}.panosc.localhost"
    command = ["openssl", *new, "-subj", "/CN=ours", "-addext", hosts, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def bundle(text: str) -> Object:
    metadata = {"name": AUTHORITIES, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": text}}


@pytest.fixture
def authorities(api: ApiServer, operator: Operator, certificate: tuple[Path, Path]) -> Iterator[str]:
    text = certificate[0].read_text()
    api.apply(bundle(text))
    yield text
    api.delete("ConfigMap", AUTHORITIES, NAMESPACE)


def test_a_missing_certificate_is_said_and_the_command_that_is_named_makes_it(
    api: ApiServer, authorities: str, certificate: tuple[Path, Path], name: str
) -> None:
    make_all(api, name)
    message = await_reason(api, "CertificateMissing", "Facility", name)
    assert f"*.{name}.panosc.localhost" in message
    command = message.split("`")[1].split()
    assert command[0] == "kubectl"
    for placeholder, file in zip(("--cert=FILE", "--key=FILE"), certificate, strict=True):
        command[command.index(placeholder)] = placeholder.replace("FILE", str(file))
    done = api.kubectl(*command[1:])
    assert done.returncode == 0, done.stderr
    await_all_ready(api, name)
    assert (api.get("Facility", name) or {})["status"]["url"] == f"https://catalogue.{name}.panosc.localhost"


def test_plain_http_leads_to_https_and_to_nothing_else(api: ApiServer, authorities: str, name: str) -> None:
    make_all(api, name)
    gateway = api.existing("Gateway", "panosc", name)
    listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
    assert {key: each["protocol"] for key, each in listeners.items()} == {
        "services": "HTTPS",
        "panosc-redirect": "HTTP",
    }
    for route in api.list("HTTPRoute", name):
        [parent] = route["spec"]["parentRefs"]
        plain = route["metadata"]["name"] == "panosc-redirect"
        assert parent["sectionName"] == ("panosc-redirect" if plain else "services")


def test_services_get_the_authorities_and_start_again_with_others(
    api: ApiServer, authorities: str, name: str
) -> None:
    make_all(api, name)
    assert api.existing("ConfigMap", "panosc-trust", name)["data"] == {"ca.crt": authorities}

    def template() -> Object:
        found: Object = api.existing("Deployment", "catalogue", name)["spec"]["template"]
        return found

    before = template()
    [container] = before["spec"]["containers"]
    assert {"name": "SSL_CERT_FILE", "value": "/etc/panosc/trust/ca.crt"} in container["env"]
    assert "panosc-trust" in [v["configMap"]["name"] for v in before["spec"]["volumes"] if "configMap" in v]
    api.apply(bundle(authorities * 2))
    api.wait_for(lambda: template() != before, "pods with other authorities", 15)
    assert api.existing("ConfigMap", "panosc-trust", name)["data"] == {"ca.crt": authorities * 2}


def test_authorities_that_vanish_are_said_and_the_copy_stays(
    api: ApiServer, authorities: str, name: str
) -> None:
    make_all(api, name)
    api.delete("ConfigMap", AUTHORITIES, NAMESPACE)
    message = await_reason(api, "TrustMissing", "Facility", name)
    assert f"ConfigMap {NAMESPACE}/{AUTHORITIES}" in message
    assert api.existing("ConfigMap", "panosc-trust", name)["data"] == {"ca.crt": authorities}
