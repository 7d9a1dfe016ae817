"""What a user finds: every name without an underscore is meant for users, and stays."""

from __future__ import annotations

from typing import Any

from livekit.agents import stt
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns import STT, SpeechStream, server


def public(names: Any) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def own(kind: type, base: type) -> set[str]:
    """Public names of a class that are made here, not in the framework; also those that it makes anew."""
    ours = kind.__mro__[: kind.__mro__.index(base)]
    return public(name for each in ours for name in vars(each))


def test_the_package_exports_these_names() -> None:
    assert sorted(cartesia_turns.__all__) == [
        "AudioLostError",
        "Cause",
        "ConnectedEvent",
        "ConnectionErrorEvent",
        "DetectedLanguage",
        "DisconnectedEvent",
        "DroppedError",
        "EventName",
        "OptionsRejectedEvent",
        "PROFILES",
        "STT",
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
    assert all(hasattr(cartesia_turns, name) for name in cartesia_turns.__all__)


def test_the_local_server_exports_these_names() -> None:
    assert sorted(server.__all__) == [
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
    assert all(hasattr(server, name) for name in server.__all__)


async def test_an_stt_and_a_stream_have_these_names_for_users() -> None:
    owner = STT(api_key="key")
    of_events = {"emit", "off", "on", "once"}
    of_framework = {"aclose", "model", "prewarm", "provider", "stream"}
    assert own(STT, stt.STT) == {"stats", "turn_profile", "update_options"} | of_framework | of_events
    assert public(vars(owner)) == set()
    async with owner.stream() as stream:
        assert own(SpeechStream, stt.RecognizeStream) == {"push_frame", "stats", "turn_profile"}
        assert public(vars(stream)) == set()
