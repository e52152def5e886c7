"""Whether a page of ours sent a request that changes something.

Browsers send a session's cookie along whatever page sends the request, also one of another host of the
facility, where people's own files are shown; only who sent it tells the difference. All browsers say so by
themselves, and no page can make them lie. What says nothing is no browser, and has no cookie.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from panosc_common.problem import Problem

_SAFE = ("GET", "HEAD", "OPTIONS")


def check(request: Request, public_url: str | None) -> None:
    """Raise Problem (403) for a change that the page of another host sent.

    Or of another scheme, where the service knows its own: a gateway may have ended TLS before it.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_ours = site == "same-origin"
    else:
        # Browsers of before 2023, and those that come by plain HTTP.
        origin = request.headers.get("Origin")
        scheme, _, host = (origin or "").partition("://")
        own = (urlsplit(public_url).scheme if public_url else scheme, request.headers.get("Host"))
        is_ours = origin is None or (scheme, host) == own
    if not is_ours:
        raise Problem(403, "another site's page sent this: send it from a page of this host, or by a program")
