"""Command line: `python3 -m panosc_dev COMMAND`. The Makefile is the usual way to call it."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from panosc_dev import (
    deploy,
    environment,
    forward,
    images,
    install,
    packages,
    paths,
    privileges,
    testing,
    toolchain,
)
from panosc_dev.cluster import LocalCluster
from panosc_dev.progress import StepFailed, say

_DEFAULT = "panosc"


def _toolchain(_: argparse.Namespace) -> None:
    toolchain.ensure_all()


def _venv(_: argparse.Namespace) -> None:
    environment.ensure()


def _bench(_: argparse.Namespace) -> None:
    packages.ensure(packages.FOR_BENCHMARKS)
    environment.ensure()
    sys.exit(subprocess.call([paths.REPOSITORY / ".venv/bin/pytest", "tests/bench"], cwd=paths.REPOSITORY))


def _images(_: argparse.Namespace) -> None:
    packages.ensure(packages.FOR_CLUSTER)
    for name, built in images.build_all([*images.CLUSTER, *images.PRODUCT]).items():
        print(f"{name:<24} {built.reference}")


def _up(arguments: argparse.Namespace) -> None:
    cluster = LocalCluster(arguments.name)
    data = deploy.check_data(arguments.data) if arguments.data else None
    packages.ensure(packages.FOR_CLUSTER)
    forward.check_free(cluster, arguments.port)
    deploy.bring_up(cluster, arguments.port, data)
    forward.ensure(cluster, arguments.port)
    say("Everything is up")
    print(deploy.guide(cluster))


def _down(arguments: argparse.Namespace) -> None:
    LocalCluster(arguments.name).down(keep_data=arguments.keep_data)


def _status(arguments: argparse.Namespace) -> None:
    cluster = LocalCluster(arguments.name)
    daemons = cluster.daemons_running()
    if not daemons:
        print(f"cluster {arguments.name} is down")
        return
    for name, runs in daemons.items():
        print(f"{name:<24} {'running' if runs else f'ended: read {cluster.paths.log(name)}'}")
    print(cluster.kubectl("get", "nodes,pods", "--all-namespaces"))


def _kubeconfig(arguments: argparse.Namespace) -> None:
    print(LocalCluster(arguments.name).paths.kubeconfig)


def _kubectl(arguments: argparse.Namespace) -> None:
    kube = toolchain.binary("kube")
    config = LocalCluster(arguments.name).paths.kubeconfig
    os.execv(kube, [str(kube), "kubectl", f"--kubeconfig={config}", *arguments.arguments])


def _push(arguments: argparse.Namespace) -> None:
    print(json.dumps(install.push(arguments.registry)))


def _install(arguments: argparse.Namespace) -> None:
    install.run(
        registry=arguments.registry,
        base_domain=arguments.base_domain,
        values=arguments.values,
        confirmed=arguments.yes,
    )


def _test(arguments: argparse.Namespace) -> None:
    if not testing.run(arguments.levels):
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="panosc_dev", description="Toolchain, images, local cluster and tests."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str,
        what: str,
        run: Callable[[argparse.Namespace], None],
        *,
        root: bool = False,
        cluster: bool = False,
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=what)
        sub.set_defaults(run=run, root=root)
        if cluster:
            sub.add_argument("--name", default=_DEFAULT, help="name of the cluster (default: %(default)s)")
        return sub

    command("toolchain", "Compile the cluster's programs where the cache lacks them.", _toolchain)
    command("venv", "Make .venv with all packages of the repository.", _venv)
    command("bench", "Compare speed with named peers.", _bench)
    command("images", "Build the images whose inputs changed.", _images, root=True)
    up = command(
        "up", "Start the local cluster with the demonstration facility.", _up, root=True, cluster=True
    )
    up.add_argument("--port", type=int, default=443, help="HTTPS port on 127.0.0.1 (default: %(default)s)")
    up.add_argument("--data", type=Path, help="folder of NeXus files to serve instead of generated ones")
    down = command("down", "Stop the cluster and remove all it made.", _down, root=True, cluster=True)
    down.add_argument("--keep-data", action="store_true", help="keep the volumes and the cluster's objects")
    command("status", "Tell what runs.", _status, root=True, cluster=True)
    command("kubeconfig", "Print the path of the cluster's kubeconfig.", _kubeconfig, cluster=True)
    kubectl = command("kubectl", "Run kubectl on the cluster.", _kubectl, cluster=True)
    kubectl.add_argument("arguments", nargs=argparse.REMAINDER)
    push = command("push", "Build the product's images and push them to a registry.", _push, root=True)
    push.add_argument("registry", help="host and path to push the images to")
    into = command("install", "Install the operator into the current kubectl context.", _install)
    into.add_argument("--registry", default="", help="host and path to push the images to")
    into.add_argument("--base-domain", default="", help="domain below which facilities get their hosts")
    into.add_argument(
        "--values", type=Path, action="append", default=[], help="file with values of the chart"
    )
    into.add_argument("--yes", action="store_true", help="do not ask")
    test = command("test", "Run the tests and tell what ran.", _test)
    test.add_argument(
        "levels", nargs="*", choices=[*(lv.name for lv in testing.LEVELS), []], help="default: all"
    )
    return parser


def main() -> None:
    """Run one command; a failed step ends it with what failed and which log to read."""
    arguments = _parser().parse_args()
    os.environ["PATH"] = privileges.with_administration(os.environ["PATH"])
    paths.make_folders()
    try:
        if arguments.root:
            privileges.become_root(sys.argv[1:])
        arguments.run(arguments)
    except StepFailed as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        if failure.log:
            print(f"Read the log: {failure.log}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
