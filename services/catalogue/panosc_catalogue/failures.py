"""What failed though it should not have, in the words of the status and of the log."""

import psycopg
import structlog

from panosc_catalogue.database import is_away

log = structlog.stdlib.get_logger(__name__)


def unexpected(error: Exception) -> str:
    """What the status says of it: nothing that may hold data, as the log does."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return f"{said or f'unexpected {type(error).__name__}'}; the log of the ingest worker tells more"


def report_unexpected(error: Exception, source: str) -> None:
    """Log why a source could not be followed; within an `except` block.

    A bug in one source must not stop the others; the log has what is needed to fix it.
    """
    if is_away(error):
        log.error("database unavailable", source=source, why=str(error).strip())
    else:
        log.exception("source failed unexpectedly", source=source)
