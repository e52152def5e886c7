"""Errors of the protocol (https://www.openarchives.org/OAI/openarchivesprotocol.html#ErrorConditions)."""

from typing import Literal

Code = Literal[
    "badArgument",
    "badResumptionToken",
    "badVerb",
    "cannotDisseminateFormat",
    "idDoesNotExist",
    "noRecordsMatch",
    "noSetHierarchy",
]
"""Not among them: noMetadataFormats, as every record is given in every format."""


class OaiError(Exception):
    """A request that the protocol answers with an error, in HTTP 200."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
