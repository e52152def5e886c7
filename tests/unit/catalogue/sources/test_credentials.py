"""What a source does with the Secret that is mounted for it."""

from pathlib import Path

import pytest
from panosc_catalogue.sources.base import NotAllowed
from panosc_catalogue.sources.credentials import Credentials


def test_a_source_whose_secret_vanished_is_not_read_without_it(tmp_path: Path) -> None:
    """Kubernetes empties the directory; what only the account may see would seem to be gone."""
    (tmp_path / "..data").mkdir()
    with pytest.raises(NotAllowed, match="make it again"):
        Credentials(tmp_path)
    (tmp_path / "ca.crt").write_text("certificate")
    assert Credentials(tmp_path).get("token") is None


def test_a_source_without_a_secret_has_no_credentials() -> None:
    assert Credentials(None).get("token") is None
