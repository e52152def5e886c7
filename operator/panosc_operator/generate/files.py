"""All generated files with their content, and what of them on disk is not current."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from panosc_operator.api import KINDS
from panosc_operator.generate.crd import definition

GENERATED_FOLDERS = ("crds", "charts/panosc-operator/templates/crds")
"""Folders in which every file is generated: one that no kind makes any more is deleted."""

_NOTE = "# Generated from operator/panosc_operator/api by `make generate`; do not edit.\n"
_KEEP = {"helm.sh/resource-policy": "keep"}


def generated_files() -> dict[str, str]:
    """Content of every generated file by its path below the repository's root."""
    files: dict[str, str] = {}
    for kind in KINDS:
        crd = definition(kind)
        files[f"crds/{kind.info.plural}.yaml"] = _NOTE + _yaml(crd)
        # Helm never updates a chart's own `crds` folder, so they are templates; uninstalling must not
        # delete them, because with a CRD go all its objects.
        crd["metadata"]["annotations"] = _KEEP
        files[f"charts/panosc-operator/templates/crds/{kind.info.plural}.yaml"] = (
            _NOTE + "{{- if .Values.crds.install }}\n" + _yaml(crd) + "{{- end }}\n"
        )
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


def _yaml(content: object) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """YAML that a person reads: no anchors, lists indented below their key, CEL as blocks without escapes."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "'" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)
