"""Where things lie: the repository, the cache shared by all clusters, the state of one cluster."""

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default


def cache_directory() -> Path:
    """Everything that can be made again: tools, image archives, the image builder's store."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "panosc"


def state_directory() -> Path:
    """What can't be made again, a folder a cluster."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "panosc"


def data_directory() -> Path:
    """What outlives every cluster: the authority that the user's browser may trust."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "panosc"


def make_folders() -> None:
    """Have the folders above before root works in them: else root would own them, and ~/.local with them."""
    for folder in (cache_directory(), state_directory(), data_directory()):
        folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class ClusterPaths:
    """The folders of the cluster called `name`.

    `state` survives a reboot (etcd, volumes, certificates, logs); `run` does not have to (sockets, pid
    files, mounts) and is short because socket paths may have no more than 107 characters.
    """

    name: str
    state: Path
    run: Path

    @classmethod
    def of(cls, name: str) -> "ClusterPaths":
        """Paths of the cluster called `name` for the current user."""
        return cls(name, state_directory() / name, Path("/run/panosc") / name)

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One log a process, and the logs of pods."""
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        """Certificates and keys of the cluster's components."""
        return self.state / "pki"

    @property
    def volumes(self) -> Path:
        """Folders of the dynamically provisioned volumes."""
        return self.state / "volumes"

    @property
    def containerd_socket(self) -> Path:
        """The container runtime's socket."""
        return self.run / "containerd.sock"

    def log(self, process: str) -> Path:
        """Log file of one process or step."""
        return self.logs / f"{process}.log"
