"""What the search form offers to choose from."""

import asyncio
import time

from panosc_catalogue.query.model import CLOCK, MONTHS
from panosc_catalogue.site import Site

MOST = 500
"""Instruments, and techniques that datasets have."""
KEPT_SECONDS = 60.0
_LOOKS = 200
_INSTRUMENTS = "SELECT pid, name, facility FROM visible_instrument ORDER BY name, pid LIMIT %(most)s"
# A technique is offered if any of its first datasets is open: of one that is new, all may be under embargo.
_TECHNIQUES = f"""
    SELECT DISTINCT t.name, t.panet_key FROM technique t WHERE EXISTS (
        SELECT 1 FROM (
            SELECT dataset_id FROM dataset_technique WHERE technique_id = t.id LIMIT {_LOOKS}
        ) l JOIN visible_dataset({MONTHS}, {CLOCK}) d ON d.id = l.dataset_id)
    ORDER BY 1 LIMIT %(most)s
"""  # noqa: S608


class Choices:
    """The choices of one catalogue; techniques, which take some looking, are kept for KEPT_SECONDS."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._looking = asyncio.Lock()
        self._techniques: list[str] = []
        self._stale_at = 0.0

    async def instruments(self) -> list[tuple[str, str, str]]:
        """Pid, name and facility."""
        return [
            (pid, name, owner) for pid, name, owner in await self._site.rows(_INSTRUMENTS, {"most": MOST})
        ]

    async def techniques(self) -> list[str]:
        """Names of the techniques of open data, and of the more general ones above them."""
        async with self._looking:
            if time.monotonic() >= self._stale_at:
                self._techniques = await self._look()
                self._stale_at = time.monotonic() + KEPT_SECONDS
            return self._techniques

    async def _look(self) -> list[str]:
        found = await self._site.rows(_TECHNIQUES, {"most": MOST})
        terms = self._site.panet.terms
        seen: set[str] = set()
        fresh = {key for _, key in found if key in terms}
        while fresh:
            seen |= fresh
            # Terms that are equivalent stand above each other.
            fresh = {parent for key in fresh for parent in terms[key].parents} - seen
        names = {name for name, _ in found} | {terms[key].label for key in seen}
        return sorted(names, key=str.casefold)
