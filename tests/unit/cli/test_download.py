"""Many files at a time, from an archive that answers as told."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from panosc_cli.download import AT_A_TIME, download
from panosc_cli.failures import Failure
from panosc_cli.holdings import Remote, placed
from panosc_cli.transfer import Outcome, Result

HOST = "https://archive.example.org"


class Archive:
    """Sends a file's path as its content."""

    def __init__(self) -> None:
        self.at_once = self.most = 0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        path = request.url.path.removeprefix("/files/")
        status, length = 404 if path == "gone" else 200, {"Content-Length": str(len(path))}
        return httpx2.Response(status, headers=length, stream=httpx2.ByteStream(path.encode()))


def remote(path: str, sha256: str | None = None) -> Remote:
    return Remote(f"{HOST}/files/{path}", path, len(path), sha256)


def bring(
    archive: Callable[..., object], folder: Path, *remotes: Remote
) -> tuple[list[Result], list[Failure], int]:
    done: list[Result] = []
    counts: list[int] = []

    async def work() -> list[Failure]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(archive)) as client:  # type: ignore[arg-type]
            return await download(client, placed(folder, remotes), done.append, counts.append)

    return done, asyncio.run(work()), sum(counts)


def test_some_come_at_a_time_and_one_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    archive, paths = Archive(), [f"d{number % 3}/{number}" for number in range(30)]
    done, failures, counted = bring(archive, tmp_path, *map(remote, paths), remote("gone"))
    assert {str(one.place.relative_to(tmp_path)) for one in done} == set(paths)
    assert {(one.outcome, one.is_checked) for one in done} == {(Outcome.FETCHED, False)}
    assert all((tmp_path / path).read_text() == path for path in paths)
    assert len(failures) == 1
    assert archive.most == AT_A_TIME
    assert counted == sum(map(len, paths))


def test_what_is_listed_is_compared_where_nothing_comes_with_the_bytes(tmp_path: Path) -> None:
    right, wrong = hashlib.sha256(b"right").hexdigest(), hashlib.sha256(b"other").hexdigest()
    done, failures, counted = bring(Archive(), tmp_path, remote("right", right), remote("wrong", wrong))
    assert [(one.place.name, one.is_checked) for one in done] == [("right", True)]
    assert [file.name for file in tmp_path.iterdir()] == ["right"]
    assert wrong in str(failures[0])
    assert counted == len("right")


def test_a_part_of_what_has_no_strong_tag_is_begun_again(tmp_path: Path) -> None:
    asked: list[str | None] = []

    async def archive(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("Range"))
        content = b"x" if len(asked) == 1 else b"xyz"
        headers = {"ETag": 'W/"1"', "Content-Length": "3"}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(content))

    done, failures, _ = bring(archive, tmp_path, remote("abc"))
    assert (len(done), failures, asked) == (1, [], [None, None])
    assert (tmp_path / "abc").read_text() == "xyz"


def test_a_folder_that_cannot_be_written_ends_it_all(tmp_path: Path) -> None:
    (tmp_path / "d0").write_text("no folder")
    with pytest.raises(OSError, match="d0"):
        bring(Archive(), tmp_path, *(remote(f"d0/{number}") for number in range(30)))
