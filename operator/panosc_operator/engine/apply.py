"""Makes live objects as desired, with as few writes as possible and no error that repeats forever."""

import secrets
import string
from typing import Any

from panosc_operator.api.meta import LABEL_OWNER_KIND, LABEL_OWNER_NAME, Resource
from panosc_operator.engine import metrics
from panosc_operator.engine.cache import Cache
from panosc_operator.engine.client import (
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from panosc_operator.engine.compare import contains, parse_quantity
from panosc_operator.engine.desired import (
    APPLIED,
    RETAIN,
    SECRETS,
    Action,
    Desired,
    Outcome,
    digest,
    marked,
    retainer,
)
from panosc_operator.engine.resources import (
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    Key,
    Object,
    annotations_of,
    is_controlled_by,
    labels_of,
)

_ALPHABET = string.ascii_letters + string.digits


class Applier:
    """Applies desired objects of one owner after the other."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache
        self._settled: dict[Key, dict[Key, tuple[str, str]]] = {}
        """By owner and object: hash of the desired state and version of the live object found to agree."""

    def forget(self, owner: Key) -> None:
        """The owner is gone."""
        self._settled.pop(owner, None)

    async def apply(self, desired: Desired, owner: Resource, owner_key: Key) -> tuple[Outcome, Object | None]:
        """Make the object as desired; returns what came of it, and the object as written, if it was.

        Raises ApiError if the API server can't be asked now or the object changed meanwhile: repeat the pass.
        """
        target = marked(desired, owner)
        if desired.restart_on:
            await self._stamp_secrets(target, desired.restart_on)
        wanted = digest(target)
        target["metadata"].setdefault("annotations", {})[APPLIED] = wanted

        live = self._cache.get(desired.key)
        if live is None:
            # Not in the watch may also mean: somebody took its labels off, or it was there before us.
            live = await self._client.get(desired.type, desired.key.namespace, desired.key.name)
        try:
            outcome, written = await self._decide(desired, target, wanted, live, owner, owner_key)
        except (Invalid, Forbidden, NotFound) as error:
            if _is_namespace_terminating(error):
                return Outcome(desired.key, Action.WAITING), None
            return Outcome(desired.key, Action.REFUSED, _explain(desired.key, error)), None
        if written is not None:
            metrics.WRITES.labels(desired.key.kind, outcome.action.value).inc()
        return outcome, written

    async def _decide(
        self,
        desired: Desired,
        target: Object,
        wanted: str,
        live: Object | None,
        owner: Resource,
        owner_key: Key,
    ) -> tuple[Outcome, Object | None]:
        key = desired.key
        settled = self._settled.setdefault(owner_key, {})
        if live is None:
            written = await self._create(desired, target)
            settled[key] = (wanted, written["metadata"]["resourceVersion"])
            return Outcome(key, Action.CREATED), written
        if not desired.adopt and not _belongs_to(live, owner):
            return Outcome(key, Action.REFUSED, _not_ours(key, owner)), None
        if live["metadata"].get("deletionTimestamp"):
            return Outcome(key, Action.WAITING), None
        if desired.create_only:
            target = _marks_only(target)
        version = live["metadata"]["resourceVersion"]
        if settled.get(key) == (wanted, version):
            return Outcome(key, Action.UNCHANGED), None
        if contains(live, target):
            settled[key] = (wanted, version)
            return Outcome(key, Action.UNCHANGED), None
        refusal = _claim_refusal(desired, target, live)
        if refusal:
            return Outcome(key, Action.REFUSED, refusal), None
        same_wish = annotations_of(live).get(APPLIED) == wanted
        try:
            written = await self._client.apply(desired.type, target)
        except Invalid as error:
            if not (desired.replace and _is_unmergeable(error)):
                raise
            await self._client.delete(desired.type, live)
            metrics.WRITES.labels(key.kind, Action.REPLACED.value).inc()
            return Outcome(key, Action.REPLACED), None
        settled[key] = (wanted, written["metadata"]["resourceVersion"])
        if written["metadata"]["resourceVersion"] == version:
            return Outcome(key, Action.UNCHANGED), None
        return Outcome(key, Action.CORRECTED if same_wish else Action.UPDATED), written

    async def _create(self, desired: Desired, target: Object) -> Object:
        if not desired.create_only:
            return await self._client.apply(desired.type, target)
        values = {name: _random(length) for name, length in desired.random.items()}
        filled = {name: text.format(**values) for name, text in target.get("stringData", {}).items()}
        try:
            return await self._client.create(desired.type, {**target, "stringData": filled})
        except AlreadyExists as error:
            raise Conflict(str(error)) from error  # made since we looked: look again

    async def _stamp_secrets(self, target: Object, names: tuple[str, ...]) -> None:
        """Note in the pod template which Secrets the pods start with."""
        namespace = target["metadata"]["namespace"]
        contents: dict[str, Any] = {}
        for name in names:
            secret = self._cache.get(Key("", SECRET.kind, namespace, name))
            if secret is None:
                secret = await self._client.get(SECRET, namespace, name)
            # With its uid, which is as secret as its content: a hash of that alone could be used to try
            # out passwords by those who may read pods and not Secrets.
            contents[name] = [secret["metadata"]["uid"], secret.get("data")] if secret else None
        template = target["spec"]["template"]["metadata"]
        template["annotations"] = {**template.get("annotations", {}), SECRETS: digest(contents)}


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _marks_only(target: Object) -> Object:
    """The part of a create-only object that stays ours: who it belongs to."""
    return {name: target[name] for name in ("apiVersion", "kind", "metadata")}


def _belongs_to(live: Object, owner: Resource) -> bool:
    labels = labels_of(live)
    named = (labels.get(LABEL_OWNER_KIND), labels.get(LABEL_OWNER_NAME))
    return (
        named == (owner.info.kind, owner.metadata.name)
        or is_controlled_by(live, owner.metadata.uid)
        or annotations_of(live).get(RETAIN) == retainer(owner)
    )


def _not_ours(key: Key, owner: Resource) -> str:
    labels = f"{LABEL_OWNER_KIND}={owner.info.kind},{LABEL_OWNER_NAME}={owner.metadata.name}"
    return f"{key} is there and isn't this object's: rename one, or hand it over by the labels {labels}"


def _claim_refusal(desired: Desired, target: Object, live: Object) -> str | None:
    """Why a claim can't become as desired; what the API server would only answer with a general refusal."""
    if desired.type != PERSISTENT_VOLUME_CLAIM:
        return None
    storage = "storage"
    wanted, has = (
        target["spec"]["resources"]["requests"][storage],
        live["spec"]["resources"]["requests"][storage],
    )
    if parse_quantity(wanted) < parse_quantity(has):
        return f"{desired.key} has {has} and can't shrink to {wanted}: give at least {has}"
    storage_class = target["spec"].get("storageClassName")
    if storage_class and storage_class != live["spec"].get("storageClassName"):
        return (
            f"{desired.key} is of class {live['spec'].get('storageClassName')} and can't change to "
            f"{storage_class}: give its class, or delete the claim if its data are not needed"
        )
    return None


def _is_unmergeable(error: Invalid) -> bool:
    """Whether the object would be valid if it were made anew: it has what can't be changed in place, or what
    somebody else added to a list clashes with what belongs there."""
    text = str(error)
    return any(words in text for words in ("immutable", "updates to statefulset spec", "Duplicate value"))


def _is_namespace_terminating(error: ApiError) -> bool:
    causes = (error.status.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _explain(key: Key, error: Invalid | Forbidden | NotFound) -> str:
    reason = str(error.status.get("message") or error)
    if isinstance(error, NotFound) and error.type_is_missing:
        return f"{key}: the cluster doesn't know {key.kind} of {key.group}: install its CRDs"
    if isinstance(error, Forbidden):
        return f"{key}: not allowed: {reason}"
    return f"{key}: {reason}"
