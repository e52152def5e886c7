"""Command line: `panosc-archive serve`, `receive`, `index`, `verify`, `forget`."""

import contextlib
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from panosc_common import logs, server
from panosc_common.tree import RootUnavailable
from pydantic import ValidationError
from pydantic_settings import SettingsError

from panosc_archive import fixity
from panosc_archive.manifest import Manifest
from panosc_archive.settings import Settings

PROGRESS_SECONDS = 5.0

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Archive gateway of a facility. Every flag is also an environment variable PANOSC_ARCHIVE_….",
)

Data = Annotated[Path | None, typer.Option("--data-directory", help="Root of the data; only read.")]
StateDirectory = Annotated[Path | None, typer.Option("--state-directory", help="Place of the manifest.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any.")] = 8000,
    data_directory: Data = None,
    state_directory: StateDirectory = None,
    catalogue_url: Annotated[
        list[str] | None, typer.Option(help="Internal base URL of a catalogue; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name under which the catalogues know it.")] = None,
    public_url: Annotated[str | None, typer.Option(help="Base of the URLs in answers.")] = None,
) -> None:
    """Serve files, bundles and HDF5 slices of what the catalogues let whoever asks see."""
    from panosc_archive.app import create_app

    settings = _settings(
        data_directory=data_directory,
        state_directory=state_directory,
        catalogue_urls=catalogue_url or None,
        name=name,
        public_url=public_url,
    )
    server.run(create_app(settings), host, port)


@app.command()
def receive(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any.")] = 8001,
    data_directory: Annotated[
        Path | None, typer.Option("--data-directory", help="Root of the data; written to.")
    ] = None,
) -> None:
    """Take files that staff send, by the resumable upload protocol tus."""
    from panosc_archive.uploads.app import create_app

    settings = _settings(data_directory=data_directory)
    if settings.uploads is None:
        typer.echo("configuration is not valid: PANOSC_ARCHIVE_UPLOADS says who may put files here", err=True)
        raise typer.Exit(2)
    server.run(create_app(settings, settings.uploads), host, port)


@app.command()
def index(
    host: Host = "0.0.0.0",  # noqa: S104 -- the operator reads the status from another pod
    port: Annotated[int, typer.Option(help="Port of /status, /healthz and /metrics; 0: any.")] = 8081,
    data_directory: Data = None,
    state_directory: StateDirectory = None,
) -> None:
    """Watch the tree, hash new files into the manifest, and tell the state on /status."""
    from panosc_archive.indexer import create_app

    settings = _settings(data_directory=data_directory, state_directory=state_directory)
    server.run(create_app(settings), host, port)


@app.command()
def verify(data_directory: Data = None, state_directory: StateDirectory = None) -> None:
    """Read every file of the manifest again and record which are damaged or missing.

    Ends with 0 whatever it finds: damage is a finding for the operator's status, not a failure of the check.
    Ends with 1 if the data's volume is not there: the next run goes on then.
    """
    settings = _settings(data_directory=data_directory, state_directory=state_directory)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    reader = fixity.Reader(settings.data_directory, settings.hash_mib_per_second * 2**20, stop)
    started = shown = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= PROGRESS_SECONDS:
            shown = time.monotonic()
            gib = reader.read_bytes / 2**30
            typer.echo(f"{done}/{total} files, {gib:.1f} GiB, {shown - started:.0f} s", err=True)

    with contextlib.closing(Manifest.open(settings.manifest_path)) as manifest:
        try:
            fixity.verify(manifest, reader, progress)
        except fixity.Stopped:
            typer.echo("stopped; the next run goes on here", err=True)
            raise typer.Exit(143) from None
        except RootUnavailable as error:
            typer.echo(f"nothing was checked further, the next run goes on here: {error}", err=True)
            raise typer.Exit(1) from error
        summary = manifest.summary()
    sys.stdout.write(orjson.dumps({**summary._asdict(), "readBytes": reader.read_bytes}).decode() + "\n")


@app.command()
def forget(
    paths: Annotated[list[str], typer.Argument(help="Missing files, or directories they were in.")],
    state_directory: StateDirectory = None,
) -> None:
    """Tell the manifest that missing files were removed on purpose; files that are there stay known."""
    settings = _settings(state_directory=state_directory)
    with contextlib.closing(Manifest.open(settings.manifest_path)) as manifest:
        for path in paths:
            typer.echo(f"{manifest.forget(path.strip('/'))} missing files forgotten: {path}")


def _settings(**flags: Any) -> Settings:
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except (ValidationError, SettingsError) as error:
        typer.echo(f"configuration is not valid: {error}", err=True)
        raise typer.Exit(2) from error
    logs.configure(settings.log_level)
    return settings
