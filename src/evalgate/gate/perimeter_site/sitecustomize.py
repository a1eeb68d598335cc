"""Python runs this at the start of children of a guarded test process, which have its directory on PYTHONPATH."""  # noqa: INP001

from __future__ import annotations

import os

if "EVALGATE_GUARD" in os.environ:
    import importlib.util
    from pathlib import Path

    _path = Path(__file__).parents[1] / "perimeter_guard.py"
    _spec = importlib.util.spec_from_file_location("_evalgate_guard", _path)
    assert _spec is not None
    assert _spec.loader is not None
    _guard = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_guard)
    _guard.guard_child()
