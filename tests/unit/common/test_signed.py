"""Signed links: what they open, for how long, and what becomes of those that were changed."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from panosc_common.access import Reason, Role
from panosc_common.problem import Problem
from panosc_common.signed import MAX_TOKEN, Keys, Link, NotTaken, archive_of

KEY, OTHER = b"k" * 43, b"o" * 43
MEMBER = Reason(role=Role.MEMBER, of="HC-4123")


def link(seconds: float = 60, **changes: object) -> Link:
    given = {
        "archive": "archive",
        "subject": "ada@example.org",
        "resource": "/files/a b.nxs",
        "reasons": [MEMBER],
        "expires": int(time.time() + seconds),
    }
    return Link.model_validate(given | changes)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    (tmp_path / "current").write_bytes(KEY + b"\n")
    return Keys(tmp_path)


def test_a_link_says_what_was_signed(keys: Keys) -> None:
    signed = link()
    token = keys.sign(signed)
    assert keys.verified(token, "archive") == signed
    assert archive_of(token) == "archive"


def changed(part: int) -> Callable[[str], str]:
    def change(token: str) -> str:
        parts = token.split(".")
        parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
        return ".".join(parts)

    return change


def prolonged(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["exp"] += 3600
    again = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{head}.{again}.{signature}"


def unsigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed(0), "cannot be understood"),
        (changed(1), "signature is wrong"),
        (changed(2), "signature is wrong"),
        (prolonged, "signature is wrong"),
        (unsigned, "cannot be understood"),
        (lambda token: token[:-10], "copy the whole address"),
        (lambda token: "nonsense", "cannot be understood"),
        (lambda token: "", "cannot be understood"),
        (lambda token: token * 100, f"more than {MAX_TOKEN} characters"),
    ],
)
def test_a_changed_link_is_refused(keys: Keys, change: Callable[[str], str], why: str) -> None:
    token = change(keys.sign(link()))
    with pytest.raises(NotTaken, match=why) as refused:
        keys.verified(token, "archive")
    assert refused.value.status == 403


def test_a_link_ends(keys: Keys) -> None:
    token = keys.sign(link(-1))
    with pytest.raises(NotTaken, match="expired: ask for a new one"):
        keys.verified(token, "archive")
    assert keys.verified(token, "archive", leeway=30)


def test_another_archives_link_is_refused(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="cannot be understood"):
        keys.verified(keys.sign(link()), "other")
    (tmp_path / "current").write_bytes(OTHER)
    token = keys.sign(link())
    (tmp_path / "current").write_bytes(KEY)
    with pytest.raises(NotTaken, match="another archive signed it"):
        keys.verified(token, "archive")


def test_keys_are_replaced_while_links_live(keys: Keys, tmp_path: Path) -> None:
    old = keys.sign(link())
    (tmp_path / "previous").write_bytes(KEY)
    (tmp_path / "current").write_bytes(OTHER)
    new = keys.sign(link())
    assert keys.verified(old, "archive")
    (tmp_path / "previous").unlink()
    assert keys.verified(new, "archive")
    with pytest.raises(NotTaken, match="its key was replaced"):
        keys.verified(old, "archive")


@pytest.mark.parametrize("key", [None, b"", b"short"])
def test_without_a_good_key_nothing_is_signed_or_taken(keys: Keys, tmp_path: Path, key: bytes | None) -> None:
    token = keys.sign(link())
    (tmp_path / "current").unlink()
    if key is not None:
        (tmp_path / "current").write_bytes(key)
    with pytest.raises(Problem, match="switched off") as refused:
        keys.sign(link())
    assert refused.value.status == 503
    with pytest.raises(NotTaken):
        keys.verified(token, "archive")


def test_what_is_seen_for_too_many_reasons_gets_no_link(keys: Keys) -> None:
    many = [Reason(role=Role.MEMBER, of=f"proposal number {number}") for number in range(100)]
    with pytest.raises(Problem, match="for 100 reasons: ask for links to parts") as refused:
        keys.sign(link(reasons=many))
    assert refused.value.status == 422


@pytest.mark.parametrize("archive", ["../secrets", "a/b", "", ["archive"], None])
def test_no_other_folder_is_named(archive: object) -> None:
    token = jwt.encode({} if archive is None else {"aud": archive}, KEY, algorithm="HS256")
    with pytest.raises(NotTaken):
        archive_of(token)


def test_a_key_pair_of_a_login_signs_no_link(keys: Keys) -> None:
    claims = {
        "aud": "archive",
        "sub": "x",
        "exp": time.time() + 60,
        "jti": "1",
        "resource": "/",
        "reasons": [],
    }
    for algorithm in ("HS384", "HS512"):
        with pytest.raises(NotTaken):
            keys.verified(jwt.encode(claims, KEY * 2, algorithm=algorithm), "archive")
