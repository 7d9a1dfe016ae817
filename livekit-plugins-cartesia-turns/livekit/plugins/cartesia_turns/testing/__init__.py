"""Tests of an agent without a key, a recognizer or the internet: what the caller says is written in words and seconds.

The fixture `cartesia_turns_server` of the pytest plugin is a `ScriptedServer`; without pytest make one yourself. See
`ScriptedServer` for an example, `say` for what a caller says, `Heard` for what can be asserted, and `PASSING_FAULTS`
for what may go wrong. `replay` runs a recorded call again, and `RecordedServer` plays it
to your agent, so that a complaint becomes a test.
"""

from ..recording import Replay, replay
from ..recording.server import RecordedServer
from .caller import Caller
from .calls import Conversation, StreamCall
from .doubles import FakeLLM, FakeTTS, Microphone, Speaker
from .ear import script
from .faults import LASTING_FAULTS, PASSING_FAULTS, fault
from .heard import Heard, Reply
from .notes import Turn
from .server import ScriptedServer
from .speech import Say, noise, say, silence

__all__ = [
    "LASTING_FAULTS",
    "PASSING_FAULTS",
    "Caller",
    "Conversation",
    "FakeLLM",
    "FakeTTS",
    "Heard",
    "Microphone",
    "RecordedServer",
    "Replay",
    "Reply",
    "Say",
    "ScriptedServer",
    "Speaker",
    "StreamCall",
    "Turn",
    "fault",
    "noise",
    "replay",
    "say",
    "script",
    "silence",
]
