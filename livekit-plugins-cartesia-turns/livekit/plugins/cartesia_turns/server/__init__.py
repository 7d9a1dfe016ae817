"""A local server that speaks Cartesia's turn protocol: real recognition, scripted dialogues, faults on purpose."""

from .app import LocalServer
from .connection import ConnectionRecord, Handshake, Responder, ResponderFactory
from .dialogue import Dialogue, TurnLikelihood, TurnState
from .faults import FaultPlan, Faults
from .handshake import StreamRequest
from .recognition.recognizer import Recognizer, RecognizerMissingError, SpeechDetector, Transcriber
from .script import Line, Script, say
from .vendor import Vendor

__all__ = [
    "ConnectionRecord",
    "Dialogue",
    "FaultPlan",
    "Faults",
    "Handshake",
    "Line",
    "LocalServer",
    "Recognizer",
    "RecognizerMissingError",
    "Responder",
    "ResponderFactory",
    "Script",
    "SpeechDetector",
    "StreamRequest",
    "Transcriber",
    "TurnLikelihood",
    "TurnState",
    "Vendor",
    "say",
]
