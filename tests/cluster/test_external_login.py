"""People who log in elsewhere on the pages of a facility that has a client there, by Chromium."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from panosc_dev import addons
from playwright.sync_api import BrowserContext, expect
from support import upstream
from support.browser import CATALOGUE, hits, sign_in
from support.cluster import Demo
from support.upstream import NORA

SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "umbrella-client", "namespace": "aurora"},
    "stringData": {"client-secret": upstream.SECRET},
}
AAI = {
    "issuer": upstream.ISSUER,
    "audience": upstream.AUDIENCE,
    "entitlementNamespace": upstream.ENTITLEMENTS,
    "client": {"id": upstream.PAGES, "credentialsSecret": "umbrella-client", "ownAuthority": True},
}


@pytest.fixture(scope="module", autouse=True)
def elsewhere(demo: Demo) -> Iterator[None]:
    """The demonstration's facility uses it, and other tests find the federation's login again."""
    upstream.start(demo)
    address = ("get", "service", addons.GATEWAY_SERVICE, f"--namespace={addons.GATEWAY_NAMESPACE}")
    gateway = demo.kubectl(*address, "-o", "jsonpath={.spec.clusterIP}")
    # Envoy itself takes all names below localhost for its own host, but for those in /etc/hosts.
    _name(demo, [{"ip": gateway, "hostnames": [upstream.HOST]}])
    demo.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(SECRET))
    federation = _login(demo)
    _use(demo, AAI)
    demo.eventually(lambda: _login(demo), until=lambda login: login == upstream.ISSUER, seconds=150)
    yield
    _use(demo, None)
    demo.eventually(lambda: _login(demo), until=lambda login: login == federation, seconds=150)
    demo.kubectl("wait", "--for=condition=Ready", "facility/aurora", "--timeout=150s")
    _name(demo, None)
    demo.kubectl("delete", "secret", "umbrella-client", "--namespace=aurora", "--ignore-not-found")
    demo.kubectl("delete", "namespace", upstream.NAMESPACE)


def _use(demo: Demo, aai: dict[str, Any] | None) -> None:
    patch = json.dumps({"spec": {"aai": aai}})
    demo.kubectl("patch", "facility", "aurora", "--type=merge", f"--patch={patch}")


def _login(demo: Demo) -> str:
    """The login of the catalogue, once all its pods have it."""
    demo.kubectl("rollout", "status", "deployment/catalogue", "--namespace=aurora", "--timeout=150s")
    told = demo.get(f"{CATALOGUE}/.well-known/oauth-protected-resource").json()
    return str(told["authorization_servers"][0])


def _name(demo: Demo, hosts: list[dict[str, Any]] | None) -> None:
    """Give the gateway's pods other addresses of hosts."""
    spec = {"spec": {"template": {"spec": {"hostAliases": hosts}}}}
    change = {"type": "StrategicMerge", "value": spec} if hosts else None
    kubernetes = {"kubernetes": {"envoyDeployment": {"patch": change}}}
    patch = json.dumps({"spec": {"provider": kubernetes}})
    where = f"--namespace={addons.GATEWAY_NAMESPACE}"
    gateway = f"deployment/{addons.GATEWAY_SERVICE}"
    demo.kubectl("patch", "envoyproxy", "panosc", where, "--type=merge", f"--patch={patch}")
    demo.eventually(
        lambda: demo.kubectl("get", gateway, where, "-o", "jsonpath={.spec.template.spec.hostAliases}"),
        until=lambda found: bool(found) == bool(hosts),
        seconds=60,
    )
    demo.kubectl("rollout", "status", gateway, where, "--timeout=120s")


def _look(demo: Demo) -> str:
    """The reason of the facility's readiness, looked at again, as nobody watches a Secret of somebody's."""
    demo.kubectl("annotate", "facility", "aurora", "example.org/look=1", "--overwrite")
    demo.kubectl("annotate", "facility", "aurora", "example.org/look-")
    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"
    return demo.kubectl("get", "facility", "aurora", "-o", ready)


def test_staff_log_in_see_more_and_leave_both(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search?sort=title")
    public = hits(page)
    page.get_by_role("link", name="Log in").click()
    page.wait_for_url(f"{upstream.ISSUER}/**")
    sign_in(page, NORA.name, upstream.PASSWORD)
    page.wait_for_url(f"{CATALOGUE}/search?sort=title")
    expect(page.get_by_text("Nora Vidal")).to_be_visible()
    assert hits(page) > public

    page.get_by_role("link", name="Log out").click()
    page.wait_for_url(f"{CATALOGUE}/**")
    # Whoever comes next to this browser has to say who they are, there as well.
    page.get_by_role("link", name="Log in").click()
    expect(page.get_by_label("Username")).to_be_visible()


def test_without_the_clients_secret_pages_go_on_for_the_public(demo: Demo, context: BrowserContext) -> None:
    demo.kubectl("delete", "secret", "umbrella-client", "--namespace=aurora")
    demo.eventually(lambda: _look(demo), until=lambda reason: reason == "LoginSecretInvalid", seconds=60)
    page = context.new_page()

    def ways_in() -> int:
        page.goto(f"{CATALOGUE}/search")
        # An error's page, while pods are replaced, has no way in either.
        expect(page.locator("#hits")).to_be_visible()
        return page.get_by_role("link", name="Log in").count()

    demo.eventually(ways_in, until=lambda found: found == 0, seconds=150)
    assert hits(page)

    demo.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(SECRET))
    demo.eventually(lambda: _look(demo), until=lambda reason: reason == "Available", seconds=60)
    demo.eventually(ways_in, until=lambda found: found == 1, seconds=150)
