"""How generated YAML is written."""

import yaml

NOTE = "# Generated from operator/panosc_operator by `make generate`; do not edit.\n"


def to_yaml(content: object) -> str:
    """The content as YAML that a person reads."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """No anchors, lists indented below their key, CEL as blocks without escapes."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "'" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)
