"""How resources of different kinds find each other: by the namespace's facility, and by name in a spec."""

from collections.abc import Callable, Iterable

from panosc_common.access import Login

from panosc_operator.api import DataArchive, Facility, Federation
from panosc_operator.api.meta import GROUP, LABEL_FACILITY, VERSION, Resource
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import (
    NAMESPACE,
    SECURITY_POLICY,
    Key,
    Object,
    ResourceType,
    key_of,
    labels_of,
)
from panosc_operator.kinds.building import API_PORT
from panosc_operator.settings import Settings

LOGIN = "login"
"""Name of the federation's login: of its objects, and of its host below the base domain."""
LOGIN_ADMINISTRATOR = f"{LOGIN}-administrator"
"""Name of the Secret with the operator's account there."""
LOGIN_SECRET = "panosc-login"  # noqa: S105 - a name
"""Name of the Secret, in a facility's namespace, of its client there, and of the policy for sessions."""
REALM = "panosc"
AUDIENCE_PREFIX = "facility-"


def type_of(model: type[Resource]) -> ResourceType:
    """A kind as a type of the Kubernetes API."""
    info = model.info
    return ResourceType(GROUP, VERSION, info.kind, info.plural, info.namespaced)


def facility_of_namespace(cache: Cache, namespace: str | None) -> str | None:
    """Name of the facility that a namespace belongs to, by its label."""
    if namespace is None:
        return None
    obj = cache.get(Key(NAMESPACE.group, NAMESPACE.kind, None, namespace))
    return labels_of(obj).get(LABEL_FACILITY) if obj else None


def facility_of_object(obj: Object, cache: Cache) -> Iterable[Key]:
    """The Facility that a namespace, or an object in one, belongs to."""
    if obj["kind"] == NAMESPACE.kind:
        name = labels_of(obj).get(LABEL_FACILITY)
    else:
        name = facility_of_namespace(cache, obj["metadata"].get("namespace"))
    if name:
        yield Key(GROUP, Facility.info.kind, None, name)


def residents(kind: ResourceType, obj: Object, cache: Cache) -> Iterable[Key]:
    """The resources of a kind that live in a namespace, in that of an object, or in those of a Facility."""
    if obj["kind"] == NAMESPACE.kind:
        namespaces = [obj["metadata"]["name"]]
    elif obj["kind"] != Facility.info.kind:
        namespaces = [obj["metadata"]["namespace"]]
    else:
        facility = obj["metadata"]["name"]
        namespaces = [
            one["metadata"]["name"]
            for one in cache.all(NAMESPACE.group, NAMESPACE.kind)
            if labels_of(one).get(LABEL_FACILITY) == facility
        ]
    for namespace in namespaces:
        yield from (key_of(one) for one in cache.all(kind.group, kind.kind, namespace))


def everything_of(model: type[Resource]) -> Callable[[Object, Cache], Iterable[Key]]:
    """All resources of a kind, which a change of anything of another concerns."""
    kind = type_of(model)
    return lambda _, cache: [key_of(one) for one in cache.all(kind.group, kind.kind)]


def read_facility(reader: Reader, namespace: str | None) -> Facility | None:
    """The Facility that a namespace belongs to, if there is one and it isn't being deleted."""
    name = facility_of_namespace(reader.cache, namespace)
    obj = reader.cache.get(Key(GROUP, Facility.info.kind, None, name)) if name else None
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return None
    return Facility.wish(obj)


def former_status(reader: Reader, resource: Resource) -> Object:
    """The status that was last written, as it is: perhaps by another version of the operator."""
    info, metadata = resource.info, resource.metadata
    obj = reader.cache.get(Key(GROUP, info.kind, metadata.namespace, metadata.name))
    return (obj or {}).get("status") or {}


def domain_of(facility: Facility, base_domain: str) -> str:
    """Domain below which the services of a facility have their hosts."""
    return facility.spec.domain or f"{facility.metadata.name}.{base_domain}"


def namespace_of(facility: Facility) -> str:
    """Namespace of a facility's services."""
    return facility.spec.namespace or facility.metadata.name


def archives_of_catalogue(catalogue: Object) -> list[str]:
    """Names of the DataArchives that a Catalogue's sources read, without repetition."""
    sources = catalogue["spec"].get("sources") or []
    return list(dict.fromkeys(source["nexus"]["archive"] for source in sources if source.get("nexus")))


def data_claim(archive: DataArchive) -> str:
    """Name of the claim that holds a DataArchive's files."""
    return archive.spec.storage.existing_claim or f"{archive.metadata.name}-data"


def administrator_secret(catalogue: str) -> str:
    """Name of the Secret with the token by which the staff decides in the Catalogue of this name."""
    return f"{catalogue}-administrator"


def links_secret(archive: str) -> str:
    """Name of the Secret with the keys by which the DataArchive of this name signs links."""
    return f"{archive}-links"


def catalogue_host(catalogue: str, namespace: str) -> str:
    """Host of the Catalogue of this name within the cluster."""
    return f"{catalogue}.{namespace}.svc"


def catalogue_url(catalogue: str, namespace: str) -> str:
    """Address of the Catalogue of this name within the cluster, for which archives' tokens are issued."""
    return f"http://{catalogue_host(catalogue, namespace)}:{API_PORT}"


def archive_account(archive: str) -> str:
    """Name of the service account with which the server of the DataArchive of this name asks catalogues."""
    return f"{archive}-api"


def host_of(resource: Resource, domain: str) -> str:
    """Host under which a resource's service is reached."""
    return f"{resource.metadata.name}.{domain}"


def federations(cache: Cache) -> list[Key]:
    """The Federations of the cluster, the first to be made first; that one has the login."""
    found = cache.all(GROUP, Federation.info.kind)
    return [key_of(obj) for obj in sorted(found, key=lambda obj: age(obj["metadata"]))]


def age(metadata: Object) -> tuple[str, str]:
    """Order of objects that want the same thing: the first to be made has it."""
    return metadata.get("creationTimestamp") or "", metadata["name"]


def login_host(federation: Federation, settings: Settings) -> str:
    """Host of the federation's login."""
    return federation.spec.host or f"{LOGIN}.{settings.base_domain}"


def issuer(federation: Federation, settings: Settings) -> str:
    """Address of the federation's login as its tokens name it."""
    return f"{settings.url_of(login_host(federation, settings))}/realms/{REALM}"


def audience_of(facility: str) -> str:
    """What tokens of the federation's login for a facility are issued for, and the name of its client."""
    return f"{AUDIENCE_PREFIX}{facility}"


def read_federation(cache: Cache) -> Federation | None:
    """The Federation that has the cluster's login, if there is one and it isn't being deleted."""
    key = next(iter(federations(cache)), None)
    obj = cache.get(key) if key else None
    if obj is None or obj["metadata"].get("deletionTimestamp"):
        return None
    return Federation.wish(obj)


def login_url(settings: Settings) -> str:
    """Address of the federation's login within the cluster."""
    return f"http://{LOGIN}.{settings.namespace}.svc:{API_PORT}"


def read_login(facility: Facility, cache: Cache, settings: Settings) -> Login | None:
    """The login of a facility's services: its own, or else the federation's."""
    if facility.spec.aai:
        # Only where the gateway has the client may pages lead to it.
        policy = Key(SECURITY_POLICY.group, SECURITY_POLICY.kind, namespace_of(facility), LOGIN_SECRET)
        sessions = cache.get(policy) is not None
        return Login(**facility.spec.aai.model_dump(exclude={"client"}), sessions=sessions)
    federation = read_federation(cache)
    if federation is None:
        return None
    return Login(
        keys=f"{login_url(settings)}/realms/{REALM}/protocol/openid-connect/certs",
        sessions=settings.has_sessions,
        issuer=issuer(federation, settings),
        audience=audience_of(facility.metadata.name),
        scope=audience_of(facility.metadata.name),
        entitlement_namespace=federation.spec.entitlement_namespace,
    )
