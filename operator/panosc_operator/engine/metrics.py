"""Prometheus metrics under controller-runtime's names, so that existing dashboards and alerts fit."""

from collections import Counter as CounterOf
from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from panosc_operator.engine.resources import Object

RECONCILE = Counter("controller_runtime_reconcile", "Passes by kind and result", ("controller", "result"))
RECONCILE_ERRORS = Counter("controller_runtime_reconcile_errors", "Passes that failed", ("controller",))
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds",
    "Seconds of a pass",
    ("controller",),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0),
)
ACTIVE_WORKERS = Gauge("controller_runtime_active_workers", "Passes in progress", ("controller",))

QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait for a worker", ("name",))
QUEUE_ADDS = Counter("workqueue_adds", "Keys added", ("name",))
QUEUE_RETRIES = Counter("workqueue_retries", "Keys added again after a failure", ("name",))
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds",
    "Seconds a key waits for a worker",
    ("name",),
    buckets=(0.001, 0.01, 0.1, 1.0, 10.0, 100.0),
)

API_REQUESTS = Counter("rest_client_requests", "Requests to the API server", ("method", "code"))
WRITES = Counter("panosc_writes", "Objects written, by kind and what was done", ("kind", "action"))


class Conditions(Collector):
    """Counts the resources by kind and by the status of each of their conditions, when it is asked."""

    def __init__(
        self, kinds: Iterable[tuple[str, str]], objects: Callable[[str, str], Iterable[Object]]
    ) -> None:
        """`kinds` are (group, kind); `objects` gives the known objects of one."""
        self._kinds = tuple(kinds)
        self._objects = objects

    def collect(self) -> Iterable[Metric]:
        """The gauge, for prometheus_client."""
        gauge = GaugeMetricFamily(
            "panosc_conditions", "Resources by status of a condition", labels=("kind", "type", "status")
        )
        for group, kind in self._kinds:
            counts = CounterOf({("Ready", status): 0 for status in ("True", "False", "Unknown")})
            for obj in self._objects(group, kind):
                counts.update(_conditions(obj).items())
            for (name, status), count in counts.items():
                gauge.add_metric((kind, name, status), count)
        yield gauge


def _conditions(obj: Object) -> dict[str, str]:
    """Status by type; a resource that wasn't looked at yet isn't known to be ready."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return {"Ready": "Unknown"} | {each["type"]: each["status"] for each in conditions}
