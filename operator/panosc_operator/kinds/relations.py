"""How resources of different kinds find each other: by the namespace's facility, and by name in a spec."""

from collections.abc import Iterable

from panosc_operator.api import DataArchive, Facility
from panosc_operator.api.meta import GROUP, LABEL_FACILITY, VERSION, Resource
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import NAMESPACE, Key, Object, ResourceType, key_of, labels_of


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
    """The resources of a kind that live in a namespace, or in the namespaces of a Facility."""
    if obj["kind"] == NAMESPACE.kind:
        namespaces = [obj["metadata"]["name"]]
    else:
        facility = obj["metadata"]["name"]
        namespaces = [
            one["metadata"]["name"]
            for one in cache.all(NAMESPACE.group, NAMESPACE.kind)
            if labels_of(one).get(LABEL_FACILITY) == facility
        ]
    for namespace in namespaces:
        yield from (key_of(one) for one in cache.all(kind.group, kind.kind, namespace))


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


def host_of(resource: Resource, domain: str) -> str:
    """Host under which a resource's service is reached."""
    return f"{resource.metadata.name}.{domain}"
