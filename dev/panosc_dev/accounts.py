"""Accounts of the demonstration: people who log in, with a password that everybody may know."""

import json
from dataclasses import dataclass

from panosc_dev.cluster import LocalCluster
from panosc_dev.progress import step

PASSWORD = "northern-lights"


@dataclass(frozen=True)
class Account:
    """Somebody who logs in, and what they are."""

    name: str
    first_name: str
    last_name: str
    group: str
    what: str


ACCOUNTS = (
    Account("ada", "Ada", "Marsh", "/aurora/proposals/CH-2301", "member of the embargoed proposal CH-2301"),
    Account("chiara", "Chiara", "Lindqvist", "/aurora/staff", "staff of the facility"),
    Account("frida", "Frida", "Holm", "/federation/role=admin", "administrator of the federation"),
)

# Keycloak's own command line in its own pod: its administration is reached from nowhere else.
_SCRIPT = """
set -eu
cli() { kcadm.sh "$@" --config /tmp/kcadm.config; }
cli config credentials --server http://127.0.0.1:8080 --realm master \\
  --client "$KC_BOOTSTRAP_ADMIN_CLIENT_ID" --secret "$KC_BOOTSTRAP_ADMIN_CLIENT_SECRET" >/dev/null 2>&1
group() { cli get "group-by-path/$1" --target-realm panosc --fields id --format csv --noquotes; }
group aurora/proposals/CH-2301 >/dev/null 2>&1 ||
  cli create "groups/$(group aurora/proposals)/children" --target-realm panosc --set name=CH-2301 >/dev/null
cli create partialImport --target-realm panosc --file - >/dev/null
rm /tmp/kcadm.config
"""


def make(cluster: LocalCluster, namespace: str) -> None:
    """Make the accounts; those that are there stay as they are."""
    people = [
        {
            "username": one.name,
            "firstName": one.first_name,
            "lastName": one.last_name,
            "email": f"{one.name}@aurora.example",
            "enabled": True,
            "groups": [one.group],
            # What everybody may do with their own account, which an import gives to nobody by itself.
            "realmRoles": ["default-roles-panosc"],
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        for one in ACCOUNTS
    ]
    with step("Making accounts of the demonstration"):
        cluster.kubectl(
            "exec",
            "--stdin",
            "deployment/login",
            f"--namespace={namespace}",
            "--",
            "sh",
            "-c",
            _SCRIPT,
            stdin=json.dumps({"ifResourceExists": "SKIP", "users": people}),
            seconds=180,
        )
