"""Records whole calls, draws them, and runs them again.

`Recorder` writes each stream of an STT into a folder of its own. `load` reads one back, `replay` feeds it to the client
of today in virtual time, `server.RecordedServer` plays it to an agent, and `page_of` draws it. `schema` describes the
files.
"""

from .difference import Difference, Replay
from .files import Recording, load
from .player import replay
from .recorder import Recorder
from .view import page_of

__all__ = ["Difference", "Recorder", "Recording", "Replay", "load", "page_of", "replay"]
