"""What is public according to several catalogues, some of which may be silent."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from panosc_archive.access import Access
from panosc_archive.visibility import CatalogueUnavailable, Visibility
from panosc_common.problem import Problem
from panosc_common.signed import Keys
from unit.archive.harness import CatalogueDouble, free_port

Result = TypeVar("Result")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[CatalogueDouble, CatalogueDouble]]:
    with CatalogueDouble("archive") as one, CatalogueDouble("archive") as two:
        yield one, two


@pytest.fixture
def catalogues(
    pair: tuple[CatalogueDouble, CatalogueDouble],
) -> Iterator[tuple[CatalogueDouble, CatalogueDouble]]:
    for double in pair:
        double.visible.clear()
        double.datasets.clear()
        double.failures.clear()
        double.told = ""
        double.caller = None
    yield pair
    assert [double.errors for double in pair] == [[], []]


def ask(
    urls: list[str],
    question: Callable[[Visibility], Awaitable[Result]],
    tokens: Path = Path("/none"),
) -> Result:
    async def run() -> Result:
        visibility = Visibility("archive", urls, tokens)
        try:
            return await question(visibility)
        finally:
            await visibility.close()

    return asyncio.run(run())


def test_without_catalogue_nothing_is_public() -> None:
    assert ask([], lambda visibility: visibility.visible(["a"])) == {}
    assert ask([], lambda visibility: visibility.children("", "", 10)).entries == []
    assert ask([], lambda visibility: visibility.dataset("x")) is None


def test_public_in_one_is_public(catalogues: tuple[CatalogueDouble, CatalogueDouble]) -> None:
    one, two = catalogues
    one.visible, two.visible = {"a"}, {"b"}
    assert ask([one.url, two.url], lambda visibility: visibility.visible(["a", "b", "c"])).keys() == {
        "a",
        "b",
    }


def test_what_a_silent_catalogue_might_show_is_unknown(
    catalogues: tuple[CatalogueDouble, CatalogueDouble],
) -> None:
    one, _ = catalogues
    one.visible = {"a"}
    dead = f"http://127.0.0.1:{free_port()}"
    assert ask([one.url, dead], lambda visibility: visibility.visible(["a"])).keys() == {"a"}
    assert ask([dead, one.url], lambda visibility: visibility.visible(["a"])).keys() == {"a"}
    for question in (
        lambda visibility: visibility.visible(["a", "b"]),
        lambda visibility: visibility.children("", "", 10),
        lambda visibility: visibility.dataset("x"),
    ):
        with pytest.raises(CatalogueUnavailable, match="ConnectError"):
            ask([one.url, dead], question)


def test_thousands_of_paths_are_asked_in_parts(catalogues: tuple[CatalogueDouble, CatalogueDouble]) -> None:
    one, _ = catalogues
    paths = [f"p/{number}" for number in range(2500)]
    one.visible = set(paths[::2])
    assert ask([one.url], lambda visibility: visibility.visible(paths)).keys() == set(paths[::2])


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_two_catalogues_are_merged_in_order(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], limit: int
) -> None:
    one, two = catalogues
    one.visible = {f"d/{name}" for name in ("a", "c", "e", "ü", "sub/x")}
    two.visible = {f"d/{name}" for name in ("b", "c", "z", "日", "sub/y", "tail/x")}

    async def every_page(visibility: Visibility) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        after: str | None = ""
        while after is not None:
            page = await visibility.children("d", after, limit)
            assert len(page.entries) <= limit
            found += [(child.name, child.type) for child in page.entries]
            after = page.next
        return found

    names = ["a", "b", "c", "e", "sub", "tail", "z", "ü", "日"]
    assert ask([one.url, two.url], every_page) == [
        (name, "directory" if name in ("sub", "tail") else "file") for name in names
    ]


def test_dataset_is_found_in_any(catalogues: tuple[CatalogueDouble, CatalogueDouble]) -> None:
    one, two = catalogues
    two.datasets["10.1/x y"] = {"pid": "10.1/x y", "files": []}
    found = ask([one.url, two.url], lambda visibility: visibility.dataset("10.1/x y"))
    assert found is not None
    assert found.pid == "10.1/x y"


def test_what_the_service_may_not_read_tells_no_more_than_other_things(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], base: Path
) -> None:
    """A public file is an error of the archive; a file and a directory that are not public stay unknown."""
    one, _ = catalogues
    root = base / "closed"
    (root / "directory").mkdir(parents=True, mode=0)
    for name in ("public", "embargoed"):
        (root / name).write_bytes(b"x")
        (root / name).chmod(0)
    one.visible = {"public"}

    async def status(visibility: Visibility, path: str) -> object:
        try:
            async with Access(root, visibility, Keys(root), "archive").open(
                path, directories=True
            ) as located:
                return located.is_directory
        except Problem as problem:
            return problem.status

    user = os.geteuid()
    if user == 0:  # root reads everything
        os.seteuid(65534)
    try:
        told = {
            path: ask([one.url], lambda visibility, path=path: status(visibility, path))  # type: ignore[misc]
            for path in ("public", "embargoed", "nothing", "directory")
        }
    finally:
        os.seteuid(user)
        (root / "directory").chmod(0o755)  # only root could remove it otherwise
    assert told == {"public": 500, "embargoed": 404, "nothing": 404, "directory": True}


@pytest.mark.parametrize("status", [400, 401, 500])
def test_answer_that_was_not_agreed_is_no_answer(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], status: int
) -> None:
    one, _ = catalogues
    one.failures = [status]
    with pytest.raises(CatalogueUnavailable, match="unexpected answer"):
        ask([one.url], lambda visibility: visibility.visible(["a"]))


def test_one_failure_is_repeated_and_two_are_not(
    catalogues: tuple[CatalogueDouble, CatalogueDouble],
) -> None:
    one, _ = catalogues
    one.visible = {"a"}
    one.failures = [504]
    assert ask([one.url], lambda visibility: visibility.visible(["a"])).keys() == {"a"}
    one.failures = [502, 503]
    with pytest.raises(CatalogueUnavailable, match="HTTP status 503"):
        ask([one.url], lambda visibility: visibility.visible(["a"]))
    assert one.failures == []


def test_what_a_catalogue_says_of_its_silence_is_passed_on(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], tmp_path: Path
) -> None:
    one, _ = catalogues
    one.failures, one.told = [503, 503], "the login at https://login.example does not answer"

    async def told(visibility: Visibility) -> Problem:
        with pytest.raises(Problem) as refused:
            await Access(tmp_path, visibility, Keys(tmp_path), "archive").visible(["a"])
        return refused.value

    refusal = ask([one.url], told)
    assert (refusal.status, refusal.detail) == (503, one.told)
    assert refusal.headers == {"Retry-After": "5"}


def test_each_catalogue_gets_the_token_for_it_as_it_is_at_that_moment(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], tmp_path: Path
) -> None:
    one, two = catalogues
    one.visible, two.visible = {"a"}, {"b"}
    urls = [one.url, two.url.replace("127.0.0.1", "localhost")]

    async def both(visibility: Visibility) -> None:
        for number in range(2):
            for double, host in ((one, "127.0.0.1"), (two, "localhost")):
                double.caller = f"token {number} for {host}"
                (tmp_path / host).write_text(double.caller)
            paths = [f"x{number}", "a", "b"]
            assert (await visibility.visible(paths)).keys() == {"a", "b"}

    ask(urls, both, tmp_path)


@pytest.mark.parametrize("who", ["", "Bearer ada"])
def test_that_a_catalogue_does_not_take_the_archive_is_no_fault_of_who_asks(
    catalogues: tuple[CatalogueDouble, CatalogueDouble], tmp_path: Path, who: str
) -> None:
    one, _ = catalogues
    one.caller = "another token"

    async def told(visibility: Visibility) -> Problem:
        with pytest.raises(Problem) as refused:
            await Access(tmp_path, visibility.asked_with(who), Keys(tmp_path), "archive").visible(["a"])
        return refused.value

    refusal = ask([one.url], told, tmp_path)
    assert (refusal.status, refusal.headers) == (503, {"Retry-After": "5"})
    assert "token" not in refusal.detail
