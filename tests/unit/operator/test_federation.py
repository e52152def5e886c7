"""What the state of a Federation, of its providers and of its realm means."""

import base64
from typing import Any

import pytest
from panosc_operator.api.federation import FederationStatus
from panosc_operator.engine.kind import Judgement
from panosc_operator.engine.resources import Object
from support.judging import judge, resource, status_of
from support.known import kind_of, observe

PROVIDER = {
    "name": "egi",
    "displayName": "EGI Check-in",
    "issuer": "https://aai.egi.eu/auth/realms/egi",
    "clientId": "panosc",
    "credentialsSecret": "egi-client",
}


DIRECTORY = {
    "name": "hr",
    "url": "ldaps://ldap.example.org",
    "bindDn": "cn=reader,dc=example,dc=org",
    "usersDn": "dc=example,dc=org",
    "credentialsSecret": "hr-reader",
}


def secret(name: str, namespace: str = "panosc-system", **content: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": "700"},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in content.items()},
    }


def federation(name: str = "panosc", **spec: Any) -> Object:
    said = {
        "displayName": "PaNOSC",
        "identifierScope": "panosc.eu",
        "entitlementNamespace": "geant:panosc.eu",
    }
    return resource("Federation", name, None, **said, **spec)


FACILITY = {
    **resource("Facility", "esrf", None, displayName="ESRF"),
    "status": {"domain": "esrf.panosc.localhost"},
}
OWN = resource(
    "Facility",
    "ill",
    None,
    displayName="ILL",
    aai={"issuer": "https://login.ill.eu", "audience": "ill", "entitlementNamespace": "geant:ill.eu"},
)
ADMINISTRATOR = secret("login-administrator", **{"client-id": "panosc-operator", "client-secret": "hidden"})
ACCOUNT = secret("panosc-login", "esrf", **{"client-secret": "hidden"})
ACCOUNT["metadata"]["ownerReferences"] = [{"uid": "uid-esrf"}]
WORLD = [FACILITY, OWN, ADMINISTRATOR, ACCOUNT]


def judged(obj: Object, world: list[Object], *, version: str | None = None, **more: Any) -> Judgement:
    """The judgement, where Keycloak said last that the realm is as declared, or `version` of it."""
    wish = observe(obj, world).realm
    report: Object = {"version": version or (wish.version if wish else ""), "identityProviders": []}
    return judge(obj, world=world, **{"report": report, **more})


def test_a_federation_whose_realm_is_as_declared_is_ready() -> None:
    judgement = judged(federation(), WORLD)
    assert judgement.finding is None
    assert judgement.message == "people log in at http://login.panosc.localhost/realms/panosc/account"
    assert judgement.status["issuer"] == "http://login.panosc.localhost/realms/panosc"
    assert judgement.status["facilities"] == ["esrf"], "a facility with a login of its own is no member"


@pytest.mark.parametrize(
    ("more", "reason", "words"),
    [
        ({"version": "another"}, "RealmProgressing", "being made as the spec says"),
        ({"report": None}, "RealmProgressing", "being made as the spec says"),
        ({"answering": False}, "RealmProgressing", "Keycloak doesn't answer the operator"),
        (
            {"report": {"version": "x", "error": "Keycloak refused PUT /panosc (400): no"}},
            "RealmFailed",
            "realm panosc: Keycloak refused PUT /panosc (400): no",
        ),
        (
            {"change": status_of("StatefulSet login-postgres", {})},
            "DatabaseProgressing",
            "StatefulSet login-postgres",
        ),
        ({"change": status_of("Gateway login", {})}, "GatewayProgressing", "Gateway login"),
        ({"change": status_of("Deployment login", {})}, "Progressing", "login"),
    ],
)
def test_what_is_missing_is_told(more: dict[str, Any], reason: str, words: str) -> None:
    finding = judged(federation(), WORLD, **more).finding
    assert finding is not None
    assert finding.reason == reason
    assert words in finding.message


JDBC_URI = "jdbc:postgresql://a.example:5432,b.example:6432/keycloak?sslmode=verify-full"
ROLE = {"username": "keycloak", "password": "hidden"}


@pytest.mark.parametrize(
    ("given", "reason", "words"),
    [
        (None, "DatabaseSecretNotFound", "Secret accounts isn't in the operator's namespace: make it"),
        ({**ROLE}, "DatabaseSecretInvalid", "Secret accounts lacks username, password, or a key jdbc-uri"),
        ({**ROLE, "jdbc-uri": JDBC_URI.removeprefix("jdbc:")}, "DatabaseSecretInvalid", "jdbc:postgresql://"),
        (
            {**ROLE, "jdbc-uri": "jdbc:mysql://a.example/keycloak"},
            "DatabaseSecretInvalid",
            "jdbc:postgresql://",
        ),
        (
            {**ROLE, "jdbc-uri": "jdbc:postgres://a.example/keycloak"},
            "DatabaseSecretInvalid",
            "jdbc:postgresql://",
        ),
        (
            {**ROLE, "jdbc-uri": "jdbc:postgresql://a.example:0/k"},
            "DatabaseSecretInvalid",
            "jdbc:postgresql://",
        ),
        ({"jdbc-uri": JDBC_URI, "username": "keycloak"}, "DatabaseSecretInvalid", "password"),
        ({**ROLE, "jdbc-uri": JDBC_URI}, None, ""),
    ],
)
def test_somebody_elses_database_is_taken_by_its_secret(
    given: dict[str, str] | None, reason: str | None, words: str
) -> None:
    obj = federation(database={"external": {"secret": "accounts"}})
    world = [*WORLD, secret("accounts", **given)] if given else WORLD
    finding = judged(obj, world).finding
    plan = kind_of(obj).plan(observe(obj, world))
    if reason:
        assert finding is not None
        assert (finding.reason, finding.stalled, plan) == (reason, True, None)
        assert words in finding.message
        assert "hidden" not in finding.message
        return
    assert finding is None
    names = {f"{desired.type.kind} {desired.manifest['metadata']['name']}" for desired in plan or []}
    assert not [name for name in names if "postgres" in name]
    (gate,) = [one for one in plan or [] if one.manifest["metadata"]["name"] == "login-external-database"]
    (rule,) = gate.manifest["spec"]["egress"]
    assert [one["port"] for one in rule["ports"]] == [5432, 6432]
    # The database stays whatever the deletion policy says, and knows the operator by this account alone.
    (account,) = [one for one in plan or [] if one.manifest["metadata"]["name"] == "login-administrator"]
    assert "panosc.eu/keep" in account.manifest["metadata"]["annotations"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": {}},  # another facility has its domain
        {"metadata": {**FACILITY["metadata"], "deletionTimestamp": "2026-02-01T00:00:00Z"}},
    ],
)
def test_only_facilities_that_are_what_they_say_are_members(changes: Object) -> None:
    world = [{**FACILITY, **changes}, OWN, ADMINISTRATOR, ACCOUNT]
    assert judged(federation(), world).status["facilities"] == []


def test_a_status_has_no_more_facilities_than_it_may() -> None:
    names = [f"facility-{number:03}" for number in range(300)]
    accounts = [secret("panosc-login", name, **{"client-secret": "hidden"}) for name in names]
    for name, account in zip(names, accounts, strict=True):
        account["metadata"]["ownerReferences"] = [{"uid": f"uid-{name}"}]
    facilities = [
        {
            **resource("Facility", name, None, displayName=name),
            "status": {"domain": f"{name}.panosc.localhost"},
        }
        for name in names
    ]
    world = [ADMINISTRATOR, *facilities, *accounts]
    status = judged(federation(), world).status
    assert status["facilities"] == names[:256]
    FederationStatus.model_validate({**status, "conditions": []})
    wish = observe(federation(), world).realm
    assert set(names) == {client.removeprefix("facility-") for client in wish.clients} - {
        "panosc-cli",
        "panosc-scripts",
    }


def test_an_account_that_somebody_else_made_is_none() -> None:
    """Administrators of a facility may make Secrets in its namespace."""
    planted = secret("panosc-login", "esrf", **{"client-secret": "known"})
    assert judged(federation(), [FACILITY, ADMINISTRATOR, planted]).status["facilities"] == []


def test_a_second_federation_is_told_who_has_the_login_and_makes_nothing() -> None:
    first, second = federation("first"), federation("second")
    second["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    first["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    finding = judge(second, world=[first, *WORLD]).finding
    assert finding is not None
    assert (finding.reason, finding.stalled) == ("LoginTaken", True)
    assert "Federation first has the login" in finding.message
    assert judged(first, [second, *WORLD]).finding is None


def provider_condition(world: list[Object], report: Object | None) -> tuple[str, str, str]:
    obj = federation(identityProviders=[PROVIDER])
    (condition,) = judge(obj, world=world, report=report).conditions
    assert condition.type == "IdentityProvidersReady"
    return condition.status, condition.reason, condition.message


def test_a_provider_without_its_secret_is_named_with_what_to_do() -> None:
    status, reason, message = provider_condition(WORLD, None)
    assert (status, reason) == ("False", "ProviderSecretNotFound")
    assert "egi-client" in message
    assert "clientSecret" in message
    assert "panosc-system" in message


def test_a_secret_without_its_key_is_none() -> None:
    _, reason, _ = provider_condition([*WORLD, secret("egi-client", password="hidden")], None)
    assert reason == "ProviderSecretNotFound"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, ("Unknown", "RealmProgressing")),
        ({"name": "egi", "offered": True, "message": ""}, ("True", "ProvidersOffered")),
        ({"name": "egi", "offered": False, "message": "it can't be read"}, ("False", "ProviderFailed")),
    ],
)
def test_what_became_of_a_provider_is_told(told: Object | None, expected: tuple[str, str]) -> None:
    world = [*WORLD, secret("egi-client", clientSecret="hidden")]
    report = {"version": "x", "identityProviders": [told]} if told else None
    assert provider_condition(world, report)[:2] == expected


def test_what_was_known_of_the_providers_is_shown_while_the_realm_cannot_be_kept() -> None:
    obj = federation(identityProviders=[PROVIDER])
    told = [{"name": "egi", "offered": True, "message": ""}, {"name": "gone", "offered": True, "message": ""}]
    obj["status"] = {"identityProviders": told}
    world = [*WORLD, secret("egi-client", clientSecret="hidden")]
    status = judge(obj, world=world, report={"version": "x", "error": "no"}).status
    assert status["identityProviders"] == told[:1]


@pytest.mark.parametrize(
    ("world", "told", "reason", "words"),
    [
        (
            [],
            None,
            "DirectorySecretNotFound",
            "no Secret hr-reader with a key bindPassword for user directory hr",
        ),
        (["hidden"], None, "RealmProgressing", "wasn't looked at yet"),
        (["hidden"], {"connected": True, "message": ""}, "DirectoriesConnected", "all user directories"),
        (["hidden"], {"connected": False, "message": "can't bind"}, "DirectoryFailed", "hr: can't bind"),
    ],
)
def test_what_became_of_a_directory_is_told(
    world: list[str], told: Object | None, reason: str, words: str
) -> None:
    obj = federation(userDirectories=[DIRECTORY])
    secrets = [secret("hr-reader", bindPassword=password) for password in world]
    report = {"version": "x", "userDirectories": [{"name": "hr", **told}]} if told else None
    judgement = judge(obj, world=[*WORLD, *secrets], report=report)
    (condition,) = judgement.conditions
    assert (condition.type, condition.reason) == ("UserDirectoriesReady", reason)
    assert words in condition.message
    FederationStatus.model_validate({**judgement.status, "conditions": []})


def test_a_mail_server_without_its_secret_is_told() -> None:
    obj = federation(mail={"host": "smtp.x.eu", "sender": "login@x.eu", "credentialsSecret": "smtp"})
    finding = judged(obj, [*WORLD, secret("smtp", username="login")]).finding
    assert finding is not None
    assert finding.reason == "MailSecretNotFound"
    assert "no Secret smtp with keys username and password for spec.mail" in finding.message
    assert judged(obj, [*WORLD, secret("smtp", username="login", password="hidden")]).finding is None


def test_a_federation_that_is_deleted_gives_no_login() -> None:
    gone = federation()
    gone["metadata"]["deletionTimestamp"] = "2026-02-01T00:00:00Z"
    catalogue = resource("Catalogue", "catalogue")
    namespace: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
    }
    assert observe(catalogue, [FACILITY, namespace, federation()]).login is not None
    assert observe(catalogue, [FACILITY, namespace, gone]).login is None
