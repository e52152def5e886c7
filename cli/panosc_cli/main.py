"""The command line: `panosc login|logout|whoami|token|search|get|put`, and `panosc token create|revoke`.

Exit status: 0 done; 1 failed; 2 misused; 3 not logged in, or refused; 130 interrupted.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TextIO

import httpx2
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from panosc_cli import catalogue as catalogues
from panosc_cli import holdings, login, personal, search, sessions, upload, web
from panosc_cli.download import download
from panosc_cli.failures import INTERRUPTED, Failure, Misused, NotAllowed
from panosc_cli.holdings import Remote
from panosc_cli.sessions import Session
from panosc_cli.transfer import Outcome, Result

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Search the catalogues of photon and neutron facilities, and download or put data there.",
    epilog="Exit status: 0 done; 1 failed; 2 misused; 3 not logged in, or refused; 130 interrupted.",
)
tokens = typer.Typer(invoke_without_command=True)
app.add_typer(tokens, name="token")

CatalogueOption = Annotated[
    str | None,
    typer.Option(
        "--catalogue",
        "-c",
        envvar="PANOSC_CATALOGUE",
        help="Address of the catalogue; else the one that you logged in to last.",
        show_default=False,
    ),
]
CatalogueArgument = Annotated[
    str | None,
    typer.Argument(
        help="Address of the catalogue; else the one that you logged in to last.", show_default=False
    ),
]


def main() -> None:
    """Run the command."""
    try:
        app()
    except Failure as error:
        _complain(error)
        sys.exit(error.status)


def _complain(error: Failure) -> None:
    """Say what went wrong, which may be in a server's words."""
    print(f"panosc: {web.printable(str(error))}", file=sys.stderr)


def _run(work: Coroutine[Any, Any, None], interrupted: str = "interrupted") -> None:
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        print(f"panosc: {interrupted}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except httpx2.RequestError as error:
        raise Failure(f"the connection failed: {error or type(error).__name__}") from error
    except OSError as error:
        raise Failure(f"{error.filename or 'this machine'}: {error.strerror or error}") from error


@app.command("login")
def log_in(
    catalogue: Annotated[str, typer.Argument(help="Address of a catalogue, or of a page of it.")],
) -> None:
    """Log in to a facility, in a browser on this or another machine."""

    async def work() -> None:
        async with web.client() as client:
            told = await catalogues.described(client, catalogue)
            session, who = await login.log_in(client, told, lambda code: _show(code, sys.stdout))
        sessions.kept().keep(session)
        print(f"Logged in to {_facility(session)} as {web.printable(who.name or who.sub)}.")

    _run(work())


def _show(code: login.Code, file: TextIO) -> None:
    """Say where to enter the code."""
    where = web.printable(code.verification_uri)
    print(f"Open {where} and enter the code {web.printable(code.user_code)}", file=file)
    if code.verification_uri_complete:
        print(f"or open {web.printable(code.verification_uri_complete)}", file=file)
    print("Waiting …", file=file, flush=True)


@app.command("logout")
def log_out(catalogue: CatalogueArgument = None) -> None:
    """Have the login take its tokens back, and delete them here."""

    async def work() -> None:
        session = _logged_in(catalogue)
        # They are deleted whatever the login says.
        sessions.kept().forget(session.catalogue)
        async with web.client() as client:
            try:
                await login.log_out(client, session)
            except Failure as error:
                raise Failure(
                    f"{error}; the tokens are deleted here, but at the login your session goes on until it "
                    "ends by itself"
                ) from error
        print(f"Logged out of {_facility(session)}.")

    _run(work())


@app.command()
def whoami(catalogue: CatalogueArgument = None) -> None:
    """Show who is logged in, or whose token there is, to what they belong, and for how long."""

    async def work() -> None:
        session = await _session(catalogue)
        async with web.client() as client:
            who = await login.person(client, session)
        unless = ", unless it is used before" if session.catalogue else ""
        shown = [
            ("name", who.name),
            ("identifier", who.sub),
            ("facility", _facility(session) if session.catalogue else ""),
            ("login", session.issuer),
            *(("entitlement", one) for one in sorted(who.entitlements)),
            *(("limited to", one) for one in sorted(session.scopes) if one.startswith(personal.LIMITING)),
            ("ends", f"{_time(session.ends)}{unless}" if session.ends else ""),
        ]
        for label, value in shown:
            if value:
                print(f"{label:<12}{web.printable(value)}")

    _run(work())


@tokens.callback()
def token(context: typer.Context, catalogue: CatalogueOption = None) -> None:
    """Print an access token for other programs; whoever has it does what you may do, for some minutes."""
    given = context.get_parameter_source("catalogue")
    if context.invoked_subcommand and given and given.name == "COMMANDLINE":
        raise typer.BadParameter(f"write --catalogue behind {context.invoked_subcommand}")
    if context.invoked_subcommand is None:
        _run(_print_access_token(catalogue))


async def _print_access_token(catalogue: str | None) -> None:
    print((await _session(catalogue)).access_token)


@tokens.command()
def create(
    scope: Annotated[
        list[personal.Scope], typer.Option(help="What it is good for; may be given several times.")
    ] = [personal.Scope.READ],  # noqa: B006 -- typer takes no other
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for it; else standard output.")
    ] = None,
    catalogue: CatalogueOption = None,
) -> None:
    """Make a token for your scripts, which ends by itself after some months."""

    async def work() -> None:
        where = _named_catalogue(catalogue)
        async with web.client() as client:
            told = await catalogues.described(client, where)
            made = None
            try:
                # One that can't be kept isn't made, or is taken back; between both nothing waits.
                with _secret(output) as file:
                    made = await personal.create(client, told, scope, lambda code: _show(code, sys.stderr))
                    print(made.refresh_token, file=file, flush=True)
            except OSError:
                if made:
                    with suppress(Failure, httpx2.RequestError):
                        await login.log_out(client, made)
                raise
        ends = f"It ends on {_time(made.ends)}, and before by" if made.ends else "It ends by"
        print(
            f"{ends} `panosc token revoke`; scripts have it by {personal.TOKEN} or {personal.TOKEN_FILE}.",
            file=sys.stderr,
        )

    _run(work())


@contextmanager
def _secret(output: Path | None) -> Iterator[TextIO]:
    """A new file that nobody else may read, else standard output; there is none if the block raises."""
    if output is None:
        yield sys.stdout
        return
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            yield file
    except BaseException:
        output.unlink()
        raise


@tokens.command()
def revoke() -> None:
    """Have the login take back the token that PANOSC_TOKEN has, or the file PANOSC_TOKEN_FILE."""

    async def work() -> None:
        session = personal.given()
        if session is None:
            raise Misused(f"name the token by {personal.TOKEN} or {personal.TOKEN_FILE}")
        async with web.client() as client:
            await login.log_out(client, session)
        print("It gives no access tokens any more; those that it gave end by themselves, minutes from now.")

    _run(work())


@app.command("search")
def find(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Words that must be found; after `--`, -WORD excludes one.", show_default=False),
    ] = None,
    technique: Annotated[
        str | None, typer.Option(help="Of this technique, or a kind of it.", show_default=False)
    ] = None,
    instrument: Annotated[str | None, typer.Option(help="Of this instrument.", show_default=False)] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", help="Of this day (UTC) or later.", formats=["%Y-%m-%d"])
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", help="Of this day (UTC) or before.", formats=["%Y-%m-%d"])
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Datasets at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
    catalogue: CatalogueOption = None,
) -> None:
    """Search for datasets: the best come first, without words the latest."""
    wanted = search.Wanted(
        words or (), technique, instrument, first.date() if first else None, last.date() if last else None
    )

    async def work() -> None:
        where = _named_catalogue(catalogue)
        async with _client_for(where, await personal.bearer()) as client:
            listed = [one async for one in search.found(client, where, wanted, limit)]
        for line in map(search.line, listed) if as_json else search.table(listed):
            print(line)

    _run(work())


@app.command()
def get(
    what: Annotated[
        list[str],
        typer.Argument(
            help="PIDs, or addresses of datasets or files; `-` reads them, or what `search --json` gives."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    catalogue: CatalogueOption = None,
) -> None:
    """Download files; what is there and right is not fetched again, what came in part is gone on with."""

    async def work() -> None:
        where = _catalogue(catalogue)
        own = await personal.bearer()
        failures: list[Failure] = []
        for one in _named(what):
            async with _client_for(one if "://" in one else where, own) as client:
                try:
                    remotes = await holdings.files(client, one, where)
                    failures += await _download(client, holdings.placed(output, remotes))
                except web.NotThere as error:
                    failures.append(Failure(f"{error}; what is not public yet needs a login: `panosc login`"))
                except Failure as error:
                    failures.append(error)
        _fail(failures)

    _run(work(), "interrupted; what has come is kept in *.part, and the same command goes on with it")


async def _download(client: httpx2.AsyncClient, places: Mapping[Path, Remote]) -> list[Failure]:
    """Fetch files, and tell each that is right; progress is for people only."""
    outcomes = Counter[Outcome]()
    unchecked = 0

    def done(result: Result) -> None:
        nonlocal unchecked
        outcomes[result.outcome] += 1
        unchecked += not result.is_checked
        # Programs need the name as it is; on a terminal, one of an archive must not command it.
        print(web.printable(str(result.place)) if sys.stdout.isatty() else result.place, flush=True)

    with _bar() as bar:
        shown = bar.add_task("Downloading", total=sum(one.size for one in places.values()))
        failures = await download(client, places, done, lambda count: bar.advance(shown, count))
    alone = "compared by size alone, as the archive does not know their SHA-256 yet"
    _sum_up({one.value: outcomes[one] for one in Outcome}, failures, {alone: unchecked})
    return failures


def _sum_up(
    outcomes: Mapping[str, int], failures: Collection[Failure], remarks: Mapping[str, int] | None = None
) -> None:
    """Say how many files there were of what; nothing is said of none."""
    counts = {**outcomes, "failed": len(failures), **(remarks or {})}
    told = [f"{count} {what}" for what, count in counts.items() if count]
    print(f"panosc: {', '.join(told) or 'there are no files'}", file=sys.stderr)


def _bar() -> Progress:
    """How far it is, on terminals."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    return Progress(
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
        # Names go to where standard output goes, be it a file.
        redirect_stdout=sys.stdout.isatty(),
    )


def _fail(failures: Collection[Failure]) -> None:
    """Say what failed, and end so."""
    for failure in failures:
        _complain(failure)
    if failures:
        raise typer.Exit(max(failure.status for failure in failures))


@app.command()
def put(
    files: Annotated[list[Path], typer.Argument(help="Files, with --recursive also folders.")],
    destination: Annotated[
        str,
        typer.Argument(
            help="Address of the folder in the archive, with a slash at its end, or of the file: "
            "https://archive.example.org/files/hc4123/raw/"
        ),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Send folders with all that is in them.")
    ] = False,
) -> None:
    """Put files into an archive, as staff of the facility; what came in part is gone on with."""
    sent = upload.targets(files, destination, recursive=recursive)

    async def work() -> None:
        outcomes = Counter[upload.Outcome]()
        failures: list[Failure] = []
        async with _client_for(destination, await personal.bearer()) as client:
            with _bar() as bar:
                total = sum(file.stat().st_size for file in sent if file.exists())
                reading, sending = (bar.add_task(name, total=total) for name in ("Reading", "Sending"))
                shown = partial(bar.advance, reading), partial(bar.advance, sending)
                for file, target in sent.items():
                    try:
                        outcomes[await upload.put(client, file, target, upload.begun(), *shown)] += 1
                        print(target.url, flush=True)
                    except Failure as error:
                        failures.append(error)
                    except OSError as error:
                        failures.append(Failure(f"{file}: {error.strerror}"))
        _sum_up({one.value: outcomes[one] for one in upload.Outcome}, failures)
        _fail(failures)

    _run(work(), "interrupted; the same command goes on")


def _named(what: Iterable[str]) -> Iterator[str]:
    """What is to be fetched; `-` stands for the lines of standard input."""
    for one in what:
        if one != "-":
            yield one
            continue
        for line in filter(None, map(str.strip, sys.stdin)):
            try:
                yield search.Dataset.model_validate_json(line).pid if line.startswith("{") else line
            except ValidationError as error:
                raise Misused(f"{line[:80]} is neither a PID nor a line of `panosc search --json`") from error


def _client_for(address: str | None, own: login.Bearer | None) -> httpx2.AsyncClient:
    """A client that shows to those who may know whose token there is, `own`, or else who is logged in."""
    if own:
        if address and web.origin(address) not in own.hosts:
            host = web.origin(address)
            print(f"panosc: the token is not for {host}, which is asked as by the public", file=sys.stderr)
        return web.client(own)
    kept = sessions.kept()
    session = kept.taking(web.origin(address)) if address else None
    return web.client(login.Bearer(kept, session) if session else None)


def _catalogue(given: str | None) -> str | None:
    """The catalogue that is asked."""
    if given:
        return web.origin(given)
    latest = sessions.kept().latest()
    return latest.catalogue if latest else None


def _named_catalogue(given: str | None) -> str:
    """The same. Raises Misused if there is none."""
    where = _catalogue(given)
    if where is None:
        raise Misused("name the catalogue: --catalogue, the variable PANOSC_CATALOGUE, or `panosc login`")
    return where


async def _session(catalogue: str | None) -> Session:
    """The session of the token that there is, or else of who is logged in, with an access token."""
    own = await personal.bearer()
    if own and catalogue and web.origin(catalogue) not in own.hosts:
        raise NotAllowed(f"the token in {personal.TOKEN} is not for {catalogue}: unset it to use a login")
    return await (own or login.Bearer(sessions.kept(), _logged_in(catalogue))).current()


def _logged_in(catalogue: str | None) -> Session:
    kept = sessions.kept()
    session = kept.of(web.origin(catalogue)) if catalogue else kept.latest()
    if session is None:
        raise NotAllowed(f"nobody is logged in: `panosc login {catalogue or 'https://…'}`")
    return session


def _facility(session: Session) -> str:
    return f"{web.printable(session.facility)} ({session.catalogue})"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes").replace("+00:00", " UTC")
