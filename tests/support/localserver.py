"""The local server as tests use it, and short names for what it sent."""

from __future__ import annotations

from typing import Any

from livekit.plugins.cartesia_turns.server import LocalServer, Vendor
from livekit.plugins.cartesia_turns.wire.messages import ServerMessage, TurnEnd, TurnUpdate

from . import speech, synthetic

VENDORS = {when: Vendor.of(when) for when in ("today", "2026-05")}
vendor = VENDORS["today"]
"""What a server plays where nothing else is asked for; tests of a contract go through all of VENDORS."""

SENTENCE = speech.silence(0.5) + synthetic.words(0, 4) + speech.silence(1.0)


def server(**options: Any) -> LocalServer:
    """A server that hears synthetic speech and records everything; options replace these."""
    return LocalServer(**{"recognizer": synthetic.recognizer(), "record": True, "vendor": vendor, **options})


def kinds(messages: list[ServerMessage]) -> list[type[ServerMessage]]:
    """The kinds of messages in order, updates left out."""
    return [type(message) for message in messages if not isinstance(message, TurnUpdate)]


def finals(messages: list[ServerMessage]) -> list[str]:
    """The text of each turn that ended."""
    return [message.transcript for message in messages if isinstance(message, TurnEnd)]
