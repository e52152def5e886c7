"""The server that takes the login's letters, as Keycloak has it."""

from panosc_operator.api.federation import MailServer
from panosc_operator.clients.realm import Mail
from panosc_operator.engine.desired import digest
from panosc_operator.kinds.federation.account import Account


def mail(declared: MailServer, display_name: str, username: str, account: Account | None) -> Mail:
    """What Keycloak needs to send letters; `account` is none where the server takes them from anybody."""
    settings = {
        "host": declared.host,
        "port": str(declared.port),
        "from": declared.sender,
        "fromDisplayName": display_name,
        "ssl": str(declared.tls == "implicit").lower(),
        "starttls": str(declared.tls == "starttls").lower(),
        "auth": str(account is not None).lower(),
        **({"user": username} if account else {}),
    }
    version = digest([settings, account.version if account else ""])
    return Mail(settings, account.secret if account else None, version)
