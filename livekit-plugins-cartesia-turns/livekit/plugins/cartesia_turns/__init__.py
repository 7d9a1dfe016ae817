"""Cartesia Ink-2 turn events for LiveKit Agents: streaming speech-to-text that tells when a turn starts and ends."""

from livekit.agents import Plugin

from .agent_session import interrupt_on_turn_start, turn_handling
from .core.stats import Stats
from .errors import AudioLostError, Cause, DroppedError, ServerError, UnreachableError
from .events import (
    ConnectedEvent,
    ConnectionErrorEvent,
    DisconnectedEvent,
    EventName,
    OptionsRejectedEvent,
    TurnEagerEndEvent,
    TurnEndEvent,
    TurnResumeEvent,
    TurnStartEvent,
    TurnUpdateEvent,
)
from .live import PROFILES
from .log import logger
from .net.dialer import TokenProvider
from .stream import SpeechStream
from .stt import STT
from .version import __version__
from .wire.messages import DetectedLanguage, TurnSettings

__all__ = [
    "PROFILES",
    "STT",
    "AudioLostError",
    "Cause",
    "ConnectedEvent",
    "ConnectionErrorEvent",
    "DetectedLanguage",
    "DisconnectedEvent",
    "DroppedError",
    "EventName",
    "OptionsRejectedEvent",
    "ServerError",
    "SpeechStream",
    "Stats",
    "TokenProvider",
    "TurnEagerEndEvent",
    "TurnEndEvent",
    "TurnResumeEvent",
    "TurnSettings",
    "TurnStartEvent",
    "TurnUpdateEvent",
    "UnreachableError",
    "__version__",
    "interrupt_on_turn_start",
    "turn_handling",
]


class CartesiaTurnsPlugin(Plugin):
    """Registers the plugin with the framework, which then sets its logger's level."""

    def __init__(self) -> None:
        super().__init__(__name__, __version__, __package__, logger)


Plugin.register_plugin(CartesiaTurnsPlugin())
