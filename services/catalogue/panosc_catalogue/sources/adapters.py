"""Which adapter reads which kind of source."""

from panosc_catalogue.settings import Facility, Source
from panosc_catalogue.sources.base import Adapter
from panosc_catalogue.sources.icat import Icat
from panosc_catalogue.sources.mymdc import MyMdc
from panosc_catalogue.sources.oaipmh import OaiPmh
from panosc_catalogue.sources.scicat import SciCat
from panosc_catalogue.sources.search_api import SearchApi


def adapter_of(source: Source, facility: Facility) -> Adapter:
    """A new adapter for a source that is read over HTTP. Raises NotAllowed if a credential is missing."""
    if source.icat:
        return Icat(source.name, source.icat, facility)
    if source.scicat:
        return SciCat(source.name, source.scicat, facility)
    if source.mymdc:
        return MyMdc(source.name, source.mymdc, facility)
    if source.search_api:
        return SearchApi(source.name, source.search_api, facility)
    if source.oai_pmh:
        return OaiPmh(source.oai_pmh)
    raise ValueError(f"source {source.name} is not read over HTTP")
