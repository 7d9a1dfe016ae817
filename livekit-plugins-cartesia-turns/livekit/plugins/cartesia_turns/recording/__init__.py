"""Calls recorded whole.

`Recorder` writes each stream of an STT into a folder of its own, `load` reads one back. `schema` says what stands in
the files.
"""

from .files import Recording, load
from .recorder import Recorder

__all__ = ["Recorder", "Recording", "load"]
