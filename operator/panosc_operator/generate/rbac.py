"""The chart's ClusterRoles: what the operator may do, and what people may do with the kinds."""

from collections.abc import Sequence
from typing import Any

from panosc_operator.api import KINDS
from panosc_operator.api.meta import GROUP
from panosc_operator.generate.text import NOTE, to_yaml
from panosc_operator.rbac import RULES

_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete", "deletecollection"]
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"


_BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "panosc.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .Release.Name }}
subjects:
  - kind: ServiceAccount
    name: {{ .Release.Name }}
    namespace: {{ .Release.Namespace }}
"""


def operator_role() -> str:
    """ClusterRole of the operator with the rights it uses, bound to its service account."""
    return NOTE + _role("", [], RULES) + "---\n" + _BINDING


def user_roles() -> str:
    """ClusterRoles for people: to view and edit what lies in namespaces, and to manage the facilities.

    The first two become a part of Kubernetes' own view, edit and admin, so that whoever has those in a
    namespace needs nothing else; facilities are no part of any, as they are the cluster's.
    """
    in_namespaces = [kind.info.plural for kind in KINDS if kind.info.namespaced]
    of_the_cluster = [kind.info.plural for kind in KINDS if not kind.info.namespaced]
    roles = [
        _role("-view", ["view", "edit", "admin"], [_rule(in_namespaces, _READ)]),
        _role("-edit", ["edit", "admin"], [_rule(in_namespaces, _WRITE)]),
        _role("-facilities", [], [_rule(of_the_cluster, [*_READ, *_WRITE])]),
    ]
    return NOTE + "---\n".join(roles)


def _rule(resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [GROUP], "resources": resources, "verbs": verbs}


def _role(suffix: str, aggregate_to: Sequence[str], rules: list[dict[str, Any]]) -> str:
    """A ClusterRole as a template: name and labels are the release's, so it can't be dumped as a whole."""
    labels = "".join(f'    {_AGGREGATE}{role}: "true"\n' for role in aggregate_to)
    return (
        "apiVersion: rbac.authorization.k8s.io/v1\n"
        "kind: ClusterRole\n"
        "metadata:\n"
        f"  name: {{{{ .Release.Name }}}}{suffix}\n"
        "  labels:\n"
        '    {{- include "panosc.labels" . | nindent 4 }}\n'
        + (f"    {{{{- if .Values.rbac.aggregate }}}}\n{labels}    {{{{- end }}}}\n" if labels else "")
        + to_yaml({"rules": rules})
    )
