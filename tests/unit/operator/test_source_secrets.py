"""Which Secrets a source may have: whoever edits a Catalogue chooses the address that they are sent to."""

import pytest
from panosc_operator.engine.resources import Object
from panosc_operator.kinds.catalogue.observe import is_for_sources


@pytest.mark.parametrize(
    ("secret", "usable"),
    [
        (None, False),
        ({"metadata": {"name": "catalogue-administrator"}, "type": "Opaque"}, False),
        ({"metadata": {"name": "catalogue-postgres"}}, False),
        ({"metadata": {"name": "scicat"}, "type": "panosc.eu/source"}, True),
    ],
)
def test_only_secrets_that_were_made_for_sources_are_given_to_them(
    secret: Object | None, usable: bool
) -> None:
    assert is_for_sources(secret) is usable
