"""The description of the interface, `GET /openapi.json`; a test holds it against the routes."""

from typing import Any

from panosc_archive import __version__
from panosc_archive.signing import Wanted

_PROBLEM = {"description": "Problem details (RFC 9457)", "content": {"application/problem+json": {}}}
_NOT_SHOWN = {
    "401": {
        **_PROBLEM,
        "description": "The access token is not taken, never as if there was none",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    },
    "404": {**_PROBLEM, "description": "Absent, or not for whoever asks: both answers are the same"},
    "503": {**_PROBLEM, "description": "Who may see it is unknown, or the service is overloaded: try again"},
}


def _parameter(name: str, description: str, place: str = "query", **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path" or schema.pop("required", False),
        "description": description,
        "schema": {"type": "string", **schema},
    }


def _operation(
    summary: str, media_type: str, parameters: list[dict[str, Any]] | None = None, **answers: str
) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": {media_type: {}}}}
    responses |= {status.lstrip("_"): {"description": text} for status, text in answers.items()}
    return {
        "get": {
            "summary": summary,
            "security": [{}, {"login": []}],
            "parameters": parameters or [],
            "responses": responses | _NOT_SHOWN,
        }
    }


_PATH = _parameter("path", "Path in the archive; percent-encoded, `/` between the components", "path")
_PID = _parameter("pid", "PID of the dataset; percent-encoded", "path")
_AFTER = _parameter("after", "Name after which the page begins; taken from `next`")
_LIMIT = _parameter("limit", "Entries on a page", type="integer", minimum=1, maximum=1000, default=1000)
_FILE = _parameter("file", "Path of an HDF5 file in the archive", required=True)
_INSIDE = _parameter("path", "Path in the HDF5 file", default="/")
_SELECTION = _parameter("selection", "Part of a dataset in NumPy's notation, such as `0,10:20,::2`")
_INCOMPLETE = "A file of the dataset is missing in the archive"
_SLICE_ANSWERS = {
    "_413": "The selected part is too large: select a smaller one",
    "_422": "The file cannot be read, or a parameter does not fit it",
}

_LINK = _parameter("link", "Of a signed link: opens this address alone, for a time, in place of a token")
_DIGEST = _parameter(
    "Want-Repr-Digest", "`sha-256=1`: tell the file's SHA-256 (RFC 9530), if known", "header"
)
_SIGN = {
    "summary": "An address that opens one file, folder or bundle for a time, for programs that cannot log in",
    "description": "Whoever has the address sees what whoever had it signed sees there, until it expires, as "
    "long as it is shown to them; that they left a proposal meanwhile it does not know.",
    "security": [{"login": []}],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Wanted.model_json_schema()}},
    },
    "responses": {
        "201": {
            "description": "The link",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "url": {"type": "string", "description": "Whoever has it may use it"},
                            "resource": {"type": "string", "description": "The path that it opens, decoded"},
                            "expires": {"type": "string", "format": "date-time"},
                            "reasons": {"type": "array", "items": {"type": "string"}},
                            "identifier": {"type": "string", "description": "Its name in the audit log"},
                        },
                    }
                }
            },
        },
        "403": {**_PROBLEM, "description": "The facility has no login"},
        "422": {**_PROBLEM, "description": "The body is not as described, or the link would be too long"},
        **_NOT_SHOWN,
    },
}
_NOT_TAKEN = "The signed link has expired, was changed, or what it opens is not shown any more"
_SECURITY = {
    "login": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the facility's login; without one the public asks",
    }
}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "PaNOSC archive",
        "version": __version__,
        "description": "Data of a facility, as far as whoever asks may see them: files, bundles of datasets, "
        "parts of HDF5 files.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "components": {"securitySchemes": _SECURITY},
    "paths": {
        "/": _operation("What this is", "application/json"),
        "/files": _operation("The root's entries", "application/json", [_AFTER, _LIMIT]),
        "/files/{path}": _operation(
            "A file's bytes, or a directory's entries",
            "application/octet-stream",
            [_PATH, _AFTER, _LIMIT, _LINK, _DIGEST],
            _206="The parts asked for with `Range`",
            _304="The client's copy is current",
            _403=_NOT_TAKEN,
            _412="The file is not in the state that `If-Match` or `If-Unmodified-Since` demands",
            _416="The range lies behind the end of the file",
        ),
        "/datasets/{pid}": _operation("A dataset's files", "application/json", [_PID]),
        "/datasets/{pid}/bundle.zip": _operation(
            "A dataset's files in one zip",
            "application/zip",
            [_PID, _LINK],
            _403=_NOT_TAKEN,
            _409=_INCOMPLETE,
        ),
        "/datasets/{pid}/bundle.tar": _operation(
            "A dataset's files in one tar",
            "application/x-tar",
            [_PID, _LINK],
            _403=_NOT_TAKEN,
            _409=_INCOMPLETE,
        ),
        "/links": {"post": _SIGN},
        "/hdf5/{operation}/": _operation(
            "A part of an HDF5 file, in h5grove's protocol",
            "application/json",
            [
                _parameter(
                    "operation", "What to read", "path", enum=["attr", "data", "meta", "paths", "stats"]
                ),
                _FILE,
                _INSIDE,
                _SELECTION,
                _parameter("format", "Encoding of data", enum=["json", "bin", "npy", "csv", "tiff"]),
                _parameter("dtype", "`safe`: convert to a type that JavaScript has", enum=["origin", "safe"]),
                _parameter("flatten", "Data as one row", type="boolean"),
                _parameter("resolve_links", "Follow links", enum=["none", "only_valid", "all"]),
                _parameter("attr_keys", "Attributes to read; may be repeated"),
            ],
            **_SLICE_ANSWERS,
        ),
        "/previews": _operation(
            "What the NeXus file says should be plotted (@default, @signal, @axes), thinned out",
            "application/json",
            [
                _FILE,
                _parameter("path", "Group in the file at which to begin", default="/"),
                _parameter("format", "The data, or a picture of them", enum=["json", "svg"], default="json"),
            ],
            **_SLICE_ANSWERS,
        ),
        "/openapi.json": _operation("This description", "application/json"),
        "/healthz": _operation("Whether the process answers", "application/json"),
        "/metrics": _operation("Prometheus metrics", "text/plain"),
    },
}
