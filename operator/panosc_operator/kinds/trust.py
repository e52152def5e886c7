"""Certificate authorities of the installation's own, which services trust beside those of their image.

The operator's namespace has them in a ConfigMap, which the login mounts; each facility's namespace gets a
copy for its pods.
"""

from panosc_operator.engine.cache import Cache
from panosc_operator.engine.desired import Desired, digest
from panosc_operator.engine.kind import Reader
from panosc_operator.engine.resources import CONFIG_MAP, Key, Object, ResourceType, key_of
from panosc_operator.kinds.building import Part, config_volume
from panosc_operator.settings import Settings

TRUST_CONFIG = "panosc-trust"
"""Name of the copies."""
BUNDLE = "ca.crt"
"""Key with the certificates, in PEM format."""

TRUST_DIRECTORY = "/etc/panosc/trust"
TRUST_VOLUME = "trust"


async def read_bundle(settings: Settings, reader: Reader) -> str | None:
    """The authorities as the operator's namespace has them; None without them, or where none are wanted."""
    if settings.trust_config_map is None:
        return None
    source = await reader.read(CONFIG_MAP, settings.namespace, settings.trust_config_map)
    return ((source or {}).get("data") or {}).get(BUNDLE)


def bundle_objection(settings: Settings, bundle: str | None) -> str | None:
    """What is wrong with the authorities, and what to do; None if nothing is."""
    if settings.trust_config_map is None:
        return None
    name = f"ConfigMap {settings.namespace}/{settings.trust_config_map} (the chart's value trust.configMap)"
    if bundle is None:
        return f"{name} isn't there, or has no key {BUNDLE}: put the authorities' certificates there, as PEM"
    if "-----BEGIN CERTIFICATE-----" not in bundle:
        return f"{name} has no certificate in {BUNDLE}: put the authorities' certificates there, as PEM"
    if "PRIVATE KEY-----" in bundle:
        # Copies of it would lie in all facilities' namespaces.
        return f"{name} has a private key in {BUNDLE}: leave certificates alone there, and make a new key"
    return None


def trust_copy(part: Part, bundle: str) -> Desired:
    """The copy for a facility's namespace. It stays with the pods, which cannot start without it."""
    return Desired(
        CONFIG_MAP, {"metadata": part.metadata(TRUST_CONFIG), "data": {BUNDLE: bundle}}, retain=True
    )


def trust_revision(settings: Settings, reader: Reader, namespace: str | None) -> str | None:
    """Changes with the copy in a namespace, which programs read only when they start; None without one."""
    if settings.trust_config_map is None:
        return None
    copy = reader.cache.get(Key(CONFIG_MAP.group, CONFIG_MAP.kind, namespace, TRUST_CONFIG))
    return digest(copy.get("data")) if copy else None


def readers_of_trust(kind: ResourceType, config_map: Object, cache: Cache) -> list[Key]:
    """The resources of a kind whose pods read the copy when they start."""
    if config_map["metadata"]["name"] != TRUST_CONFIG:
        return []
    namespace = config_map["metadata"]["namespace"]
    return [key_of(resource) for resource in cache.all(kind.group, kind.kind, namespace)]


def trust_volumes(settings: Settings) -> list[Object]:
    """Volumes of a facility's pod that trusts the authorities."""
    return [trust_volume(TRUST_CONFIG)] if settings.trust_config_map else []


def trust_volume(config_map_name: str) -> Object:
    """A pod's volume with the authorities of a ConfigMap."""
    return config_volume(TRUST_VOLUME, config_map_name)


def trust_mounts(settings: Settings) -> dict[str, str]:
    """Paths by volume, for a container of such a pod."""
    return {TRUST_VOLUME: TRUST_DIRECTORY} if settings.trust_config_map else {}


def trust_environment(settings: Settings) -> dict[str, str]:
    """Environment of such a container. OpenSSL then reads this file instead of one that Debian does not have,
    and the image's own authorities from its folder of certificates as ever."""
    return {"SSL_CERT_FILE": f"{TRUST_DIRECTORY}/{BUNDLE}"} if settings.trust_config_map else {}
