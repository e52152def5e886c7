"""Errors in LoopBack's shape, which the clients of the search API know."""

import orjson
from starlette.responses import Response


class ApiError(Exception):
    """A request that cannot be answered."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        name: str = "Error",
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.name = name
        self.code = code
        self.headers = headers or {}

    def response(self) -> Response:
        """What the client gets."""
        error = {"statusCode": self.status, "name": self.name, "message": self.message}
        if self.code:
            error["code"] = self.code
        return Response(
            orjson.dumps({"error": error}),
            self.status,
            media_type="application/json",
            headers=self.headers,
        )
