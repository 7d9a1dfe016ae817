"""What goes wrong around a room, for whoever started it."""

from __future__ import annotations


class RoomError(RuntimeError):
    """Something the room needs is missing or did not start; the message is one line for the user."""


def last_line(text: str) -> str:
    """The last line of `text` that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
