"""The kinds: one folder each, found by being here. A folder's `describe(settings)` gives its `Kind`.

In a folder, `observe.py` reads, `plan.py` says purely what should exist, `judge.py` says purely what the
observation means. What several kinds build alike is in `building.py`.
"""

import importlib
import pkgutil

from panosc_operator.engine.kind import Kind
from panosc_operator.settings import Settings


def discover(settings: Settings) -> tuple[Kind, ...]:
    """All kinds, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return tuple(importlib.import_module(f"{__name__}.{name}").describe(settings) for name in names)
