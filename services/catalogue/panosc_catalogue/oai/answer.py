"""Answers as XML: the envelope, and what the protocol has within it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from lxml import etree
from lxml.builder import ElementMaker

from panosc_catalogue.datacite.kernel import printable
from panosc_catalogue.oai.formats import FORMATS, XSI
from panosc_catalogue.oai.records import Header, Identifiers
from panosc_catalogue.oai.request import Selection

_OAI = "http://www.openarchives.org/OAI/2.0/"
_IDENTIFIER = "http://www.openarchives.org/OAI/2.0/oai-identifier"
_E = ElementMaker(namespace=_OAI, nsmap={None: _OAI, "xsi": XSI})
_I = ElementMaker(namespace=_IDENTIFIER, nsmap={None: _IDENTIFIER, "xsi": XSI})


def utc(instant: datetime) -> str:
    """The instant (UTC) in the protocol's granularity."""
    return f"{instant.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def envelope(
    time: datetime, base_url: str, arguments: Mapping[str, str], content: Iterable[etree._Element]
) -> bytes:
    """The whole answer to the request with these arguments, its verb among them."""
    root = etree.Element(f"{{{_OAI}}}OAI-PMH", nsmap={None: _OAI, "xsi": XSI})
    root.set(f"{{{XSI}}}schemaLocation", f"{_OAI} http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd")
    request = _E.request(base_url)
    for name, value in arguments.items():
        request.set(name, printable(value))
    root.append(_E.responseDate(utc(time)))
    root.append(request)
    root.extend(content)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def error(code: str, message: str) -> etree._Element:
    """An error."""
    return _E.error(printable(message), code=code)


def identify(
    name: str, base_url: str, email: str, earliest: datetime, identifiers: Identifiers
) -> etree._Element:
    """What Identify answers."""
    element = _E.Identify(
        _E.repositoryName(printable(name)),
        _E.baseURL(base_url),
        _E.protocolVersion("2.0"),
        _E.adminEmail(email),
        _E.earliestDatestamp(utc(earliest)),
        _E.deletedRecord("persistent"),
        _E.granularity("YYYY-MM-DDThh:mm:ssZ"),
    )
    if identifiers.are_domain:
        described = _I(
            "oai-identifier",
            _I.scheme("oai"),
            _I.repositoryIdentifier(identifiers.host),
            _I.delimiter(":"),
            _I.sampleIdentifier(identifiers.of("datasets", "10.5072/1")),
        )
        described.set(f"{{{XSI}}}schemaLocation", f"{_IDENTIFIER} {_IDENTIFIER}.xsd")
        element.append(_E.description(described))
    return element


def formats() -> etree._Element:
    """What ListMetadataFormats answers."""
    return _E.ListMetadataFormats(
        *(
            _E.metadataFormat(
                _E.metadataPrefix(prefix), _E.schema(form.schema), _E.metadataNamespace(form.namespace)
            )
            for prefix, form in FORMATS.items()
        )
    )


def sets(names: Mapping[str, str]) -> etree._Element:
    """What ListSets answers."""
    return _E.ListSets(
        *(_E.set(_E.setSpec(spec), _E.setName(printable(name))) for spec, name in names.items())
    )


def header(given: Header, identifiers: Identifiers) -> etree._Element:
    """A record's header."""
    element = _E.header(
        _E.identifier(identifiers.of(given.kind, given.pid)),
        _E.datestamp(utc(given.datestamp)),
        *(_E.setSpec(name) for name in given.sets),
    )
    if given.deleted:
        element.set("status", "deleted")
    return element


def listed(selection: Selection, elements: Iterable[etree._Element], token: str | None) -> etree._Element:
    """A page of a list; `token` is None if it is the last one. A list of one page has no token at all."""
    element = _E(selection.verb, *elements)
    if token is not None or selection.given:
        resumption = _E.resumptionToken(
            token or "", completeListSize=str(selection.size), cursor=str(selection.given)
        )
        element.append(resumption)
    return element


def record(header: etree._Element, metadata: etree._Element | None) -> etree._Element:
    """A record; deleted ones have no metadata."""
    return _E.record(header) if metadata is None else _E.record(header, _E.metadata(metadata))


def get_record(record: etree._Element) -> etree._Element:
    """What GetRecord answers."""
    return _E.GetRecord(record)
