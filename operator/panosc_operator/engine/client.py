"""The Kubernetes API as a few calls on raw JSON, with errors by what the caller can do about them.

Every call has a timeout and is safe to repeat: reads, server-side apply, deletes with a uid precondition, and
creates of named objects (a repetition answers AlreadyExists). Nothing is retried here; the work queue
repeats whole passes, so a failing API server is not asked more often by more layers.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from panosc_operator.api.meta import FIELD_MANAGER
from panosc_operator.engine import metrics
from panosc_operator.engine.kind import TokenIssuer
from panosc_operator.engine.resources import Object, ResourceType

REQUEST_SECONDS = 15.0
PAGE = 500
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused a request, or could not be asked."""

    def __init__(self, message: str, *, code: int = 0, status: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or {}


class NotFound(ApiError):
    """The object, its namespace or the whole resource type isn't there."""

    @property
    def type_is_missing(self) -> bool:
        """Whether the API server doesn't know the resource type at all (its CRD is not installed)."""
        return not (self.status.get("details") or {}).get("name")


class AlreadyExists(ApiError):
    """An object of this name is there already."""


class Conflict(ApiError):
    """The object changed since it was read, or is another one of the same name."""


class Invalid(ApiError):
    """The API server rejects the object's content; repeating won't help."""


class Forbidden(ApiError):
    """The operator lacks a right, a quota is used up, or an admission policy says no."""


class Unavailable(ApiError):
    """Overload (429), a server error, or no answer in time; repeat later."""

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again, if it said so."""


async def load_configuration(kubeconfig: str | None) -> Configuration:
    """Credentials from the kubeconfig file if one is named, else those of the pod.

    Raises kubernetes.aio.config.ConfigException if there are none.
    """
    configuration = Configuration()
    loading: Any = config  # the module has no types
    if kubeconfig:
        await loading.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
    else:
        loading.load_incluster_config(client_configuration=configuration)
    return configuration


class Client:
    """Requests to one API server."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._api: Any = ApiClient(configuration)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def get(self, kind: ResourceType, namespace: str | None, name: str) -> Object | None:
        """The object, or None if it (or its type) isn't there."""
        try:
            return await self._request("GET", kind.path(namespace, name))
        except NotFound:
            return None

    async def list(
        self, kind: ResourceType, namespace: str | None = None, *, selector: str | None = None
    ) -> tuple[list[Object], str]:
        """All objects of the type that match the label selector, and the version of that list.

        Raises NotFound if the API server doesn't serve the type.
        """
        items: list[Object] = []
        query: dict[str, str] = {"limit": str(PAGE)}
        if selector:
            query["labelSelector"] = selector
        while True:
            page = await self._request("GET", kind.path(namespace), query=query)
            for item in page["items"]:
                # Items of a list carry neither, and everything here tells objects apart by them.
                item["apiVersion"], item["kind"] = kind.api_version, kind.kind
                items.append(item)
            metadata = page["metadata"]
            if not metadata.get("continue"):
                return items, metadata["resourceVersion"]
            query["continue"] = metadata["continue"]

    async def apply(self, kind: ResourceType, obj: Object, *, subresource: str | None = None) -> Object:
        """Server-side apply: set the fields that the object names, and release those it no longer names."""
        metadata = obj["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"], subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._request("PATCH", path, query=query, body=obj, content_type=APPLY)

    async def create(self, kind: ResourceType, obj: Object) -> Object:
        """Make an object that must not be there yet; raises AlreadyExists if it is."""
        path = kind.path(obj["metadata"].get("namespace"))
        return await self._request("POST", path, query={"fieldManager": FIELD_MANAGER}, body=obj)

    async def merge(self, kind: ResourceType, namespace: str | None, name: str, patch: Object) -> Object:
        """JSON merge patch; with `metadata.resourceVersion` in it, raises Conflict if the object changed."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._request(
            "PATCH", kind.path(namespace, name), query=query, body=patch, content_type=MERGE
        )

    async def delete(self, kind: ResourceType, obj: Object) -> None:
        """Ask for the deletion of exactly this object (by uid) and of what depends on it; gone is fine."""
        metadata = obj["metadata"]
        body = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        try:
            await self._request("DELETE", kind.path(metadata.get("namespace"), metadata["name"]), body=body)
        except (NotFound, Conflict):
            # Conflict: another object of that name took its place; it was not the one to delete.
            return

    async def token_issuer(self) -> TokenIssuer | None:
        """Who issues the tokens of service accounts, and by which keys; None where that isn't published.

        Every service account may ask: the API server itself binds the ClusterRole
        system:service-account-issuer-discovery to their group.
        """
        try:
            told = await self._request("GET", "/.well-known/openid-configuration")
            # Not at its `jwks_uri`, which is meant for others and often leads to where they are.
            keys = await self._request("GET", "/openid/v1/jwks")
        except (NotFound, Forbidden):
            return None
        return TokenIssuer(told["issuer"], keys)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        url = f"{self._configuration.host}{path}{f'?{urlencode(query)}' if query else ''}"
        # Key sets have a media type of their own.
        headers = {"Accept": "application/json, */*", "Content-Type": content_type}
        try:
            if token := (await self._configuration.auth_settings()).get("BearerToken"):
                headers["Authorization"] = str(token["value"])
            response = await self._api.call_api(
                method, url, headers, body=body, _request_timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS)
            )
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, config.ConfigException) as error:
            metrics.API_REQUESTS.labels(method, "<error>").inc()
            raise Unavailable(f"{method} {path}: {type(error).__name__}: {error}") from error
        metrics.API_REQUESTS.labels(method, str(response.status)).inc()
        if response.status < 300:
            decoded: Object = json.loads(content)
            return decoded
        raise _error(method, path, response.status, response.headers.get("Retry-After"), content)


def _error(method: str, path: str, code: int, retry_after: str | None, content: bytes) -> ApiError:
    """The exception for an answer of the API server that isn't a success."""
    try:
        status = json.loads(content)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    # Field errors repeat the values they reject, and those may be secret: for Secrets keep the reason only.
    if "/secrets" in path:
        status = {key: status[key] for key in ("reason", "code", "details") if key in status}
    text = status.get("message") or status.get("reason") or f"HTTP {code}"
    message = f"{method} {path}: {text}"
    details: dict[str, Any] = {"code": code, "status": status}
    if code == 409:
        kind = AlreadyExists if status.get("reason") == "AlreadyExists" else Conflict
        return kind(message, **details)
    if code == 429 or code >= 500:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return Unavailable(message, retry_after=seconds, **details)
    kinds: dict[int, type[ApiError]] = {400: Invalid, 403: Forbidden, 404: NotFound, 422: Invalid}
    return kinds.get(code, Unavailable)(message, **details)
