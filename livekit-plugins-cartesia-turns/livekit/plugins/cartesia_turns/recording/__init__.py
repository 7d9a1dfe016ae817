"""Calls recorded whole, and run again.

`Recorder` writes each stream of an STT into a folder of its own, `load` reads one back, `replay` feeds it to the client
of today in virtual time. `schema` says what stands in the files.
"""

from .difference import Difference
from .files import Recording, load
from .player import Replay, replay
from .recorder import Recorder

__all__ = ["Difference", "Recorder", "Recording", "Replay", "load", "replay"]
