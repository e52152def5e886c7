"""All generated files with their content, and what of them on disk is not current."""

from collections.abc import Mapping
from pathlib import Path

from panosc_operator.api import KINDS
from panosc_operator.generate.crd import definition
from panosc_operator.generate.rbac import operator_role, user_roles
from panosc_operator.generate.reference import index, page
from panosc_operator.generate.text import NOTE, to_yaml

_CHART = "charts/panosc-operator/templates"
GENERATED_FOLDERS = ("crds", f"{_CHART}/crds", f"{_CHART}/rbac")
"""Folders in which every file is generated: one that no kind makes any more is deleted."""

_KEEP = {"helm.sh/resource-policy": "keep"}


def generated_files() -> dict[str, str]:
    """Content of every generated file by its path below the repository's root."""
    files: dict[str, str] = {}
    for kind in KINDS:
        crd = definition(kind)
        files[f"crds/{kind.info.plural}.yaml"] = NOTE + to_yaml(crd)
        # Helm never updates a chart's own `crds` folder, so they are templates; uninstalling must not
        # delete them, because with a CRD go all its objects.
        crd["metadata"]["annotations"] = _KEEP
        files[f"{_CHART}/crds/{kind.info.plural}.yaml"] = (
            NOTE + "{{- if .Values.crds.install }}\n" + to_yaml(crd) + "{{- end }}\n"
        )
        files[f"docs/reference/{kind.info.kind.lower()}.md"] = page(kind)
    files["docs/reference/README.md"] = index()
    files[f"{_CHART}/rbac/operator.yaml"] = operator_role()
    files[f"{_CHART}/rbac/users.yaml"] = user_roles()
    return files


def stale_files(root: Path, files: Mapping[str, str]) -> list[str]:
    """Paths whose content on disk differs from what is generated, or that nothing generates any more."""
    differing = [
        path
        for path, text in files.items()
        if not (root / path).is_file() or (root / path).read_text() != text
    ]
    return sorted(differing + _leftovers(root, files))


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Bring the files on disk to the generated content."""
    for path in _leftovers(root, files):
        (root / path).unlink()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _leftovers(root: Path, files: Mapping[str, str]) -> list[str]:
    present = (path for folder in GENERATED_FOLDERS for path in (root / folder).glob("*.yaml"))
    return [name for path in present if (name := path.relative_to(root).as_posix()) not in files]
