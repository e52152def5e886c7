"""What a Facility depends on: its namespace, other facilities, and the resources that live in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from panosc_operator.api import Catalogue, DataArchive, Facility, Federation
from panosc_operator.api.facility import LoginClient
from panosc_operator.api.meta import GROUP, LABEL_FACILITY
from panosc_operator.engine.desired import RETAIN, retainer
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import (
    NAMESPACE,
    POD,
    SECRET,
    Key,
    Object,
    annotations_of,
    key_of,
    labels_of,
)
from panosc_operator.kinds.relations import (
    administrator_secret,
    age,
    domain_of,
    former_status,
    namespace_of,
    read_federation,
)
from panosc_operator.kinds.trust import read_bundle
from panosc_operator.settings import Settings

CLIENT_SECRET_KEY = "client-secret"  # noqa: S105 - a name, which is Envoy Gateway's


@dataclass(frozen=True)
class Observation:
    """A Facility and what it depends on."""

    facility: Facility
    settings: Settings
    namespace: Object | None = None
    """The namespace as it is, if it is there."""
    namespace_occupied: bool = False
    """Whether somebody's pods are in the namespace, and nobody has handed it over."""
    namespace_rival: str | None = None
    """An earlier facility that wants the same namespace."""
    domain_rival: str | None = None
    """A facility that has the same domain, or was the first to want it."""
    residents: tuple[Object, ...] = field(default=())
    """The DataArchives and Catalogues in the namespace."""
    federation: Federation | None = None
    """The Federation that has the cluster's login."""
    staff_secrets: tuple[str, ...] = ()
    """Names of the Secrets with the staff's tokens that the operator made for these Catalogues."""
    client_secret_keys: frozenset[str] | None = None
    """Keys, with something in them, of the Secret of the client at the facility's own login; None while it
    isn't there."""
    certificate_type: str | None = None
    """Type of the Secret with the certificate of the hosts; None while it isn't there."""
    trust_bundle: str | None = None
    """The authorities that services are to trust beside the public ones, if there are any."""

    @property
    def namespace_name(self) -> str:
        """Name of the namespace."""
        return namespace_of(self.facility)

    @property
    def client(self) -> LoginClient | None:
        """The client by which people log in at the facility's own login, if they can."""
        return _client(self.facility, self.settings)

    @property
    def domain(self) -> str:
        """Domain below which the services have their hosts."""
        return domain_of(self.facility, self.settings.base_domain)

    @property
    def certificate_name(self) -> str:
        """Name of the Secret with the certificate of the hosts."""
        return _certificate_name(self.facility)


async def observe(settings: Settings, facility: Facility, reader: Reader) -> Observation:
    """Read what the facility depends on."""
    name = namespace_of(facility)
    wanted = (name, domain_of(facility, settings.base_domain))
    own_age = age(facility.metadata.model_dump(mode="json", by_alias=True))
    own_claim = _claim(former_status(reader, facility), wanted[1], own_age)
    namespace_rival = domain_rival = None
    # Raw objects: a model of each of the other facilities in every pass would cost more than all the rest.
    for other in reader.cache.all(GROUP, Facility.info.kind):
        its_name, its_spec, its_age = other["metadata"]["name"], other["spec"], age(other["metadata"])
        if its_spec.get("namespace", its_name) == wanted[0] and its_age < own_age:
            namespace_rival = its_name
        its_domain = its_spec.get("domain", f"{its_name}.{settings.base_domain}")
        its_claim = _claim(other.get("status") or {}, wanted[1], its_age)
        if its_domain == wanted[1] and its_claim < own_claim:
            domain_rival = its_name
    residents = [
        obj for model in (DataArchive, Catalogue) for obj in reader.cache.all(GROUP, model.info.kind, name)
    ]
    namespace = await reader.read(NAMESPACE, None, name)
    certificate = (
        await reader.read(SECRET, name, _certificate_name(facility)) if settings.gateway_tls else None
    )
    return Observation(
        facility,
        settings,
        namespace=namespace,
        namespace_occupied=(
            namespace is not None
            and not _is_handed_over(namespace, facility)
            and bool(await reader.find(POD, name, {}))
        ),
        namespace_rival=namespace_rival,
        domain_rival=domain_rival,
        residents=tuple(sorted(residents, key=lambda obj: (obj["kind"], obj["metadata"]["name"]))),
        federation=read_federation(reader.cache),
        staff_secrets=tuple(sorted(_staff_secrets(residents, reader))),
        client_secret_keys=await _client_secret_keys(settings, facility, reader),
        certificate_type=certificate.get("type", "Opaque") if certificate else None,
        trust_bundle=await read_bundle(settings, reader),
    )


def _client(facility: Facility, settings: Settings) -> LoginClient | None:
    aai = facility.spec.aai
    return aai.client if aai and settings.has_sessions else None


async def _client_secret_keys(
    settings: Settings, facility: Facility, reader: Reader
) -> frozenset[str] | None:
    """Of the Secret, its keys alone: what is in them is the gateway's matter."""
    client = _client(facility, settings)
    secret = await reader.read(SECRET, namespace_of(facility), client.credentials_secret) if client else None
    if secret is None:
        return None
    return frozenset(key for key, content in (secret.get("data") or {}).items() if content)


def _certificate_name(facility: Facility) -> str:
    return f"{facility.metadata.name}-tls"


def _staff_secrets(residents: list[Object], reader: Reader) -> Iterable[str]:
    """Only what is the Catalogue's own: else one by a fitting name would open somebody else's Secret."""
    for obj in residents:
        name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
        owned = {key_of(each) for each in reader.cache.owned_by(obj["kind"], name, namespace)}
        secret = Key(SECRET.group, SECRET.kind, namespace, administrator_secret(name))
        if obj["kind"] == Catalogue.info.kind and secret in owned:
            yield secret.name


def _is_handed_over(namespace: Object, facility: Facility) -> bool:
    """Whether the namespace has a facility's label, or was this facility's before somebody took that off."""
    if LABEL_FACILITY in labels_of(namespace):
        return True
    return annotations_of(namespace).get(RETAIN) == retainer(facility)


def _claim(status: Object, domain: str, since: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    """Order of facilities that want the same domain: who has it keeps it, and serves data there."""
    return status.get("domain") != domain, since
