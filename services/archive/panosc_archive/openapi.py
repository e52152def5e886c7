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
_TUS = _parameter("Tus-Resumable", "Version of the protocol", "header", required=True, enum=["1.0.0"])
_UPLOAD = _parameter("identifier", "As the answer to the begin has it in `Location`", "path")
_SENDER_ANSWERS = {
    "401": _NOT_SHOWN["401"],
    "403": {
        **_PROBLEM,
        "description": "For the facility's staff alone, and, of limited tokens, for those with panosc:put",
    },
    "404": {**_PROBLEM, "description": "No such upload, or somebody else's; or this archive takes no files"},
    "412": {**_PROBLEM, "description": "Another version of the protocol than 1.0.0"},
    "423": {**_PROBLEM, "description": "Another request is sending this file: ask again"},
    "503": _NOT_SHOWN["503"],
}


def _sending(summary: str, parameters: list[dict[str, Any]], **answers: str) -> dict[str, Any]:
    """An operation of tus, the resumable upload protocol (https://tus.io/protocols/resumable-upload)."""
    told = {status.lstrip("_"): {"description": text} for status, text in answers.items()}
    return {
        "summary": summary,
        "security": [{"login": []}],
        "parameters": [_TUS, *parameters],
        "responses": told | _SENDER_ANSWERS,
    }


_LENGTH = _parameter("Upload-Length", "Bytes of the whole file", "header", required=True, type="integer")
_METADATA = _parameter(
    "Upload-Metadata",
    "`path` (where in the archive it goes) and `sha256` (of the whole file, hexadecimal), each followed by a "
    "space and its value in Base64, with a comma between them",
    "header",
    required=True,
)
_OFFSET = _parameter("Upload-Offset", "Bytes that are there", "header", required=True, type="integer")
_CHECKSUM = _parameter(
    "Upload-Checksum", "`sha1` or `sha256`, a space and that of this request's bytes in Base64", "header"
)
_PUT = {
    "options": {
        "summary": "What is possible",
        "responses": {"204": {"description": "Version and extensions"}},
    },
    "post": _sending(
        "Begin to send a file (tus 1.0.0)",
        [_LENGTH, _METADATA],
        _201="`Location` is where its bytes go",
        _400="A header lacks, or the path is none that a file may have here",
        _409="There is such a file already: none is ever replaced",
        _413="Larger than a file may be",
        _429="Whoever sends it has begun too many that are not whole",
        _507="There is no place for it",
    ),
}
_PUT_ON = {
    "head": _sending(
        "Where it stands",
        [_UPLOAD],
        _200="`Upload-Offset`: bytes that are there; `Repr-Digest`: it is in the archive, with this SHA-256",
    ),
    "patch": _sending(
        "Send more of it",
        [_UPLOAD, _OFFSET, _CHECKSUM],
        _204="With its last byte it is in the archive",
        _400="More bytes than announced",
        _409="Another `Upload-Offset` than bytes are there, or there is such a file by now",
        _415="Content-Type is not application/offset+octet-stream",
        _460="Other bytes than announced: this request's, or the whole file's, are not kept",
        _507="The volume is full",
    )
    | {
        "requestBody": {
            "required": True,
            "content": {
                "application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
    "delete": _sending("Give it up", [_UPLOAD], _204="Forgotten", _409="It is in the archive already"),
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
        "/uploads": _PUT,
        "/uploads/{identifier}": _PUT_ON,
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
