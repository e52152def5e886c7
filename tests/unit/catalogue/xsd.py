"""Checks XML against the schemas of OAI-PMH, Dublin Core and DataCite."""

from pathlib import Path

from lxml import etree

_ALL = etree.XMLSchema(etree.parse(Path(__file__).parent / "schemas" / "all.xsd"))


def valid(document: bytes | etree._Element) -> etree._Element:
    """The document's root, if the document is what its schema says."""
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    _ALL.assertValid(root)
    return root
