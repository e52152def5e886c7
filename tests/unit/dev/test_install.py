"""What `make install` refuses before it changes anything, and what it advises when a registry refuses."""

from pathlib import Path
from typing import Any

import pytest
from panosc_dev import install
from panosc_dev.images import push_remedy
from panosc_dev.progress import StepFailed

REGISTRY = "registry.example.org:5000"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "REGISTRY=host/path builds and pushes them"),
        ({"registry": REGISTRY}, "BASE_DOMAIN=data.example.org"),
        ({"values": [Path("absent.yaml")]}, "VALUES=absent.yaml: there is no such file"),
    ],
)
def test_what_is_missing_is_told_with_the_remedy(arguments: dict[str, Any], message: str) -> None:
    given = {"registry": "", "base_domain": "", "values": [], **arguments}
    with pytest.raises(StepFailed, match=message):
        install.check(**given)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "checking whether a blob exists: unauthorized: authentication required",
            f"buildah login {REGISTRY}",
        ),
        ("denied: requested access to the resource is denied", f"buildah login {REGISTRY}"),
        ("x509: certificate signed by unknown authority", f"/etc/containers/certs.d/{REGISTRY}/ca.crt"),
        ("http: server gave HTTP response to HTTPS client", f'location = "{REGISTRY}", insecure = true'),
    ],
)
def test_a_refusal_by_the_registry_comes_with_the_remedy(said: str, remedy: str) -> None:
    advice = push_remedy(REGISTRY, f"Error: pushing image: {said}")
    assert advice is not None
    assert remedy in advice


def test_another_failure_is_left_in_its_own_words() -> None:
    assert push_remedy(REGISTRY, "Error: no space left on device") is None


def test_it_is_told_what_pods_wait_for() -> None:
    def pod(name: str, **state: object) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"containerStatuses": [{"state": state}]}}

    message = 'Back-off pulling image "registry.example.org/operator:1": unauthorized'
    pods = [
        pod("old", running={}),
        pod("new", waiting={"reason": "ImagePullBackOff", "message": message}),
        pod("next", waiting={"reason": "ContainerCreating"}),
        {"metadata": {"name": "pending"}, "status": {}},
    ]
    assert install.waiting({"items": pods}) == [
        f"new: ImagePullBackOff: {message}",
        "next: ContainerCreating",
    ]
