"""The PostgreSQL that the operator runs for a Catalogue: one instance, its volume, and its password."""

from panosc_operator.api.catalogue import Catalogue, ManagedDatabase
from panosc_operator.engine.compare import parse_quantity
from panosc_operator.engine.desired import Desired
from panosc_operator.engine.resources import SECRET, STATEFUL_SET, Object
from panosc_operator.kinds.building import (
    POSTGRES_PORT,
    Part,
    claim,
    claim_volume,
    container,
    pod,
    resources,
    service,
)
from panosc_operator.kinds.catalogue.observe import database_name
from panosc_operator.settings import Settings

NAME = "catalogue"
"""Name of the database and of the role that owns it."""
PASSWORD_LENGTH = 32
SECRET_DIRECTORY = "/etc/panosc/database"  # noqa: S105 - a path
DATA_DIRECTORY = "/var/lib/postgresql/data"
_MIB = 2**20


def host(catalogue: Catalogue) -> str:
    """Host of the database inside the cluster."""
    return f"{database_name(catalogue)}.{catalogue.metadata.namespace}.svc"


def database(catalogue: Catalogue, managed: ManagedDatabase, part: Part, settings: Settings) -> list[Desired]:
    """All objects of the database; the Secret and the claim outlive the catalogue."""
    name = database_name(catalogue)
    return [
        _secret(catalogue, part),
        claim(part, name, managed.size, managed.storage_class, ["ReadWriteOnce"]),
        service(part, name, POSTGRES_PORT, port_name="postgresql"),
        _stateful_set(catalogue, managed, part, settings),
    ]


def _secret(catalogue: Catalogue, part: Part) -> Desired:
    address = f"{host(catalogue)}:{POSTGRES_PORT}/{NAME}"
    content = {
        "username": NAME,
        "password": "{password}",
        "database": NAME,
        "host": host(catalogue),
        "port": str(POSTGRES_PORT),
        "uri": f"postgresql://{NAME}:{{password}}@{address}",
    }
    return Desired(
        SECRET,
        {"metadata": part.metadata(database_name(catalogue)), "type": "Opaque", "stringData": content},
        retain=True,
        create_only=True,
        random={"password": PASSWORD_LENGTH},
    )


def _stateful_set(catalogue: Catalogue, managed: ManagedDatabase, part: Part, settings: Settings) -> Desired:
    name = database_name(catalogue)
    memory = int(parse_quantity(managed.memory)) // _MIB
    postgres = container(
        "postgres",
        settings.image_postgres,
        settings.image_pull_policy,
        requirements=resources("100m", f"{memory // 4}Mi", memory_limit=managed.memory),
        args=[
            "postgres",
            *(part for name, value in tuned(memory).items() for part in ("-c", f"{name}={value}")),
        ],
        mounts={"data": DATA_DIRECTORY, "shm": "/dev/shm"},  # noqa: S108
        read_only_mounts={"secret": SECRET_DIRECTORY},
        environment={
            "PGDATA": f"{DATA_DIRECTORY}/pgdata",
            "POSTGRES_USER": NAME,
            "POSTGRES_DB": NAME,
            "POSTGRES_PASSWORD_FILE": f"{SECRET_DIRECTORY}/password",
        },
        ports=[{"name": "postgresql", "containerPort": POSTGRES_PORT, "protocol": "TCP"}],
        # Recovery after a crash may take minutes, and must not be cut short by the kubelet.
        startupProbe=_is_ready(period=2, failures=600),
        livenessProbe=_is_ready(period=20, failures=6),
        readinessProbe=_is_ready(period=5, failures=3),
    )
    volumes: list[Object] = [
        claim_volume("data", name),
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
        {"name": "secret", "secret": {"secretName": name}},
    ]
    spec = pod([postgres], volumes)
    spec["terminationGracePeriodSeconds"] = 120
    return Desired(
        STATEFUL_SET,
        {
            "metadata": part.metadata(name),
            "spec": {
                "replicas": 1,
                "serviceName": name,
                "selector": {"matchLabels": dict(part.selector)},
                "template": {"metadata": {"labels": dict(part.labels)}, "spec": spec},
            },
        },
        replace=True,
        restart_on=(name,),  # the password of the role is set at each start
    )


def tuned(memory: int) -> dict[str, str]:
    """Settings for so many MiB, by the shares that PostgreSQL's manual names; its own are for any machine."""
    return {
        "shared_buffers": f"{memory // 4}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "maintenance_work_mem": f"{memory // 16}MB",
        "work_mem": f"{max(4, memory // 256)}MB",
        "random_page_cost": "1.1",  # disks of today find any page about as quickly as the next one
    }


def _is_ready(*, period: int, failures: int) -> Object:
    command = ["pg_isready", "--quiet", "--host=127.0.0.1", f"--username={NAME}", f"--dbname={NAME}"]
    return {
        "exec": {"command": command},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
