"""An ICAT server's double with the data of a beamline."""

from datetime import UTC, datetime
from typing import Any

from doubles.icat import Icat

SAXS = "http://purl.org/pan-science/PaNET/PaNET01188"


class Beamline:
    """An ICAT with one investigation of 25 datasets, which tests go on from."""

    def __init__(self, **settings: Any) -> None:
        self.icat = Icat(**settings)
        add = self.icat.add
        self.facility = add("Facility", name="ESRF")
        self.instrument = add("Instrument", name="ID21", fullName="Beamline ID21", facility=self.facility)
        self.technique = add("Technique", name="SAXS", pid=SAXS)
        self.energy = add(
            "ParameterType", name="energy", units="keV", valueType="NUMERIC", facility=self.facility
        )
        self.kind = add("InvestigationType", name="proposal", facility=self.facility)
        self.raw = add("DatasetType", name="raw", facility=self.facility)
        self.user = add(
            "User",
            name="db/mcurie",
            fullName="Marie Curie",
            orcidId="0000-0002-1825-0097",
            affiliation="Sorbonne",
        )
        self.investigation = self.proposal("MA-1")
        self.datasets = [self.measure(number) for number in range(25)]

    def proposal(self, name: str) -> int:
        return self.icat.add(
            "Investigation",
            name=name,
            visitId="1",
            title=f"About {name}",
            facility=self.facility,
            type=self.kind,
            endDate=datetime(2025, 1, 31, tzinfo=UTC),
        )

    def measure(self, number: int) -> int:
        dataset = self.icat.add(
            "Dataset", name=f"scan {number}", investigation=self.investigation, type=self.raw
        )
        self.icat.add("DatasetParameter", dataset=dataset, type=self.energy, numericValue=float(number))
        self.icat.add("Datafile", dataset=dataset, name="scan.h5", location=f"/{number}/scan.h5", fileSize=7)
        self.icat.add("DatasetTechnique", dataset=dataset, technique=self.technique)
        return dataset
