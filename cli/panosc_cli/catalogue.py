"""What a catalogue says of itself: its login, and the archives that take the same tokens (RFC 9728)."""

import httpx2
from pydantic import BaseModel, Field

from panosc_cli import web
from panosc_cli.failures import Failure

PATH = "/.well-known/oauth-protected-resource"


class Catalogue(BaseModel):
    """A catalogue at an address that is its own."""

    address: str = Field(alias="resource")
    name: str = Field(default="", alias="resource_name")
    """Of the facility."""
    archives: list[str] = Field(alias="panosc_archives")
    logins: list[str] = Field(default=[], alias="authorization_servers")
    scopes: list[str] = Field(default=[], alias="scopes_supported")


async def described(client: httpx2.AsyncClient, address: str) -> Catalogue:
    """The catalogue at an address, or at that of one of its pages.

    Raises NotThere if there is none; Failure if it calls itself otherwise. Nothing that it says is believed
    where tokens go: the login has to vouch for its hosts.
    """
    own = web.origin(address)
    try:
        told = await web.document(client, own + PATH, Catalogue, follow_redirects=False)
    except web.NotThere as error:
        raise web.NotThere(
            f"there is no catalogue at {own}: give its address, as its pages have it"
        ) from error
    if told.address != own:
        raise Failure(
            f"the catalogue at {own} calls itself {told.address}: give that address, if you trust it"
        )
    return told
