"""Teams of proposals (`/teams`), for an OpenAPI document."""

from typing import Any

from panosc_common.access import Scope

from panosc_catalogue.teams import sheet
from panosc_catalogue.teams.people import INVITED, MAX_INVITED, Invitation, Team, TeamRole
from panosc_catalogue.web.openapi_parts import (
    INSTANT_OR_NULL,
    REFERENCES,
    TEXT,
    TEXT_OR_NULL,
    Schema,
    object_of,
    parameter,
    reference,
    refused,
)
from panosc_catalogue.web.teams import (
    CSV,
    FORM,
    JSON,
    MAX_INVITATION_BYTES,
    MAX_SHEET_BYTES,
    MAX_TEAM_BYTES,
    PROPOSAL_SCHEMA,
)

TEAMS = "Teams"
_REFUSALS = {
    401: "No token came with the request, or one that is not taken",
    403: f"Who asks may see the team and not change it, the token is limited and lacks {Scope.TEAMS}, or the "
    "page of another host sent the request",
    404: "There is no such team or member, or who asks may not see it; or the facility has no login",
    409: f"The user office named them; or they are in the team; or {MAX_INVITED} are invited already",
    413: "It is too large",
    415: "It is of another type",
    422: "A value is wrong: field, value and remedy, of a file with line and column",
    503: "Try again in a moment",
}
_ADA = {"name": "Ada Marsh", "orcid": "0000-0002-1825-0097", "email": "ada@example.org"}
_TEAM = {"members": [{"role": "principal investigator", **_ADA}]}
_SHEET = f"{','.join(sheet.COLUMNS)}\nHC-4123,co-investigator,Kai Berg,,,kai@example.org\n"
_INVITATION = {"email": "ben@example.org", "until": "2030-01-31T00:00:00Z"}


def paths() -> Schema:
    """The paths of teams."""
    proposal = parameter("proposal", "Its number or pid", in_path=True, **PROPOSAL_SCHEMA)
    member = parameter("member", "Id of the member", in_path=True, minLength=1)
    invite = (
        "For its principal investigators. Who is invited already gets the new end. The proposal's page sends "
        "a form instead, which also removes."
    )
    return {
        "/teams": {
            "post": {
                **_operation("pushTeams", "Set the teams of all proposals that a file names", "Pushed", []),
                "description": "For the user office. All of the file is taken or nothing. The proposals that "
                f"it names have the people that it names and nobody else; {MAX_SHEET_BYTES} bytes at most.",
                "requestBody": _body({CSV: {"schema": TEXT, "example": _SHEET}}),
            }
        },
        "/teams/{proposal}": {
            "get": {
                **_operation("showTeam", "Who is in a team", "TeamState", [proposal]),
                "description": "Its principal investigators, the facility's staff, administrators and the "
                "user office read all of it; who else is in it reads names and roles, and of who has no name "
                "one identity.",
            },
            "put": {
                **_operation("pushTeam", "Set a team", "TeamChanged", [proposal]),
                "description": "For the user office. Who is not named is no longer in the team, the same "
                f"again changes nothing; {MAX_TEAM_BYTES} bytes at most. The proposal may be still to come.",
                "requestBody": _body({JSON: {"schema": reference("Team"), "example": _TEAM}}),
            },
        },
        "/teams/{proposal}/members": {
            "get": {
                "operationId": "backToTeam",
                "summary": "To the proposal's page",
                "description": "For browsers that log in again when they send its form.",
                "tags": [TEAMS],
                "security": [{"login": []}],
                "parameters": [proposal],
                "responses": {"303": _TO_ITS_PAGE, **refused(_REFUSALS, 401, 403, 404, 422, 503)},
            },
            "post": {
                **_operation("invite", "Invite somebody to a team", "TeamChanged", [proposal], 409),
                "description": f"{invite} {MAX_INVITATION_BYTES} bytes at most.",
                "requestBody": _body(
                    {
                        JSON: {"schema": reference("Invitation"), "example": _INVITATION},
                        FORM: {"schema": _FORM},
                    }
                ),
            },
        },
        "/teams/{proposal}/members/{member}": {
            "delete": {
                **_operation("remove", "Remove who was invited", "TeamChanged", [proposal, member], 409),
                "description": "For its principal investigators, the user office and administrators.",
            }
        },
    }


def schemas() -> dict[str, Schema]:
    """The schemas that the paths refer to."""
    team = Team.model_json_schema(ref_template=REFERENCES)
    return {
        **team.pop("$defs"),
        "Team": team,
        "Invitation": Invitation.model_json_schema(ref_template=REFERENCES),
        "TeamMember": object_of(
            id={"type": "integer"},
            role={"enum": [*TeamRole, INVITED]},
            name=TEXT_OR_NULL,
            orcid=TEXT_OR_NULL,
            identifier=TEXT_OR_NULL,
            email=TEXT_OR_NULL,
            invitedAt=INSTANT_OR_NULL,
            until=INSTANT_OR_NULL,
        ),
        "TeamState": object_of(
            proposal=TEXT,
            document={**TEXT_OR_NULL, "description": "Pid of the proposal; null while it is still to come"},
            link={**TEXT_OR_NULL, "description": "Its page, to send to who is invited"},
            members={"type": "array", "items": reference("TeamMember")},
        ),
        "TeamChanged": object_of(changed={"type": "boolean"}, team=reference("TeamState")),
        "Pushed": object_of(
            proposals={"type": "integer", "description": "How many proposals the file names"},
            changed={"type": "array", "items": TEXT, "description": "Those whose team is another now"},
        ),
    }


_FORM = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["email", "orcid", "identifier"]},
        "who": TEXT,
        "name": TEXT,
        "until": {"type": "string", "format": "date", "description": "The last day, in UTC"},
        "remove": {"type": "string", "description": "Id of the member to remove"},
    },
}
_TO_ITS_PAGE = {"description": "To the proposal's page, in a browser"}


def _body(content: Schema) -> Schema:
    return {"required": True, "content": content}


def _operation(
    identifier: str, summary: str, answer: str, parameters: list[Schema], *refusals: int
) -> dict[str, Any]:
    changes = () if identifier.startswith("show") else (413, 415)
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": [TEAMS],
        "security": [{"login": []}],
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": {JSON: {"schema": reference(answer)}}},
            **({"303": _TO_ITS_PAGE} if identifier == "invite" else {}),
            **refused(_REFUSALS, *{*refusals, *changes, 401, 403, 404, 422, 503}),
        },
    }
