"""People who log in through an identity provider elsewhere, as they meet it in Chromium."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from panosc_dev import accounts, deploy
from playwright.sync_api import BrowserContext, Page, expect
from support import upstream
from support.browser import CATALOGUE, hits, picture, sign_in
from support.cluster import Demo
from support.upstream import ADA, IMPOSTOR, NORA, Person

PROVIDER = {
    "name": upstream.NAMESPACE,
    "displayName": "Umbrella",
    "issuer": upstream.ISSUER,
    "clientId": upstream.CLIENT,
    "credentialsSecret": "umbrella-client",
    "verifiesEmail": True,
    "claims": {"orcid": "orcid"},
}
SECOND = {**PROVIDER, "name": upstream.SECOND, "displayName": "EduTeams", "issuer": upstream.SECOND_ISSUER}


@pytest.fixture(scope="module", autouse=True)
def provider(demo: Demo) -> Iterator[None]:
    """The federation offers it, and the demonstration's other tests do not see it."""
    upstream.start(demo)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "umbrella-client", "namespace": deploy.NAMESPACE},
        "stringData": {"clientSecret": upstream.SECRET},
    }
    demo.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(secret))
    _offer(demo, [PROVIDER, SECOND])
    demo.kubectl("wait", "--for=condition=IdentityProvidersReady", "federation/panosc", "--timeout=150s")
    # The login's page, which nobody loads twice, follows what is declared a moment later.
    providers = ("get", "identity-provider/instances", "-r", "panosc")
    demo.eventually(
        lambda: json.loads(demo.kcadm(*providers)), until=lambda offered: len(offered) == 2, seconds=150
    )
    yield
    _offer(demo, [])
    demo.kubectl("delete", "namespace", upstream.NAMESPACE)


def _offer(demo: Demo, providers: list[dict[str, Any]]) -> None:
    patch = json.dumps({"spec": {"identityProviders": providers}})
    demo.kubectl("patch", "federation", "panosc", "--type=merge", f"--patch={patch}")


def _come_through_it(page: Page, who: Person) -> None:
    """From a page of the catalogue to the provider, and back as far as the login lets them."""
    page.get_by_role("link", name="Log in").click()
    offered = page.get_by_role("link", name="Umbrella")
    expect(offered).to_be_visible()
    picture(page, "upstream-1-offered")
    offered.click()
    page.wait_for_url(f"{upstream.ISSUER}/**")
    picture(page, "upstream-2-asked-there")
    sign_in(page, who.name, upstream.PASSWORD)


def _claims(demo: Demo, who: str, said_in: str = "access-token") -> dict[str, Any]:
    """What the login says about an account to the catalogue's pages."""

    def ask(path: str, **query: str) -> Any:
        asked = [word for key, value in query.items() for word in ("-q", f"{key}={value}")]
        return json.loads(demo.kcadm("get", path, "-r", "panosc", *asked))

    (account,) = ask("users", username=who, exact="true")
    (client,) = ask("clients", clientId="facility-aurora")
    example = f"clients/{client['id']}/evaluate-scopes/generate-example-{said_in}"
    found: dict[str, Any] = ask(example, userId=account["id"], scope="openid")
    return found


def test_somebody_new_comes_through_it_and_leaves_both(demo: Demo, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search?sort=title")
    public = hits(page)
    _come_through_it(page, NORA)
    page.wait_for_url(f"{CATALOGUE}/search?sort=title")
    expect(page.get_by_text("Nora Vidal")).to_be_visible()
    picture(page, "upstream-3-somebody-new")
    assert hits(page) == public, "an account alone opens nothing"

    said = _claims(demo, NORA.name)
    assert said["sub"] == said["voperson_id"]
    assert said["sub"].endswith("@panosc.localhost")
    assert said["orcid"] == NORA.orcid
    assert said["eduperson_assurance"] == ["https://refeds.org/assurance/IAP/medium"]
    asked = _claims(demo, NORA.name, "userinfo")
    assert asked["schac_home_organization"] == upstream.ORGANIZATION
    assert asked["voperson_external_affiliation"] == [f"staff@{upstream.ORGANIZATION}"]
    assert asked["eduperson_assurance"] == said["eduperson_assurance"]

    page.get_by_role("link", name="Log out").click()
    page.wait_for_url(f"{CATALOGUE}/**")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    picture(page, "upstream-4-logged-out")
    # Whoever comes next to this browser has to say who they are, there as well.
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="Umbrella").click()
    expect(page.get_by_label("Username")).to_be_visible()


def test_an_account_without_a_password_is_linked_by_both_providers(
    demo: Demo, context: BrowserContext
) -> None:
    before = _claims(demo, NORA.name)["sub"]
    page = context.new_page()
    page.goto(CATALOGUE)
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="EduTeams").click()
    page.wait_for_url(f"{upstream.SECOND_ISSUER}/**")
    sign_in(page, NORA.name, upstream.PASSWORD)
    page.get_by_role("button", name="Add to existing account").click()
    picture(page, "upstream-8-proof-by-the-other-provider")
    page.get_by_role("link", name="Umbrella").click()
    page.wait_for_url(f"{upstream.ISSUER}/**")
    sign_in(page, NORA.name, upstream.PASSWORD)
    page.wait_for_url(f"{CATALOGUE}/**")
    expect(page.get_by_text("Nora Vidal")).to_be_visible()
    assert _claims(demo, NORA.name)["sub"] == before

    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    page.get_by_role("link", name="Log in").click()
    page.get_by_role("link", name="EduTeams").click()
    sign_in(page, NORA.name, upstream.PASSWORD)
    page.wait_for_url(f"{CATALOGUE}/**")
    expect(page.get_by_text("Nora Vidal")).to_be_visible()
    assert _claims(demo, NORA.name)["sub"] == before


def test_an_account_is_linked_by_both_logins_and_is_one_from_then_on(
    demo: Demo, context: BrowserContext
) -> None:
    before = _claims(demo, "ada")["sub"]
    page = context.new_page()
    page.goto(f"{CATALOGUE}/search")
    public = hits(page)
    _come_through_it(page, ADA)
    picture(page, "upstream-5-account-exists")
    page.get_by_role("button", name="Add to existing account").click()
    expect(page.get_by_label("Username")).to_have_value("ada")
    picture(page, "upstream-6-proof-of-the-other-login")
    page.locator("#password").fill(accounts.PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url(f"{CATALOGUE}/**")
    expect(page.get_by_text("Ada Marsh")).to_be_visible()
    picture(page, "upstream-7-linked")
    assert hits(page) == public + 2, "she sees what she saw by her other account"
    assert _claims(demo, "ada")["sub"] == before

    page.get_by_role("link", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    _come_through_it(page, ADA)
    page.wait_for_url(f"{CATALOGUE}/**")
    assert hits(page) == public + 2, "without being asked again"


def test_somebody_else_s_address_is_no_way_into_their_account(demo: Demo, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(CATALOGUE)
    _come_through_it(page, IMPOSTOR)
    page.get_by_role("button", name="Add to existing account").click()
    page.locator("#password").fill(upstream.PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_text("Invalid username or password").first).to_be_visible()
    assert "orcid" not in _claims(demo, "chiara")
    page.goto(f"{CATALOGUE}/search")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_a_provider_that_is_taken_out_is_no_longer_offered_and_its_people_come_back_with_it(
    demo: Demo, context: BrowserContext
) -> None:
    _offer(demo, [])

    def offered() -> bool:
        page = context.new_page()
        page.goto(CATALOGUE)
        page.get_by_role("link", name="Log in").click()
        expect(page.get_by_label("Username")).to_be_visible()
        shown = page.get_by_role("link", name="Umbrella").is_visible()
        page.close()
        return shown

    demo.eventually(offered, until=lambda shown: not shown, seconds=120)
    before = _claims(demo, NORA.name)["sub"]
    _offer(demo, [PROVIDER, SECOND])
    demo.eventually(offered, until=bool, seconds=120)
    page = context.new_page()
    page.goto(CATALOGUE)
    _come_through_it(page, NORA)
    page.wait_for_url(f"{CATALOGUE}/**")
    expect(page.get_by_text("Nora Vidal")).to_be_visible()
    assert _claims(demo, NORA.name)["sub"] == before
