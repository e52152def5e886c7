"""A catalogue that is harvested, and what a harvester reads of its answers."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from lxml import etree
from panosc_catalogue import store
from panosc_catalogue.records import DocumentRecord
from unit.catalogue.xsd import valid

OAI = "{http://www.openarchives.org/OAI/2.0/}"


@dataclass
class Catalogue:
    client: httpx2.Client
    connection: psycopg.Connection[Any]
    policy_file: Path
    now: datetime | None = None
    """What its clock shows; None: the database's time."""

    def write(self, **document: Any) -> None:
        """A document with what is nested in it, as a source gives it."""
        record = DocumentRecord.model_validate(document)
        with self.connection.transaction():
            store.write(self.connection, [record], store.Origin("load"))

    def ask(self, query: str) -> etree._Element:
        """The answer, which is valid in any case."""
        answer = self.client.get(f"/oai?{query}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        return valid(answer.content)

    def error(self, query: str) -> str:
        """The code of the error."""
        errors = self.ask(query).findall(f"{OAI}error")
        assert len(errors) == 1
        return errors[0].get("code", "")

    def stamps(self, **arguments: str) -> dict[str, str]:
        """Datestamps by name, which is the identifier without `oai:<host>:`; `deleted` comes before them."""
        given = {"metadataPrefix": "oai_dc", **arguments}
        query = "&".join(f"{name.rstrip('_')}={value}" for name, value in given.items())
        return {
            header.findtext(f"{OAI}identifier", "").split(":", 2)[2]: " ".join(
                filter(None, [header.get("status"), header.findtext(f"{OAI}datestamp")])
            )
            for header in self.ask(f"verb=ListIdentifiers&{query}").iter(f"{OAI}header")
        }

    def record(self, name: str, prefix: str = "datacite") -> etree._Element:
        """The record with the identifier `oai:<host>:<name>`."""
        answer = self.ask(
            f"verb=GetRecord&metadataPrefix={prefix}&identifier=oai:catalogue.example.org:{name}"
        )
        record = answer.find(f"{OAI}GetRecord/{OAI}record")
        assert record is not None
        return record
