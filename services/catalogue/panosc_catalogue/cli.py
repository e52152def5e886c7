"""Command line: `panosc-catalogue serve|migrate|ingest|load`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import orjson
import psycopg
import typer
from panosc_common import logs
from panosc_common import server as http
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette

from panosc_catalogue.load import BadLine, Tally
from panosc_catalogue.load import load as load_lines
from panosc_catalogue.records import schema
from panosc_catalogue.settings import Settings, load_config
from panosc_catalogue.web.app import create_app

app = typer.Typer(
    help="The catalogue of a photon or neutron facility: ingest, search API, embargo.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="PANOSC_CATALOGUE_DATABASE_URL",
        help="PostgreSQL URL: postgresql://user:password@host:5432/database",
        show_envvar=True,
        show_default=False,
    ),
]
PolicyPath = Annotated[
    Path | None, typer.Option("--policy-file", help="Data policy as JSON; re-read when it changes")
]
ConfigPath = Annotated[Path | None, typer.Option("--config-file", help="Facility and sources as JSON")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535)]


def _fail(message: str) -> typer.Exit:
    typer.echo(f"panosc-catalogue: {message}", err=True)
    return typer.Exit(2)


def _settings(
    database_url: str | None, policy_file: Path | None = None, config_file: Path | None = None
) -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        raise _fail(f"an environment variable is not valid: {error}") from error
    chosen = {
        "database_url": SecretStr(database_url) if database_url else settings.database_url,
        "policy_file": policy_file or settings.policy_file,
        "config_file": config_file or settings.config_file,
    }
    if chosen["database_url"] is None:
        raise _fail("no database: give --database-url or set PANOSC_CATALOGUE_DATABASE_URL")
    settings = settings.model_copy(update=chosen)
    logs.configure(settings.log_level)
    return settings


def _url(settings: Settings) -> str:
    return settings.database_url.get_secret_value() if settings.database_url else ""


def _run(make: Callable[[], Starlette], host: str, port: int) -> None:
    """Serve the application; what is wrong with its settings is told in one line."""
    try:
        application = make()
    except (ValueError, psycopg.ProgrammingError) as error:
        raise _fail(str(error)) from error
    http.run(application, host, port)


@app.command()
def serve(
    database_url: DatabaseUrl = None,
    policy_file: PolicyPath = None,
    config_file: ConfigPath = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on")] = "127.0.0.1",
    port: Port = 8080,
) -> None:
    """Serve the search API."""
    settings = _settings(database_url, policy_file, config_file)
    _run(lambda: create_app(settings), host, port)


@app.command()
def migrate(database_url: DatabaseUrl = None) -> None:
    """Bring the database's schema up to date; safe to run twice, and at the same time."""
    # What only the migration needs takes longer to load than all that serves.
    import sqlalchemy.exc

    from panosc_catalogue import migrate as migrations

    settings = _settings(database_url)
    try:
        revision = migrations.migrate(_url(settings))
    except sqlalchemy.exc.ArgumentError as error:
        raise _fail(
            "the database URL is not of the form postgresql://user:password@host:5432/database"
        ) from error
    except sqlalchemy.exc.OperationalError as error:
        raise _fail(f"the database cannot be reached: {error.orig}") from error
    typer.echo(f"schema is at revision {revision}")


@app.command()
def ingest(
    database_url: DatabaseUrl = None,
    config_file: ConfigPath = None,
    policy_file: PolicyPath = None,
    host: Annotated[str, typer.Option("--host", help="Address of the status page")] = "127.0.0.1",
    port: Port = 8081,
) -> None:
    """Read the sources' NeXus files and keep the catalogue up to date with them."""
    # Only the ingest needs HDF5, which takes longer to load than all the rest.
    from panosc_catalogue.ingest.app import create_app as create_ingest

    settings = _settings(database_url, policy_file, config_file)
    _run(lambda: create_ingest(settings, load_config(settings.config_file)), host, port)


@app.command()
def dois(
    database_url: DatabaseUrl = None,
    config_file: ConfigPath = None,
    policy_file: PolicyPath = None,
    host: Annotated[str, typer.Option("--host", help="Address of the status page")] = "127.0.0.1",
    port: Port = 8081,
) -> None:
    """Register DOIs of public records, and keep what the registrar says about them up to date."""
    from panosc_catalogue.dois.app import create_app as create_dois

    settings = _settings(database_url, policy_file, config_file)
    _run(lambda: create_dois(settings, load_config(settings.config_file)), host, port)


@app.command()
def load(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON Lines, a Document, Dataset or Instrument each; - is standard input"),
    ] = None,
    database_url: DatabaseUrl = None,
    print_schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of a line and stop")
    ] = False,
) -> None:
    """Load records from JSON Lines. Wrong lines are reported and left out (exit status 1).

    Fields that a line does not name stay as they are. A dataset with isPublic false is not locked: it becomes
    public at its document's releaseDate, or else when the months of the data policy (the one that `serve` is
    given, 36 without one) have passed since its end. Give releaseDate for what must stay closed for longer.
    """
    if print_schema:
        typer.echo(orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode())
        return
    if file is None:
        raise _fail("no file: give one, or - for standard input")
    settings = _settings(database_url)

    def report(bad: BadLine) -> None:
        typer.echo(str(bad), err=True)

    def progress(tally: Tally) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{tally.loaded} loaded", err=True, nl=False)

    try:
        lines = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with lines, psycopg.connect(_url(settings), autocommit=True, connect_timeout=10) as connection:
            tally = load_lines(connection, lines, report, progress)
    except OSError as error:
        raise _fail(f"{file}: {error.strerror}") from error
    except psycopg.errors.UndefinedTable as error:
        raise _fail("the database has no schema yet: run `panosc-catalogue migrate` first") from error
    except psycopg.OperationalError as error:
        raise _fail(f"the database cannot be reached: {error}") from error
    except psycopg.ProgrammingError as error:
        raise _fail(f"the database URL is not valid: {error}") from error
    typer.echo(f"{tally.loaded} loaded, {tally.refused} refused")
    if tally.refused:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
