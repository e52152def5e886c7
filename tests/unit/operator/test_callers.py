"""By which tokens archives show catalogues who they are: what the operator gives to either has to agree."""

import json
from collections.abc import Iterable

import pytest
from panosc_operator.engine.kind import TokenIssuer
from panosc_operator.engine.resources import Object
from support import judging
from support.judging import resource
from support.known import Known, kind_of, observe

NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "esrf", "resourceVersion": "1", "labels": {"panosc.eu/facility": "esrf"}},
}


def catalogue(name: str, *archives: str) -> Object:
    sources = [{"name": archive, "nexus": {"archive": archive}} for archive in archives]
    return resource("Catalogue", name, sources=sources)


ONE, TWO = catalogue("one", "a"), catalogue("two", "a", "b")
A, B = (resource("DataArchive", name, storage={"claim": {"size": "1Gi"}}) for name in ("a", "b"))
WORLD = [resource("Facility", "esrf", None, displayName="ESRF"), NAMESPACE, ONE, TWO, A, B]


def planned(obj: Object, world: Iterable[Object] = WORLD) -> dict[str, Object]:
    """What the resource becomes, by `Kind name`."""
    objects = kind_of(obj).plan(observe(obj, [each for each in world if each is not obj])) or []
    return {f"{each.type.kind} {each.manifest['metadata']['name']}": each.manifest for each in objects}


def callers(obj: Object) -> Object:
    name = obj["metadata"]["name"]
    told: Object = json.loads(planned(obj)[f"ConfigMap {name}-callers"]["data"]["callers.json"])
    return told


def tokens(obj: Object) -> dict[str, str]:
    """Audiences of the tokens in an archive's pod, by file."""
    pod = planned(obj)[f"Deployment {obj['metadata']['name']}"]["spec"]["template"]["spec"]
    (volume,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "tokens"]
    sources = [source["serviceAccountToken"] for source in volume["sources"]]
    return {source["path"]: source["audience"] for source in sources}


def test_an_archive_has_a_token_for_each_catalogue_that_reads_it_and_for_no_other() -> None:
    assert tokens(A) == {
        f"{name}.esrf.svc": callers(reading)["audience"] for name, reading in (("one", ONE), ("two", TWO))
    }
    assert tokens(B) == {"two.esrf.svc": callers(TWO)["audience"]}


def test_a_catalogue_takes_those_of_its_archives_alone() -> None:
    assert callers(ONE)["accounts"] == {"system:serviceaccount:esrf:a-api": "a"}
    assert callers(TWO)["accounts"] == {
        "system:serviceaccount:esrf:a-api": "a",
        "system:serviceaccount:esrf:b-api": "b",
    }
    objects = planned(A)
    assert objects["ServiceAccount a-api"]["automountServiceAccountToken"] is False
    users = [
        name
        for name, each in objects.items()
        if each.get("spec", {}).get("template", {}).get("spec", {}).get("serviceAccountName") == "a-api"
    ]
    assert users == ["Deployment a"]


def test_new_keys_restart_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned(ONE)
    assert Known.issuer
    monkeypatch.setattr(Known, "issuer", TokenIssuer(Known.issuer.name, {"keys": [{"kid": "new"}]}))
    after = planned(ONE)
    assert {name for name in before if before[name] != after[name]} == {"ConfigMap one-callers"}


def test_without_keys_a_catalogue_stays_as_it_is_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Known, "issuer", None)
    assert planned(ONE) == {}
    finding = judging.judge(ONE, world=WORLD).finding
    assert finding
    assert (finding.reason, finding.stalled) == ("TokenIssuerUnknown", True)
    assert "--service-account-issuer" in finding.message


def told_before(manifest: Object, uid: str, **changes: Object) -> Object:
    """A ConfigMap that is there, and whose it is."""
    metadata = {**manifest["metadata"], "ownerReferences": [{"uid": uid}], "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "ConfigMap", **manifest, "metadata": metadata, **changes}


def test_while_the_api_server_can_not_say_its_keys_the_last_ones_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, uid = planned(ONE)["ConfigMap one-callers"], ONE["metadata"]["uid"]
    monkeypatch.setattr(Known, "issuer_is_away", True)
    assert planned(ONE) == {}
    assert planned(ONE, [*WORLD, told_before(kept, uid)])["ConfigMap one-callers"] == kept
    for others in (told_before(kept, "else"), told_before(kept, uid, data={"callers.json": "{"})):
        assert planned(ONE, [*WORLD, others]) == {}


def test_a_catalogue_without_archives_asks_for_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Known, "issuer", None)
    none = catalogue("none")
    told = callers(none)
    assert (told["keys"], told["accounts"]) == ({}, {})
    finding = judging.judge(none, world=WORLD).finding
    assert finding is None or finding.reason != "TokenIssuerUnknown"
    # With its first archive it does, and what it was told before says nothing.
    kept = told_before(planned(none)["ConfigMap none-callers"], none["metadata"]["uid"])
    monkeypatch.setattr(Known, "issuer_is_away", True)
    assert planned(catalogue("none", "a"), [*WORLD, kept]) == {}
