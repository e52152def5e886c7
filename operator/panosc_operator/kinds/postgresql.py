"""A PostgreSQL that the operator runs for a resource: one instance, its volume, and its password."""

from panosc_operator.api.database import PostgreSQL
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
from panosc_operator.settings import Settings

PASSWORD_LENGTH = 32
SECRET_DIRECTORY = "/etc/panosc/database"  # noqa: S105 - a path
DATA_DIRECTORY = "/var/lib/postgresql/data"
_MIB = 2**20


def postgresql(part: Part, name: str, database: str, wanted: PostgreSQL, settings: Settings) -> list[Desired]:
    """All objects of an instance; the Secret and the claim outlive its owner.

    `name` is that of its objects, and of the Secret with the keys username, password, database, host, port
    and uri; `database` is what its database and the role that owns it are called.
    """
    return [
        _secret(part, name, database),
        claim(part, name, wanted.size, wanted.storage_class, ["ReadWriteOnce"]),
        service(part, name, POSTGRES_PORT, port_name="postgresql"),
        _stateful_set(part, name, database, wanted, settings),
    ]


def host_in(namespace: str, name: str) -> str:
    """Host of an instance inside the cluster."""
    return f"{name}.{namespace}.svc"


def _secret(part: Part, name: str, database: str) -> Desired:
    host = host_in(part.namespace, name)
    content = {
        "username": database,
        "password": "{password}",
        "database": database,
        "host": host,
        "port": str(POSTGRES_PORT),
        "uri": f"postgresql://{database}:{{password}}@{host}:{POSTGRES_PORT}/{database}",
    }
    return Desired(
        SECRET,
        {"metadata": part.metadata(name), "type": "Opaque", "stringData": content},
        retain=True,
        create_only=True,
        random={"password": PASSWORD_LENGTH},
    )


def _stateful_set(part: Part, name: str, database: str, wanted: PostgreSQL, settings: Settings) -> Desired:
    memory = int(parse_quantity(wanted.memory)) // _MIB
    postgres = container(
        "postgres",
        settings.image_postgres,
        settings.image_pull_policy,
        requirements=resources("100m", f"{memory // 4}Mi", memory_limit=wanted.memory),
        args=[
            "postgres",
            *(part for name, value in tuned(memory).items() for part in ("-c", f"{name}={value}")),
        ],
        mounts={"data": DATA_DIRECTORY, "shm": "/dev/shm"},  # noqa: S108
        read_only_mounts={"secret": SECRET_DIRECTORY},
        environment={
            "PGDATA": f"{DATA_DIRECTORY}/pgdata",
            "POSTGRES_USER": database,
            "POSTGRES_DB": database,
            "POSTGRES_PASSWORD_FILE": f"{SECRET_DIRECTORY}/password",
        },
        ports=[{"name": "postgresql", "containerPort": POSTGRES_PORT, "protocol": "TCP"}],
        # Recovery after a crash may take minutes, and must not be cut short by the kubelet.
        startupProbe=_is_ready(database, period=2, failures=600),
        livenessProbe=_is_ready(database, period=20, failures=6),
        readinessProbe=_is_ready(database, period=5, failures=3),
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


def _is_ready(database: str, *, period: int, failures: int) -> Object:
    command = ["pg_isready", "--quiet", "--host=127.0.0.1", f"--username={database}", f"--dbname={database}"]
    return {
        "exec": {"command": command},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
