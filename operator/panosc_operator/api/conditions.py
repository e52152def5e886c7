"""Condition types and their reasons: a part of the interface, listed in the reference page of each kind."""

from enum import StrEnum
from typing import Self


class Described(StrEnum):
    """Strings that carry the sentence by which the reference explains them."""

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        """A member whose value is `value`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class ConditionType(Described):
    """Aspects of an object's state."""

    READY = "Ready", "True while the object does what its spec says; the condition to wait for."
    RECONCILING = (
        "Reconciling",
        "Present, and True, only while the operator or a child is still working (kstatus).",
    )
    STALLED = (
        "Stalled",
        "Present, and True, only while nothing will change without somebody's help (kstatus).",
    )
    INTACT = (
        "Intact",
        "False when the fixity check found a file damaged or missing; the archive goes on serving.",
    )
    SOURCES_READY = (
        "SourcesReady",
        "False when a source can't be read; what was ingested before stays searchable.",
    )
    IDENTITY_PROVIDERS_READY = (
        "IdentityProvidersReady",
        "False when people can't log in through one of the identity providers; the others are offered.",
    )
    USER_DIRECTORIES_READY = (
        "UserDirectoriesReady",
        "False when the people of one of the user directories can't log in; those of the others can.",
    )
    DOIS_READY = (
        "DoisReady",
        "False when DOIs can't be registered; records are searchable all the same, and get theirs later.",
    )


class FederationReason(Described):
    """Why a Federation, or what people log in through, is, or isn't, ready."""

    AVAILABLE = "Available", "The login answers, and its realm is as the spec says."
    SUSPENDED = "Suspended", "`spec.suspend` is true: the operator leaves everything as it is."
    INVALID_SPEC = "InvalidSpec", "The spec can't be used; the message names the field and what to write."
    LOGIN_TAKEN = (
        "LoginTaken",
        "Another Federation has the login of this cluster: change that one, or delete it first.",
    )
    DATABASE_SECRET_NOT_FOUND = (
        "DatabaseSecretNotFound",
        "The Secret in `spec.database.external.secret` isn't in the operator's namespace.",
    )
    DATABASE_SECRET_INVALID = (
        "DatabaseSecretInvalid",
        "The Secret of the database lacks `username`, `password` or a `jdbc-uri` of a PostgreSQL.",
    )
    DATABASE_PROGRESSING = "DatabaseProgressing", "The database isn't ready yet."
    DATABASE_FAILED = "DatabaseFailed", "The database's pod fails; the message names it and its last words."
    SERVICE_FAILED = "ServiceFailed", "A pod of the login fails; the message names it and its last words."
    ROUTE_NOT_ACCEPTED = (
        "RouteNotAccepted",
        "The gateway didn't accept the route; the message has its reason.",
    )
    GATEWAY_PROGRESSING = (
        "GatewayProgressing",
        "The Gateway isn't programmed yet, so the host doesn't answer.",
    )
    APPLY_FAILED = (
        "ApplyFailed",
        "The API server refused an object; the message has its name and the refusal.",
    )
    PROGRESSING = "Progressing", "Objects were made and aren't current yet."
    REALM_PROGRESSING = "RealmProgressing", "The realm is being made as the spec says."
    REALM_FAILED = (
        "RealmFailed",
        "The realm couldn't be made as the spec says; the message has Keycloak's words. It's tried again.",
    )
    MAIL_SECRET_NOT_FOUND = (
        "MailSecretNotFound",
        "The Secret of the mail server isn't there, or lacks a key; people log in, and no letter is sent.",
    )
    DELETING = "Deleting", "The federation is being deleted; the message says what is still there."
    PROVIDERS_OFFERED = "ProvidersOffered", "People can log in through every identity provider."
    PROVIDER_SECRET_NOT_FOUND = (
        "ProviderSecretNotFound",
        "The Secret of an identity provider isn't there, or lacks its key; the others are offered.",
    )
    PROVIDER_FAILED = (
        "ProviderFailed",
        "An identity provider can't be set up; the message names it and the cause. The others are offered.",
    )
    DIRECTORIES_CONNECTED = "DirectoriesConnected", "The login can bind to every user directory."
    DIRECTORY_SECRET_NOT_FOUND = (
        "DirectorySecretNotFound",
        "The Secret of a user directory isn't there, or lacks its key; the others are used.",
    )
    DIRECTORY_FAILED = (
        "DirectoryFailed",
        "A user directory can't be set up, or doesn't let the login bind; the message has the cause.",
    )


class FacilityReason(Described):
    """Why a Facility is, or isn't, ready."""

    AVAILABLE = "Available", "Namespace, rights, quota, network rules and gateway are as the spec says."
    SUSPENDED = "Suspended", "`spec.suspend` is true: the operator leaves everything as it is."
    INVALID_SPEC = "InvalidSpec", "The spec can't be used; the message names the field and what to write."
    NAMESPACE_TAKEN = (
        "NamespaceTaken",
        "The namespace belongs to another facility or to the system: choose another in `spec.namespace`. "
        "Or it has pods: hand it over by the label `panosc.eu/facility`.",
    )
    NAMESPACE_TERMINATING = (
        "NamespaceTerminating",
        "The namespace is being deleted; it is made again when it is gone.",
    )
    DOMAIN_TAKEN = "DomainTaken", "Another facility already has this domain: choose another in `spec.domain`."
    TRUST_MISSING = (
        "TrustMissing",
        "The ConfigMap with the authorities that services are to trust (the chart's `trust.configMap`) isn't "
        "there or can't be used.",
    )
    CERTIFICATE_MISSING = (
        "CertificateMissing",
        "The Secret with the certificate of the hosts isn't there or is of another type; the message says "
        "how to make it, or where cert-manager says why it didn't.",
    )
    GATEWAY_PROGRESSING = "GatewayProgressing", "The Gateway isn't programmed yet, so the hosts don't answer."
    LOGIN_SECRET_INVALID = (
        "LoginSecretInvalid",
        "The Secret in `spec.aai.client.credentialsSecret` isn't there or lacks its key, so nobody can log "
        "in on the pages; the message says how to make it.",
    )
    LOGIN_REFUSED = (
        "LoginRefused",
        "The gateway refuses to log people in, such as while the issuer's `.well-known/openid-configuration` "
        "can't be read; the message has its words.",
    )
    APPLY_FAILED = (
        "ApplyFailed",
        "The API server refused an object; the message has its name and the refusal.",
    )
    PROGRESSING = "Progressing", "Objects were made and aren't current yet."
    DELETING = "Deleting", "The facility is being deleted; the message says what is still there."


class DataArchiveReason(Described):
    """Why a DataArchive is, or isn't, ready or intact."""

    AVAILABLE = "Available", "The archive serves its files."
    SUSPENDED = "Suspended", "`spec.suspend` is true: the operator leaves everything as it is."
    INVALID_SPEC = "InvalidSpec", "The spec can't be used; the message names the field and what to write."
    NO_FACILITY = (
        "NoFacility",
        "The namespace belongs to no Facility: make the object in one that does, or the Facility.",
    )
    CLAIM_NOT_FOUND = "ClaimNotFound", "The claim in `spec.storage.existingClaim` isn't in the namespace."
    CLAIM_PENDING = "ClaimPending", "The claim isn't bound to a volume yet; its Events say what it waits for."
    CLAIM_LOST = "ClaimLost", "The claim's volume is gone: restore the volume, or the claim from a backup."
    PROGRESSING = "Progressing", "Children were made or changed and aren't current yet."
    SERVICE_FAILED = "ServiceFailed", "A pod of the archive fails; the message names it and its last words."
    ROUTE_NOT_ACCEPTED = (
        "RouteNotAccepted",
        "The gateway didn't accept the route; the message has its reason.",
    )
    APPLY_FAILED = (
        "ApplyFailed",
        "The API server refused an object; the message has its name and the refusal.",
    )
    DELETING = "Deleting", "The archive is being deleted; the message says what is still there."
    NOT_CHECKED = (
        "NotChecked",
        "No fixity check has ended yet, or the newest failed; the message has its time.",
    )
    STATUS_UNKNOWN = (
        "StatusUnknown",
        "The archive's indexer didn't answer; what is shown is the last known state.",
    )
    FILES_INTACT = "FilesIntact", "The last fixity check found every file as it was first seen."
    FILES_DAMAGED = "FilesDamaged", "Files have other bytes than when first seen: restore them from a copy."
    FILES_MISSING = "FilesMissing", "Files that were in the archive are gone: restore them from a copy."


class CatalogueReason(Described):
    """Why a Catalogue is, or isn't, ready, or why its sources or DOIs aren't."""

    AVAILABLE = "Available", "The search API answers and the database has the schema it needs."
    SUSPENDED = "Suspended", "`spec.suspend` is true: the operator leaves everything as it is."
    INVALID_SPEC = "InvalidSpec", "The spec can't be used; the message names the field and what to write."
    NO_FACILITY = (
        "NoFacility",
        "The namespace belongs to no Facility: make the object in one that does, or the Facility.",
    )
    ARCHIVE_NOT_FOUND = (
        "ArchiveNotFound",
        "A source names a DataArchive that isn't in the namespace; the other sources are read.",
    )
    ARCHIVE_NOT_READY = "ArchiveNotReady", "The DataArchive of a source has no bound claim yet."
    SOURCE_SECRET_NOT_FOUND = (
        "SourceSecretNotFound",
        "The Secret with a source's credentials isn't in the namespace, or not of the type panosc.eu/source; "
        "the other sources are read.",
    )
    DATABASE_SECRET_NOT_FOUND = (
        "DatabaseSecretNotFound",
        "The Secret in `spec.database.external.secret` isn't in the namespace.",
    )
    DATABASE_SECRET_INVALID = (
        "DatabaseSecretInvalid",
        "The Secret of the database lacks the key `uri` with a PostgreSQL connection URI.",
    )
    DATABASE_PROGRESSING = "DatabaseProgressing", "The database isn't ready yet."
    DATABASE_FAILED = "DatabaseFailed", "The database's pod fails; the message names it and its last words."
    MIGRATING = "Migrating", "The Job that brings the database to the current schema is running."
    MIGRATION_FAILED = (
        "MigrationFailed",
        "The migration Job failed; read its log, remedy the cause and delete the Job: it is made again.",
    )
    TOKEN_ISSUER_UNKNOWN = (
        "TokenIssuerUnknown",
        "The API server doesn't say by which keys tokens of service accounts are verified, so that archives "
        "can't show who they are; the message says how to have it do so.",
    )
    PROGRESSING = "Progressing", "Children were made or changed and aren't current yet."
    SERVICE_FAILED = "ServiceFailed", "A pod of the catalogue fails; the message names it and its last words."
    ROUTE_NOT_ACCEPTED = (
        "RouteNotAccepted",
        "The gateway didn't accept the route; the message has its reason.",
    )
    APPLY_FAILED = (
        "ApplyFailed",
        "The API server refused an object; the message has its name and the refusal.",
    )
    DELETING = "Deleting", "The catalogue is being deleted; the message says what is still there."
    STATUS_UNKNOWN = (
        "StatusUnknown",
        "The ingest worker, or that of the DOIs, doesn't answer, is being replaced, or came to no end: "
        "the message says which. What is shown is the last known state.",
    )
    INGESTING = "Ingesting", "A source's first scan is still running."
    SOURCE_FAILED = "SourceFailed", "A source can't be read; the message names it and the cause."
    SOURCES_READ = (
        "SourcesRead",
        "All sources were read; files and records that couldn't be are listed per source.",
    )
    DOIS_REGISTERED = "DoisRegistered", "The registrar has every DOI as the catalogue says."
    DOIS_LOCAL = "DoisLocal", "There is no registrar: records have local handles."
    REGISTERING = "Registering", "DOIs are being registered."
    REGISTRAR_SECRET_NOT_FOUND = (
        "RegistrarSecretNotFound",
        "The Secret of the registrar's account isn't in the namespace: make it with username and password.",
    )
    REGISTRAR_FAILED = (
        "RegistrarFailed",
        "The registrar doesn't answer or doesn't take the account: the message says which. It's asked again.",
    )
    DOI_REFUSED = (
        "DoiRefused",
        "The registrar doesn't take some records; the message has one with the registrar's words.",
    )
