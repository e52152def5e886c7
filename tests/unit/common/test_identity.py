"""By what people are known for certain, however it is written and whoever tries to be somebody else."""

from typing import Any

import pytest
from panosc_common import identity

ADA = "0000-0002-1825-0097"


@pytest.mark.parametrize(
    "written", [ADA, f" {ADA} ", f"https://orcid.org/{ADA}", f"http://www.orcid.org/{ADA}"]
)
def test_an_orcid_has_one_form(written: str) -> None:
    assert identity.orcid(written) == ADA


def test_a_check_digit_may_be_an_x() -> None:
    assert identity.orcid("0000-0002-1694-233x") == "0000-0002-1694-233X"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0000-0002-1825-0098",
        "0000-0002-1825-097",
        "0000000218250097",
        "٠٠٠٠-0002-1825-0097",
        f"https://orcid.org.evil.example/{ADA}",
        f"{ADA}\n{ADA}",
    ],
)
def test_what_is_no_orcid(written: str) -> None:
    assert identity.orcid(written) is None


def test_every_wrong_check_digit_is_seen() -> None:
    good = [digit for digit in "0123456789X" if identity.orcid(f"0000-0002-1825-009{digit}")]
    assert good == ["7"]


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        (" ada+beam@sub.example.org ", "ada+beam@sub.example.org"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        # Each of them becomes, or looks like, the address of somebody else.
        ("\N{KELVIN SIGN}ai@example.org", None),
        ("\N{LATIN SMALL LETTER LONG S}am@example.org", None),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}da@example.org", None),
        ("\N{CYRILLIC SMALL LETTER A}da@example.org", None),
        ("ada@example.org\N{ZERO WIDTH SPACE}", None),
        ("ada@exam\N{FULLWIDTH LATIN SMALL LETTER P}le.org", None),
        ("ada@example.org\n", None),
        ("ada@example.org\0", None),
        ("ada@example.org,eve@example.org", None),
        ("Ada <ada@example.org>", None),
        ("ada@localhost", None),
        ("ada@eve@example.org", None),
        ("@example.org", None),
        ("a" * 250 + "@example.org", None),
    ],
)
def test_an_address_is_compared_in_ascii_alone(written: str, known: str | None) -> None:
    assert identity.email(written) == known


def test_a_token_gives_what_it_proves() -> None:
    claims = {
        "sub": "8F2c@panosc.example",
        "orcid": f"https://orcid.org/{ADA}",
        "email": "Ada@example.org",
        "email_verified": True,
    }
    assert identity.identities(claims) == {
        "identifier:8F2c@panosc.example",
        f"orcid:{ADA}",
        "email:ada@example.org",
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.org"},
        {"email": "ada@example.org", "email_verified": False},
        {"email": "ada@example.org", "email_verified": "true"},
        {"email": "ada@example.org", "email_verified": "false"},
        {"email": "ada@example.org", "email_verified": 1},
        {"email": ["ada@example.org"], "email_verified": True},
        {"email": None, "email_verified": True},
        {"orcid": [ADA]},
        {"orcid": "0000-0002-1825-0098"},
        {"voperson_id": "ada", "preferred_username": "ada"},
    ],
)
def test_what_proves_nothing(claims: dict[str, Any]) -> None:
    assert identity.identities({"sub": "x", **claims}) == {"identifier:x"}


def test_kinds_are_told_apart() -> None:
    claims = {"sub": "ada@example.org", "orcid": ADA}
    assert "email:ada@example.org" not in identity.identities(claims)


def test_logs_have_no_address() -> None:
    told = identity.for_log("email:ada@example.org")
    assert told == "email:sha256:cfe00dde46ef942601ffafb9e2825e802858b460e586b8305b344c1eb826357d"
    assert identity.for_log(f"orcid:{ADA}") == f"orcid:{ADA}"
