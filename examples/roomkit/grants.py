"""Short-lived grants: what a visitor of the page may do, in one room, for the time it takes to join."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from livekit import api

TOKEN_LIFE = timedelta(minutes=2)
"""How long a token lets its owner join. Whoever has joined may stay: livekit-server renews their token."""
EMPTY_ROOM_S = 20
MAX_PARTICIPANTS = 8
ROOM_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class LivekitAccess:
    """Where the LiveKit server is and the key that grants are signed with."""

    url: str
    api_key: str
    api_secret: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A token for one person and one room."""

    room: str
    identity: str
    token: str


def room_name(wanted: object) -> str:
    """The room to join: the one asked for, or a new one that nobody can guess.

    Raises:
        ValueError: The name asked for can't be a room's name.
    """
    if wanted is None:
        return f"room-{secrets.token_hex(6)}"
    if not isinstance(wanted, str) or ROOM_NAME.fullmatch(wanted) is None:
        raise ValueError("a room's name is 1 to 64 letters, digits, hyphens or underscores")
    return wanted


def issue(access: LivekitAccess, room: str) -> Grant:
    """Let a new visitor speak and listen in `room`, and in no other. The key of `access` signs the grant."""
    identity = f"visitor-{secrets.token_hex(4)}"
    rights = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=False,
    )
    config = api.RoomConfiguration(
        empty_timeout=EMPTY_ROOM_S, departure_timeout=EMPTY_ROOM_S, max_participants=MAX_PARTICIPANTS
    )
    token = (
        api.AccessToken(access.api_key, access.api_secret)
        .with_identity(identity)
        .with_name("Visitor")
        .with_ttl(TOKEN_LIFE)
        .with_grants(rights)
        .with_room_config(config)
    )
    return Grant(room, identity, token.to_jwt())
