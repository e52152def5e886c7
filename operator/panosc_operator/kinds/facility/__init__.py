"""Facility: a research infrastructure with its namespace, rights, limits, data policy and gateway."""

from functools import partial

from panosc_operator.api import Facility, Federation
from panosc_operator.api.catalogue import Catalogue
from panosc_operator.api.conditions import FacilityReason
from panosc_operator.api.dataarchive import DataArchive
from panosc_operator.engine.kind import Kind, Watch
from panosc_operator.engine.resources import (
    BACKEND,
    BACKEND_TRAFFIC_POLICY,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    GATEWAY,
    HTTP_ROUTE,
    LIMIT_RANGE,
    NAMESPACE,
    NETWORK_POLICY,
    RESOURCE_QUOTA,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SECURITY_POLICY,
)
from panosc_operator.kinds.facility.judge import judge
from panosc_operator.kinds.facility.observe import observe
from panosc_operator.kinds.facility.plan import plan
from panosc_operator.kinds.relations import everything_of, facility_of_object, type_of
from panosc_operator.settings import Settings


def describe(settings: Settings) -> Kind:
    """The kind for the engine."""
    return Kind(
        model=Facility,
        children=(
            NAMESPACE,
            CONFIG_MAP,
            CLUSTER_ROLE,
            CLUSTER_ROLE_BINDING,
            ROLE,
            ROLE_BINDING,
            SECRET,
            RESOURCE_QUOTA,
            LIMIT_RANGE,
            NETWORK_POLICY,
            GATEWAY,
            BACKEND_TRAFFIC_POLICY,
            BACKEND,
            SECURITY_POLICY,
            HTTP_ROUTE,
        ),
        observe=partial(observe, settings),
        plan=plan,
        judge=judge,
        invalid_reason=FacilityReason.INVALID_SPEC,
        watches=(
            # Its status counts them and lists their addresses.
            Watch(type_of(DataArchive), facility_of_object, status=True),
            Watch(type_of(Catalogue), facility_of_object, status=True),
            Watch(NAMESPACE, facility_of_object),
            Watch(type_of(Federation), everything_of(Facility)),
        ),
    )
