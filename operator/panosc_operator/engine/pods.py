"""What pods say about why they don't run."""

from panosc_operator.engine.resources import Object

_FAILURES = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)
"""Why a container waits when more waiting won't help."""
WORDS = 300


def failure(pod: Object) -> str | None:
    """The first container that fails again and again, the cause and its last words; None if none does."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _FAILURES:
            said = _last_words(container) or waiting.get("message") or "no cause given"
            return (
                f"Pod {pod['metadata']['name']}, container {container['name']}: {waiting['reason']}: {said}"
            )
    return None


def _last_words(container: Object) -> str | None:
    """How the container ended last; its end of the log is there by the pod's terminationMessagePolicy."""
    ended = (container.get("lastState") or {}).get("terminated")
    if not ended:
        return None
    cause = f"{ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}"
    lines = (ended.get("message") or "").strip().splitlines()
    return f"{cause}: {lines[-1][:WORDS]}" if lines else cause
