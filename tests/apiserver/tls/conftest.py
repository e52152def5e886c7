"""An operator whose facilities are served by HTTPS, with certificates and authorities of the tests' own."""

from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer
from support.operator import Operator, account, running_operator

SETTINGS = {
    "PANOSC_GATEWAY_TLS": "true",
    "PANOSC_GATEWAY_PORT": "443",
    "PANOSC_TRUST_CONFIG_MAP": "our-authorities",
    "PANOSC_RESYNC_SECONDS": "2",  # nobody watches what isn't the operator's own
}


@pytest.fixture(scope="package")
def operator(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(account(api, folder), folder, SETTINGS) as running:
        yield running
