"""What the API server says to a spec that can't work: the field, the value and the remedy."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from panosc_operator.api import KINDS
from panosc_operator.generate.reference import example
from support.apiserver import REPOSITORY, ApiServer, Object, Refused

FACILITY: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Facility",
    "metadata": {"name": "validated"},
    "spec": {"displayName": "A facility"},
}
ARCHIVE: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "DataArchive",
    "metadata": {"name": "archive", "namespace": "default"},
    "spec": {"storage": {"claim": {"size": "1Gi"}}},
}
CATALOGUE: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Catalogue",
    "metadata": {"name": "catalogue", "namespace": "default"},
    "spec": {},
}
FEDERATION: Object = {
    "apiVersion": "panosc.eu/v1alpha1",
    "kind": "Federation",
    "metadata": {"name": "validated"},
    "spec": {"displayName": "PaNOSC", "identifierScope": "x.eu", "entitlementNamespace": "geant:x.eu"},
}
PROVIDER = {
    "name": "egi",
    "displayName": "EGI Check-in",
    "issuer": "https://aai.egi.eu/auth/realms/egi",
    "clientId": "panosc",
    "credentialsSecret": "egi-client",
}
AAI = {"issuer": "https://login.example.org", "audience": "a", "entitlementNamespace": "geant:x.eu"}
CLIENT = {"id": "panosc", "credentialsSecret": "login-client"}
DIRECTORY = {
    "name": "hr",
    "url": "ldaps://ldap.x.eu",
    "bindDn": "cn=reader,dc=x,dc=eu",
    "credentialsSecret": "hr-reader",
    "usersDn": "OU=Staff,DC=x,DC=eu",
}
REMOVE = object()


def changed(manifest: Object, path: str, value: Any) -> Object:
    """A copy of the manifest in which the field at the dotted path has the value, or is gone."""
    copied = copy.deepcopy(manifest)
    *parents, last = path.split(".")
    place = copied
    for name in parents:
        place = place.setdefault(name, {})
    if value is REMOVE:
        place.pop(last, None)
    else:
        place[last] = value
    return copied


ACCEPTED = [
    (FEDERATION, "spec.identityProviders", [PROVIDER]),
    (FEDERATION, "spec.userDirectories", [DIRECTORY]),
    (FEDERATION, "spec.mail", {"host": "smtp.x.eu", "sender": "login@x.eu"}),
    (FEDERATION, "spec.userDirectories", [{**DIRECTORY, "url": "ldaps://ad.x.eu:3269", "vendor": "ad"}]),
    (FEDERATION, "spec.userDirectories", [{**DIRECTORY, "url": "ldap://ldap.x.eu", "startTls": True}]),
    (FEDERATION, "spec.userDirectories", [{**DIRECTORY, "userFilter": "(&(a=b)(!(c=d)))"}]),
    (FEDERATION, "spec.host", "login.x.eu"),
    (FACILITY, "spec.ror", "https://ror.org/02550n020"),
    (FACILITY, "spec.aai", AAI),
    (FACILITY, "spec.aai", {**AAI, "issuer": "http://l.localhost:80/x"}),
    (FACILITY, "spec.aai", {**AAI, "client": CLIENT}),
    (FACILITY, "spec.aai", {**AAI, "client": {**CLIENT, "scopes": ["openid", "https://x.eu/auth/read.all"]}}),
    (FACILITY, "spec.country", "SE"),
    (FACILITY, "spec.website", "https://www.esrf.fr"),
    (FACILITY, "spec.namespace", "esrf-2"),
    (FACILITY, "spec.domain", "esrf.panosc.localhost"),
    (FACILITY, "spec.domain", "localhost"),
    (FACILITY, "spec.dataPolicy.license", "CC-BY-SA-4.0"),
    (FACILITY, "spec.dataPolicy.license", "CC-BY-NC-4.0"),
    (FACILITY, "spec.dataPolicy.license", "ODbL-1.0"),
    (FACILITY, "spec.dataPolicy.metadataLicense", "CC0-1.0"),
    (FACILITY, "spec.dataPolicy.url", "https://www.esrf.fr/datapolicy"),
    (FACILITY, "spec.dataPolicy.embargo.months", 0),
    (FACILITY, "spec.identifiers.doi.prefix", "10.15151"),
    (FACILITY, "spec.identifiers.doi", {"prefix": "10.15151", "registrar": {"none": {}}}),
    (
        FACILITY,
        "spec.identifiers.doi",
        {
            "prefix": "10.15151",
            "registrar": {"dataCite": {"credentialsSecret": "datacite"}},
            "mint": {"datasets": False},
        },
    ),
    (FACILITY, "spec.contacts", [{"name": "Data", "email": "data@esrf.fr"}]),
    (FACILITY, "spec.quota", {"cpu": 64, "memory": "512Gi", "gpu": 8, "storage": "100Ti"}),
    (FACILITY, "spec.quota.cpu", "500m"),
    (ARCHIVE, "spec.storage", {"existingClaim": "beamline.data"}),
    (ARCHIVE, "spec.storage", {"existingClaim": "data", "supplementalGroups": [100, 2**31 - 1]}),
    (ARCHIVE, "spec.storage.claim.size", 1000000000),
    (ARCHIVE, "spec.storage.claim.storageClass", "ceph.rbd"),
    (ARCHIVE, "spec.storage.claim.accessModes", ["ReadWriteMany"]),
    (ARCHIVE, "spec.layout", {"proposalDirectory": 2, "datasetDirectory": 3}),
    (ARCHIVE, "spec.uploads", {}),
    (ARCHIVE, "spec.uploads", {"maxFileSize": "500Gi", "keepPartialDays": 30}),
    *(
        (ARCHIVE, "spec.fixity.schedule", s)
        for s in ("@daily", "*/15 0-6 1,15 JAN-JUN MON", "0 3 * * 0", "05 23 31 12 6")
    ),
    (CATALOGUE, "spec.sources", [{"name": "beamlines", "nexus": {"archive": "archive"}}]),
    *(
        (CATALOGUE, "spec.sources", [{"name": "other", kind: {"url": "https://x.example.org:8443/api"}}])
        for kind in ("icat", "scicat", "mymdc", "searchAPI", "oaiPmh")
    ),
    (
        CATALOGUE,
        "spec.sources",
        [
            {
                "name": "other",
                "scicat": {"url": "https://x/api", "apiVersion": "v3", "credentialsSecret": "a.b"},
            }
        ],
    ),
    (CATALOGUE, "spec.sources", [{"name": "x" * 63, "searchAPI": {"url": "http://x/api"}}]),
    (CATALOGUE, "spec.database", {"external": {"secret": "postgres"}}),
    (CATALOGUE, "spec.database", {"managed": {}}),
    (FEDERATION, "spec.database", {"external": {"secret": "accounts-app"}}),
    (CATALOGUE, "metadata.name", "x" * 40),
]


@pytest.mark.parametrize(("base", "path", "value"), ACCEPTED)
def test_accepts(api: ApiServer, base: Object, path: str, value: Any) -> None:
    api.create(changed(base, path, value), dry_run=True)


REFUSED = [
    (FACILITY, "metadata.name", "ESRF", "lowercase RFC 1123"),
    (FACILITY, "metadata.name", "e" * 41, "choose a name of at most 40 lower-case letters"),
    (
        FACILITY,
        "metadata.name",
        "my.facility",
        "metadata.name: Invalid value: 'my.facility' is used as a namespace",
    ),
    (
        FACILITY,
        "metadata.name",
        "federation",
        "metadata.name: Invalid value: 'federation' is the name of the federation's own groups",
    ),
    (FEDERATION, "spec.identifierScope", REMOVE, "spec.identifierScope: Required value"),
    (FEDERATION, "spec.entitlementNamespace", "urn:geant:x.eu", "such as geant:panosc.eu"),
    (
        FEDERATION,
        "spec.identityProviders",
        [{**PROVIDER, "issuer": "http://aai.egi.eu"}],
        "write the provider's issuer: an address that begins with https://, without a slash at its end",
    ),
    (FEDERATION, "spec.identityProviders", [PROVIDER, PROVIDER], "Duplicate value"),
    (
        FEDERATION,
        "spec.userDirectories",
        [{**DIRECTORY, "url": "ldap://ldap.x.eu"}],
        "spec.userDirectories[0].url: Invalid value: url ldap://ldap.x.eu sends passwords in the clear: give "
        "an address that begins with ldaps://, or set startTls to true",
    ),
    (
        FEDERATION,
        "spec.userDirectories",
        [{**DIRECTORY, "startTls": True}],
        "url ldaps://ldap.x.eu begins TLS by itself: leave startTls out",
    ),
    (
        FEDERATION,
        "spec.userDirectories",
        [{**DIRECTORY, "url": "https://ldap.x.eu"}],
        "write an LDAP server's address",
    ),
    (FEDERATION, "spec.userDirectories", [{**DIRECTORY, "bindDn": "reader"}], "write a distinguished name"),
    (
        FEDERATION,
        "spec.userDirectories",
        [{**DIRECTORY, "userFilter": "a=b"}],
        "an LDAP filter in parentheses",
    ),
    (FEDERATION, "spec.userDirectories", [DIRECTORY, DIRECTORY], "Duplicate value"),
    (FEDERATION, "spec.mail", {"host": "smtp.x.eu", "sender": "login"}, "write an e-mail address"),
    (FEDERATION, "spec.mail", {"host": "smtp.x.eu", "sender": "a@x.eu", "tls": "none"}, "spec.mail.tls"),
    (FEDERATION, "spec.replicas", 0, "spec.replicas in body should be greater than or equal to 1"),
    (FACILITY, "spec.displayName", REMOVE, "spec.displayName: Required value"),
    (FACILITY, "spec.displayName", "", "spec.displayName in body should be at least 1 chars long"),
    (FACILITY, "spec.displayName", "x" * 201, "spec.displayName: Too long: may not be more than 200"),
    (
        FACILITY,
        "spec.ror",
        "02550n020",
        "spec.ror: Invalid value: \"02550n020\": '02550n020' is not valid: write the facility's identifier "
        "in the Research Organization Registry, such as https://ror.org/02550n020",
    ),
    (FACILITY, "spec.ror", "https://ror.org/0255oin020", "such as https://ror.org/02550n020"),
    (
        FACILITY,
        "spec.aai",
        {**AAI, "issuer": "http://login.example.org"},
        "spec.aai.issuer: Invalid value: issuer http://login.example.org begins with http://, where anybody "
        "in between could sign tokens: give the address that begins with https://",
    ),
    (
        FACILITY,
        "spec.aai",
        {**AAI, "entitlementNamespace": "urn:geant:x.eu:group:a"},
        "between `urn:` and `:group:`, such as geant:panosc.eu",
    ),
    (FACILITY, "spec.aai", {"client": CLIENT}, "spec.aai.issuer: Required value"),
    (FACILITY, "spec.aai", {**AAI, "group": "esrf:role=admin"}, "write groups with colons between them"),
    (
        FACILITY,
        "spec.aai",
        {**AAI, "issuer": "http://l.localhost/x", "client": CLIENT},
        "spec.aai.issuer: Invalid value: issuer http://l.localhost/x does not begin with https://, so the "
        "gateway logs nobody in there: give the address that does, or no client",
    ),
    (
        FACILITY,
        "spec.aai",
        {**AAI, "client": {"id": "panosc"}},
        "spec.aai.client.credentialsSecret: Required value",
    ),
    (
        FACILITY,
        "spec.aai",
        {**AAI, "client": {**CLIENT, "scopes": ["openid email"]}},
        "'openid email' is not valid: write one scope, without spaces, such as eduperson_entitlement",
    ),
    (
        FACILITY,
        "spec.country",
        "UK",
        "'UK' is not an ISO 3166-1 alpha-2 country code: write two capital letters",
    ),
    (FACILITY, "spec.country", "fr", "'fr' is not an ISO 3166-1 alpha-2 country code"),
    (FACILITY, "spec.country", "FRA", "spec.country: Too long"),
    (
        FACILITY,
        "spec.website",
        "www.esrf.fr",
        "'www.esrf.fr' is not valid: write a web address that begins with",
    ),
    (FACILITY, "spec.namespace", "ESRF", "spec.namespace: Invalid value"),
    (FACILITY, "spec.namespace", "e.s", "'e.s' is not valid: write a DNS label"),
    (FACILITY, "spec.domain", "https://esrf.fr", "'https://esrf.fr' is not valid: write a DNS name"),
    (
        FACILITY,
        "spec.domain",
        "esrf_data.fr",
        "write a DNS name of lower-case labels, such as esrf.panosc.eu",
    ),
    (FACILITY, "spec.domain", "-a.fr", "write a DNS name"),
    (
        FACILITY,
        "spec.dataPolicy.license",
        "CC BY 4.0",
        "'CC BY 4.0' is not valid: write an SPDX licence identifier, such as CC-BY-4.0",
    ),
    (
        FACILITY,
        "spec.dataPolicy.license",
        "CC-BY",
        "'CC-BY' lacks the licence's version: write its SPDX identifier",
    ),
    (FACILITY, "spec.dataPolicy.metadataLicense", "CC0", "spec.dataPolicy.metadataLicense: Invalid value"),
    (
        FACILITY,
        "spec.dataPolicy.url",
        "policy.pdf",
        "'policy.pdf' is not valid: write a URL that begins with https:// or http://",
    ),
    (
        FACILITY,
        "spec.dataPolicy.embargo.months",
        -1,
        "spec.dataPolicy.embargo.months in body should be greater",
    ),
    (FACILITY, "spec.dataPolicy.embargo.months", 36.5, "must be of type integer"),
    (
        FACILITY,
        "spec.identifiers.doi.prefix",
        "10.123",
        "'10.123' is not valid: write a DOI prefix: '10.' and four",
    ),
    (FACILITY, "spec.identifiers.doi.prefix", "doi:10.5072", "write a DOI prefix"),
    (
        FACILITY,
        "spec.identifiers.doi",
        {"prefix": "10.5072", "registrar": {}},
        "set exactly one of: dataCite, none; set now: none",
    ),
    (
        FACILITY,
        "spec.identifiers.doi",
        {"prefix": "10.5072", "registrar": {"none": {}, "dataCite": {"credentialsSecret": "datacite"}}},
        "set exactly one of: dataCite, none; set now: dataCite none",
    ),
    (
        FACILITY,
        "spec.identifiers.doi",
        {"prefix": "10.5072", "registrar": {"dataCite": {}}},
        "credentialsSecret: Required value",
    ),
    (
        FACILITY,
        "spec.identifiers.doi",
        {
            "prefix": "10.5072",
            "registrar": {"dataCite": {"credentialsSecret": "datacite", "endpoint": "api.datacite.org"}},
        },
        "write a web address",
    ),
    (
        FACILITY,
        "spec.identifiers.doi",
        {
            "prefix": "10.5072",
            "registrar": {
                "dataCite": {"credentialsSecret": "datacite", "endpoint": "https://me:pw@api.datacite.org"}
            },
        },
        "without user, password and query",
    ),
    (
        FACILITY,
        "spec.identifiers.doi",
        {
            "prefix": "10.5072",
            "registrar": {
                "dataCite": {"credentialsSecret": "datacite", "endpoint": "http://api.datacite.org"}
            },
        },
        "endpoint http://api.datacite.org sends the credentials of Secret datacite in the clear: give",
    ),
    *(
        (CATALOGUE, "spec.sources", [{"name": "a", "searchAPI": {"url": url}}], "write a web address")
        for url in ("https://x:abc/api", "https://x:99999", "https://x:0/api", "https://")
    ),
    (
        FACILITY,
        "spec.contacts",
        [{"name": "Data", "email": "data"}],
        "'data' is not valid: write an e-mail address",
    ),
    (
        FACILITY,
        "spec.quota.cpu",
        "many",
        "'many' is not a positive Kubernetes quantity: write 500m, 64, 20Gi or 10Ti",
    ),
    (FACILITY, "spec.quota.memory", "-1Gi", "'-1Gi' is not a positive Kubernetes quantity"),
    (FACILITY, "spec.quota.storage", 0, "'0' is not a positive Kubernetes quantity"),
    (FACILITY, "spec.deletionPolicy", "Keep", 'supported values: "Retain", "Delete"'),
    (
        ARCHIVE,
        "metadata.name",
        "1archive",
        "metadata.name: Invalid value: '1archive' is used as the name of its objects",
    ),
    (ARCHIVE, "spec.storage", REMOVE, "spec.storage: Required value"),
    (ARCHIVE, "spec.storage", {}, "set exactly one of: claim, existingClaim; set now: none"),
    (
        ARCHIVE,
        "spec.storage",
        {"existingClaim": "data", "claim": {"size": "1Gi"}},
        "set exactly one of: claim, existingClaim; set now: claim existingClaim",
    ),
    (ARCHIVE, "spec.storage.claim.size", "10 TB", "'10 TB' is not a positive Kubernetes quantity"),
    (ARCHIVE, "spec.storage.claim.size", REMOVE, "spec.storage.claim.size: Required value"),
    (
        ARCHIVE,
        "spec.storage.claim.storageClass",
        "Fast",
        "'Fast' is not valid: write the name of a Kubernetes object",
    ),
    (
        ARCHIVE,
        "spec",
        {"storage": {"existingClaim": "data"}, "uploads": {}},
        "spec.uploads: Invalid value: uploads needs storage.claim: files of the existing claim data are read",
    ),
    (ARCHIVE, "spec.uploads", {"keepPartialDays": 0}, "should be greater than or equal to 1"),
    (ARCHIVE, "spec.uploads", {"maxFileSize": "big"}, "'big' is not a positive Kubernetes quantity"),
    (ARCHIVE, "spec.uploads", {"maxFileSize": "500m"}, "500m is less than a byte: write it as 500Gi"),
    (ARCHIVE, "spec.storage.supplementalGroups", [0], "should be greater than or equal to 1"),
    (ARCHIVE, "spec.storage.supplementalGroups", [7, 7], "Duplicate value"),
    (ARCHIVE, "spec.storage.supplementalGroups", [*range(1, 18)], "must have at most 16 items"),
    (ARCHIVE, "spec.storage.claim.accessModes", ["RWX"], 'supported values: "ReadWriteOnce"'),
    (ARCHIVE, "spec.storage.claim.accessModes", [], "should have at least 1 items"),
    (ARCHIVE, "spec.storage.existingClaim", "My_Claim", "'My_Claim' is not valid"),
    (ARCHIVE, "spec.layout.proposalDirectory", 0, "should be greater than or equal to 1"),
    (
        ARCHIVE,
        "spec.layout",
        {"proposalDirectory": 2, "datasetDirectory": 2},
        "datasetDirectory must be deeper than proposalDirectory: proposals hold datasets",
    ),
    *(
        (ARCHIVE, "spec.fixity.schedule", s, f"'{s}' is not valid: write a cron schedule")
        for s in ("weekly", "0 3 * *", "60 3 * * 0", "0 24 * * 0", "0 3 0 * 0", "0 3 * 13 0", "0 3 * * 7")
    ),
    (ARCHIVE, "spec.replicas", 0, "spec.replicas in body should be greater than or equal to 1"),
    (CATALOGUE, "spec.sources", [{"name": "a"}], "spec.sources[0]: Invalid value"),
    (CATALOGUE, "spec.sources", [{"name": "a"}], "oaiPmh; set now: none"),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": "a", "nexus": {"archive": "a"}, "icat": {"url": "https://x"}}],
        "set exactly one of: nexus, icat, scicat, mymdc, searchAPI, oaiPmh; set now: nexus icat",
    ),
    (CATALOGUE, "spec.sources", [{"name": "a", "icat": {}}], "spec.sources[0].icat.url: Required value"),
    *(
        (
            CATALOGUE,
            "spec.sources",
            [{"name": "a", "searchAPI": {"url": url}}],
            "without user, password and query",
        )
        for url in ("x.example.org", "ftp://x", "https://me:pw@x/api", "https://x/api?token=t", "https://x y")
    ),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": "a", "scicat": {"url": "https://x", "apiVersion": "v5"}}],
        'supported values: "v3", "v4"',
    ),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": "a", "oaiPmh": {"url": "https://x", "metadataPrefix": "oai dc"}}],
        "verb=ListMetadataFormats",
    ),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": "a", "mymdc": {"url": "https://x", "requestsPerSecond": 0}}],
        "should be greater than or equal to 1",
    ),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": "a" * 64, "icat": {"url": "https://x"}}],
        "may not be more than 63",
    ),
    *(
        (
            CATALOGUE,
            "spec.sources",
            [{"name": "a", kind: {"url": "http://x/api", "credentialsSecret": "reader"}}],
            f"[0].{kind}.url: Invalid value: url http://x/api sends the credentials of Secret reader",
        )
        for kind in ("icat", "scicat", "mymdc", "searchAPI", "oaiPmh")
    ),
    (CATALOGUE, "spec.sources", [{"nexus": {"archive": "a"}}], "spec.sources[0].name: Required value"),
    (CATALOGUE, "spec.sources", [{"name": "a", "nexus": {"archive": "A"}}], "write a DNS label"),
    (CATALOGUE, "spec.sources", [{"name": "a", "nexus": {"archive": "a"}}] * 2, "Duplicate value"),
    (
        CATALOGUE,
        "spec.sources",
        [{"name": f"s{i}", "nexus": {"archive": "a"}} for i in range(17)],
        "Too many: 17",
    ),
    (CATALOGUE, "spec.database", {}, "set exactly one of: managed, external; set now: none"),
    (FEDERATION, "spec.database", {}, "set exactly one of: managed, external; set now: none"),
    (
        CATALOGUE,
        "spec.database",
        {"managed": {}, "external": {"secret": "a"}},
        "set exactly one of: managed, external; set now: managed external",
    ),
    (CATALOGUE, "spec.database.external", {}, "spec.database.external.secret: Required value"),
    (CATALOGUE, "spec.database.managed.memory", "100Mi", "memory 100Mi is too little for PostgreSQL"),
    (CATALOGUE, "spec.database.managed.size", "0Gi", "'0Gi' is not a positive Kubernetes quantity"),
]


@pytest.mark.parametrize(("base", "path", "value", "expected"), REFUSED)
def test_refuses_with_the_reason(api: ApiServer, base: Object, path: str, value: Any, expected: str) -> None:
    with pytest.raises(Refused) as refused:
        api.create(changed(base, path, value), dry_run=True)
    assert expected in refused.value.message
    if path != "metadata.name":
        assert path in refused.value.message


def test_the_largest_objects_are_within_the_budget_of_the_rules(api: ApiServer) -> None:
    label = "a" * 63
    facility = changed(FACILITY, "spec.domain", ".".join([label, label, "b" * 62]))
    facility["spec"] |= {
        "displayName": "ü" * 200,
        "website": "https://" + "w" * 2040,
        "administrators": {"groups": [f"{i:03}" + "g" * 250 for i in range(32)]},
        "contacts": [{"name": "n" * 200, "email": f"{i:03}@" + "e" * 246 + ".eu"} for i in range(16)],
        "dataPolicy": {"url": "https://" + "p" * 2040, "license": "L" * 64, "metadataLicense": "M" * 64},
    }
    api.create(facility, dry_run=True)
    sources = [
        {
            "name": f"{i:02}" + "s" * 49,
            "nexus": {"archive": label, "include": [f"{j:02}" + "*" * 98 for j in range(32)]},
        }
        for i in range(16)
    ]
    api.create(changed(CATALOGUE, "spec.sources", sources), dry_run=True)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_example_of_the_reference_is_valid(api: ApiServer, kind: Any, namespace: str) -> None:
    manifest = example(kind).replace("namespace: esrf", f"namespace: {namespace}")
    (stored,) = api.apply(manifest, dry_run=True)
    assert kind.model_validate(stored).spec


@pytest.mark.parametrize("file", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda file: file.name)
def test_examples_of_the_repository_are_valid(api: ApiServer, namespace: str, file: Path) -> None:
    manifests = [
        manifest for manifest in yaml.safe_load_all(file.read_text()) if manifest["kind"] != "Namespace"
    ]
    for manifest in manifests:
        if "namespace" in manifest["metadata"]:
            manifest["metadata"]["namespace"] = namespace
        api.create(manifest, dry_run=True)
    kinds = {kind.info.kind for kind in KINDS}
    if file.name != "demo.yaml":
        kinds.remove("Federation")  # there is one in a cluster, which the first example has
    assert {manifest["kind"] for manifest in manifests} == kinds
