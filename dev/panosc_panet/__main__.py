"""Write a version's table: `python -m panosc_panet 1.3.0 PaNET.csv > …/panosc_common/panet/1.3.0.json`.

The source is `source/PaNET.csv` of the release's tag in https://github.com/pan-ontologies/PaNET.
"""

import argparse
import json
import sys
from pathlib import Path

from panosc_panet.classify import classify, parents
from panosc_panet.template import TECHNIQUE, read


def table(version: str, source: Path) -> str:
    """The table as JSON, one term a line."""
    with source.open(encoding="utf-8", newline="") as rows:
        entities = read(rows)
    above = classify(entities)
    techniques = sorted(name for name in entities if TECHNIQUE.fullmatch(name) and entities[name].label)
    nearest = parents({name: {other for other in above[name] if other in techniques} for name in techniques})
    head = {
        "version": version,
        "source": f"https://github.com/pan-ontologies/PaNET/blob/v{version}/source/PaNET.csv",
        "about": "https://doi.org/10.1107/S1600577525005272",
        "licence": "CC-BY-4.0",
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    terms = (
        f"    {json.dumps(name)}: "
        + json.dumps(
            {
                "label": entities[name].label,
                "synonyms": entities[name].synonyms,
                "parents": nearest[name],
            },
            ensure_ascii=False,
        )
        for name in techniques
    )
    return "\n".join(["{", *lines, '  "terms": {', ",\n".join(terms), "  }", "}", ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    parser.add_argument("source", type=Path)
    arguments = parser.parse_args()
    sys.stdout.write(table(arguments.version, arguments.source))
