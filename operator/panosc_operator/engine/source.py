"""News from the API server, by kopf's watches.

kopf is used for its watch streams and for discovery (a type whose CRD is installed later is picked up then).
Its handlers only pass the news on: without other handlers it writes no annotations, progress or finalizers.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from panosc_operator.engine.hub import Hub
from panosc_operator.engine.resources import ResourceType


def build_registry(hub: Hub, configuration: Configuration, watched: Mapping[ResourceType, str | None]) -> Any:
    """kopf's handlers: a log-in by the client's own credentials, and each type's news to the hub."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await _connection(configuration)

    async def pass_on(event: Mapping[str, Any], **_: Any) -> None:
        if event["type"] == "DELETED":
            hub.deleted(event["object"])
        else:
            hub.changed(event["object"])

    for kind in watched:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")(
            pass_on
        )
    return registry


def build_settings(watched: Mapping[ResourceType, str | None]) -> kopf.OperatorSettings:
    """kopf's settings: only what carries our labels is watched."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 600
    settings.watching.connect_timeout = 10
    for kind, selector in watched.items():
        if selector:
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = selector
    return settings


async def watch(
    hub: Hub,
    configuration: Configuration,
    watched: Mapping[ResourceType, str | None],
    *,
    ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Pass news on until `stop` is set; `ready` is set when the watches are under way.

    `watched` has the types with the label selector of each (None: all objects of the type).
    """
    await kopf.operator(
        registry=build_registry(hub, configuration, watched),
        settings=build_settings(watched),
        clusterwide=True,
        ready_flag=ready,
        stop_flag=stop,
    )


async def _connection(configuration: Configuration) -> kopf.ConnectionInfo:
    """The client's credentials in kopf's form; asked again when the API server no longer accepts them."""
    auth = (await configuration.auth_settings()).get("BearerToken")
    scheme, _, token = str(auth["value"]).rpartition(" ") if auth else ("", "", "")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
