"""What every adapter does while its source is down: nothing is lost, and it goes on where it was."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.harvest import DOUBLES
from doubles.server import Misbehaviour, serve
from panosc_catalogue.settings import Facility, Source
from panosc_catalogue.sources.adapters import adapter_of
from panosc_catalogue.sources.base import SourceError
from panosc_catalogue.sources.http import Client
from unit.catalogue.sources.conftest import Once

Shown = Callable[[str], dict[str, str]]
Read = Callable[..., None]
RECORDS = 210
"""Of each source: more than two pages, the largest of which have a hundred."""
TROUBLES: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "429": {"status": 429, "retry_after": "0"},
    "time-out": {"hangs": True},
    "half an answer": {"truncated": True},
}


@pytest.fixture
def how() -> Misbehaviour:
    return Misbehaviour()


@pytest.fixture(params=DOUBLES)
def read(
    request: pytest.FixtureRequest,
    how: Misbehaviour,
    once: Once,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Read]:
    """Reads a source of each kind once: `read(listing=…)`."""
    made = Client.__init__

    def impatient(self: Client, *args: Any, **settings: Any) -> None:
        made(self, *args, **settings | {"timeout_seconds": 1, "first_wait_seconds": 0.01})

    monkeypatch.setattr(Client, "__init__", impatient)
    for key in ("client_id", "client_secret", "user_email"):
        (tmp_path / key).write_text("bench")
    field, double, path = DOUBLES[request.param]
    with serve(double(RECORDS), how) as base:
        remote = {"url": base + path, "credentials": str(tmp_path), "requestsPerSecond": 1000}
        source = Source.model_validate({"name": "legacy", field: remote})
        yield lambda **options: once(adapter_of(source, Facility()), **options)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_outage_takes_nothing_away_and_the_listing_goes_on_behind_it(
    read: Read, shown: Shown, how: Misbehaviour, trouble: str
) -> None:
    read()
    whole = len(how.requests)
    assert len(shown("dataset")) == RECORDS
    # All but the last two requests are answered, so that it strikes in the middle of the listing.
    vars(how).update(TROUBLES[trouble], after=whole - 2, times=10_000)
    with pytest.raises(SourceError):
        read(listing=True)
    assert len(shown("dataset")) == RECORDS
    how.times = 0
    how.requests.clear()
    read()
    assert len(shown("dataset")) == RECORDS
    assert len(how.requests) < whole


@pytest.mark.parametrize("trouble", ["429", "half an answer"])
def test_passing_trouble_costs_nothing(read: Read, shown: Shown, how: Misbehaviour, trouble: str) -> None:
    vars(how).update(TROUBLES[trouble], after=2, times=2)
    read()
    assert len(shown("dataset")) == RECORDS
