"""SOAP by suds over the sources' HTTP client: the same time-outs, retries and bounds everywhere."""

from io import BytesIO
from urllib.parse import urlsplit

import anyio.from_thread
import suds.transport

from panosc_catalogue.sources.http import Answer, Client

_FAULT = 500
"""Status of a fault (SOAP 1.1, 6.2)."""


class Transport(suds.transport.Transport):  # type: ignore[misc]  # suds has no types
    """Sends what suds wants to send, from a thread that anyio started, to one address only.

    What a service's description says of its own address is left aside: behind a proxy it is an internal one.
    """

    def __init__(self, client: Client, path: str) -> None:
        super().__init__()
        self._client = client
        self._path = path

    def open(self, request: suds.transport.Request) -> BytesIO:
        """The service's description or a part of it, told apart by the query of its address."""
        query = urlsplit(request.url).query
        return BytesIO(anyio.from_thread.run(self._get, query))

    def send(self, request: suds.transport.Request) -> suds.transport.Reply:
        """The answer to a call; a fault is a TransportError, as suds takes it."""
        status, content = anyio.from_thread.run(self._post, request)
        if status == _FAULT:
            raise suds.transport.TransportError("fault", status, BytesIO(content))
        return suds.transport.Reply(status, {}, content)

    async def _get(self, query: str) -> bytes:
        return await self._client.request("GET", f"{self._path}?{query}", _document)

    async def _post(self, request: suds.transport.Request) -> tuple[int, bytes]:
        return await self._client.request(
            "POST",
            self._path,
            _envelope,
            accept=(_FAULT,),
            content=request.message,
            headers={name: str(value) for name, value in request.headers.items()},
        )


def _document(answer: Answer) -> bytes:
    if b"<!DOCTYPE" in answer.content or b"<!ENTITY" in answer.content:
        raise ValueError("holds a document type, which SOAP forbids")
    return answer.content


def _envelope(answer: Answer) -> tuple[int, bytes]:
    content = _document(answer)
    if not content.rstrip().endswith(b"Envelope>"):
        raise ValueError("ends before the envelope does")
    return answer.status, content
