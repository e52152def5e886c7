"""The kinds of `panosc.eu/v1alpha1` as pydantic models: the one source of CRDs, reference pages and plans."""

from panosc_operator.api.catalogue import Catalogue
from panosc_operator.api.dataarchive import DataArchive
from panosc_operator.api.facility import Facility
from panosc_operator.api.federation import Federation
from panosc_operator.api.meta import Resource

KINDS: tuple[type[Resource], ...] = (Federation, Facility, DataArchive, Catalogue)

__all__ = ["KINDS", "Catalogue", "DataArchive", "Facility", "Federation", "Resource"]
