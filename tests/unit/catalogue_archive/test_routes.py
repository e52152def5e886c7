"""No route of the catalogue or the archive is without a place in the matrix, or a reason to have none."""

import re
from pathlib import Path

import pytest
from panosc_archive import app as archive
from panosc_archive.settings import Settings as ArchiveSettings
from panosc_archive.settings import Uploads
from panosc_archive.slices import OPERATIONS
from panosc_archive.uploads import app as receiver
from panosc_catalogue.pages import formats
from panosc_catalogue.settings import Settings as CatalogueSettings
from panosc_catalogue.web import app as catalogue
from panosc_catalogue.web import openapi
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Mount, Route
from unit.catalogue_archive.ways import ARCHIVE, CATALOGUE, COUNTS, FOLDERS, TOGETHER
from unit.catalogue_archive.world import OPEN

PROCESS = "it is about the process"
TEAMS = "it is about people: who sees a team is in unit/catalogue/teams"
POLICY = "it is for administrators alone: unit/catalogue/test_login asks as every role"
INTERNAL = "it is for archives alone, which the matrix asks by; that others are refused, test_callers has"
FIXED = "it says the same to everybody, whatever is in the database"
SHOWING_NO_DATA = {
    "archive": {
        "GET /": FIXED,
        "GET /openapi.json": FIXED,
        "GET /healthz": PROCESS,
        "GET /metrics": PROCESS,
    },
    "receiver": {
        "OPTIONS, POST /uploads": "it takes files and shows none",
        "DELETE, OPTIONS, PATCH, POST /uploads/{identifier}": "an upload is its sender's alone: "
        "unit/archive/test_uploads",
        "GET /healthz": PROCESS,
        "GET /metrics": PROCESS,
    },
    "catalogue": {
        "GET /openapi.json": FIXED,
        "GET /healthz": PROCESS,
        "GET /readyz": PROCESS,
        "GET /metrics": PROCESS,
        "GET /docs": FIXED,
        "GET /explorer": FIXED,
        "GET /docs/start.js": FIXED,
        "GET /docs/{name}": FIXED,
        "GET /.well-known/oauth-protected-resource": FIXED,
        "GET /login": "it leads back to a page",
        "MOUNT /static": FIXED,
        "POST /internal/archives/{archive}/visible": INTERNAL,
        "GET /internal/archives/{archive}/children": INTERNAL,
        "GET /internal/datasets/{pid:path}/files": INTERNAL,
        "GET /internal/embargo": INTERNAL,
        "GET /policy": POLICY,
        "POST /policy/decisions": POLICY,
        "GET /policy/log": POLICY,
        "GET /policy/documents/{pid:path}": POLICY,
        "GET /policy/datasets/{pid:path}": POLICY,
        "POST /teams": TEAMS,
        "GET /teams/{proposal:path}/members": TEAMS,
        "POST /teams/{proposal:path}/members": TEAMS,
        "DELETE /teams/{proposal:path}/members/{member}": TEAMS,
        "GET /teams/{proposal:path}": TEAMS,
        "PUT /teams/{proposal:path}": TEAMS,
    },
}


def built(name: str, folder: Path) -> Starlette:
    if name == "catalogue":
        given = CatalogueSettings(database_url=SecretStr("postgresql://"), config_file=folder / "c.json")
        return catalogue.create_app(given)
    settings = ArchiveSettings(data_directory=folder)
    if name == "archive":
        return archive.create_app(settings)
    login = {"issuer": "https://login.example.org", "audience": "a", "entitlementNamespace": "geant:a"}
    uploads = {"facility": "facility", "login": login, "maxBytes": 1, "keepSeconds": 1}
    return receiver.create_app(settings, Uploads.model_validate(uploads))


def asked(name: str) -> list[tuple[str, str]]:
    """Method and path of what the matrix asks."""
    if name == "archive":
        ways = [(way.method, way.url(OPEN, 0).partition("?")[0]) for way in ARCHIVE.values()]
        return ways + [("GET", folder) for folder in FOLDERS]
    if name == "catalogue":
        targets = [*(record.target for record in CATALOGUE), *TOGETHER, *COUNTS]
        return [("GET", target.partition("?")[0].format(name="a", pid="a", path="a")) for target in targets]
    return []


def is_asked(route: BaseRoute, routes: list[BaseRoute], name: str) -> bool:
    """Whether it is the route that something in the matrix takes."""
    for method, path in asked(name):
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        if next(one for one in routes if one.matches(scope)[0] is Match.FULL) is route:
            return True
    return False


def written(route: BaseRoute) -> str:
    if isinstance(route, Mount):
        return f"MOUNT {route.path}"
    assert isinstance(route, Route)
    return f"{', '.join(sorted((route.methods or set()) - {'HEAD'} or {'HEAD'}))} {route.path}"


@pytest.mark.parametrize("name", SHOWING_NO_DATA)
def test_each_route_is_in_the_matrix_or_shows_no_data(name: str, tmp_path: Path) -> None:
    routes = built(name, tmp_path).routes
    left_out = {written(route) for route in routes if not is_asked(route, routes, name)}
    assert left_out == SHOWING_NO_DATA[name].keys()


def test_each_part_of_a_route_is_in_the_matrix() -> None:
    paths = [path for _, path in asked("catalogue")]
    for path in openapi.document()["paths"]:
        if path.startswith("/api/"):
            pattern = re.sub(r"{\w+}", "[^/]+", path)
            assert any(re.fullmatch(pattern, one) for one in paths), path
    for operation in OPERATIONS:
        assert ("GET", f"/hdf5/{operation}/") in asked("archive")
    for form in formats.ALL:
        for kind in ("datasets/{path}", "documents/{name}"):
            assert any(record.target == f"/{kind}?format={form.name}" for record in CATALOGUE)
