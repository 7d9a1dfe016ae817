"""How cost grows with a turn, a transcript, a backlog and the number of calls: each figure is the power of the size.

The first three are of the pure client, with a clock that is counted, so that nothing but its own work is in them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.link import Ping
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.wire.options import Options
from livekit.plugins.cartesia_turns.wire.protocol import parse

from ..cells import Cell, Place, Scale
from ..figures import NOTHING, OURS, exponent
from ..stamps import Talk
from .cpu import load

FRAME_S = 0.02
UPDATE_EVERY_S = 0.4
WORDS_PER_S = 2.5
FRAME = Talk(20).frame(0).data.tobytes()
START = '{"type": "turn.start"}'
REPEATS = 3


class Wired:
    """A client and a socket that takes everything at once, by a clock that is counted."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.client = TurnsClient(Options(), Limits(), 0.0)

    def connect(self) -> None:
        """Opens a socket."""
        self.client.link_opened(self.client.sockets.options, self.now_s)
        self.hear('{"type": "connected", "request_id": "r"}')

    def hear(self, frame: str) -> None:
        """Takes a message."""
        self.client.receive(parse(frame), self.now_s)
        self.client.take_events()

    def push(self) -> None:
        """A frame of speech, and the time that it takes."""
        if self.client.live.take(FRAME, self.now_s):
            if self.client.live.wants_ping:
                self.send()
            if self.client.live.is_full:
                self.client.live_sent(self.now_s)
        else:
            self.client.push_audio(FRAME, self.now_s)
        self.now_s += FRAME_S

    def send(self) -> None:
        """Sends what may go out now. Each ping is answered at once."""
        while (item := self.client.outgoing(self.now_s)) is not None:
            self.client.sent(item, self.now_s)
            if isinstance(item, Ping):
                self.client.pong(item.payload, self.now_s)


def update(words: int) -> str:
    """A message with so many words."""
    return json.dumps({"type": "turn.update", "transcript": "".join(f"word{number} " for number in range(words))})


def turn_cost(seconds: float) -> float:
    """CPU seconds for the audio of a turn of this length, whose text is short."""
    wired = Wired()
    wired.connect()
    wired.hear(START)
    begun = time.process_time()
    for _ in range(round(seconds / FRAME_S)):
        wired.push()
        wired.send()
    return time.process_time() - begun


def text_costs(words: int, updates: int = 40) -> tuple[float, float]:
    """CPU seconds for an update of so many words, and those that its JSON alone takes."""
    frames = [update(words + number) for number in range(updates)]
    wired = Wired()
    wired.connect()
    wired.hear(START)
    wired.hear(update(words - 1))
    begun = time.process_time()
    for frame in frames:
        json.loads(frame)
    parsed = time.process_time()
    for frame in frames:
        wired.hear(frame)
    return (time.process_time() - parsed) / updates, (parsed - begun) / updates


def backlog_cost(seconds: float) -> float:
    """CPU seconds for keeping so many seconds of audio in mid-turn, and for sending them to the next socket."""
    wired = Wired()
    wired.connect()
    wired.hear(START)
    wired.client.link_lost(wired.now_s)
    begun = time.process_time()
    for _ in range(round(seconds / FRAME_S)):
        wired.push()
    wired.connect()
    for _ in range(round(seconds / FRAME_S)):
        wired.send()
        wired.now_s += FRAME_S
    if (left_s := wired.client.stats.backlog_s) > 2 * FRAME_S:
        raise RuntimeError(f"{left_s:.2f} s of the backlog were not sent in real time")
    return time.process_time() - begun


def _doubled(first: float, last: float) -> Iterator[float]:
    size = first
    while size <= last:
        yield size
        size *= 2


def _least(cost: Callable[[], float]) -> float:
    return min(cost() for _ in range(REPEATS))


async def turns(place: Place, *, longest_s: float) -> dict[str, float]:
    """Turns up to this length."""
    del place
    sizes = list(_doubled(longest_s / 512, longest_s))
    costs = [_least(lambda size=size: turn_cost(size)) for size in sizes]  # type: ignore[misc]  # a default of its own
    return {
        "cost of a turn's audio by its length, exponent": exponent(sizes, costs),
        "CPU microseconds a frame in the longest turn": 1e6 * costs[-1] * FRAME_S / sizes[-1],
    }


async def texts(place: Place, *, most_words: int) -> dict[str, float]:
    """Transcripts up to so many words."""
    del place
    few, many = text_costs(most_words // 16), text_costs(most_words)
    return {
        "cost of an update over its JSON's, few words": few[0] / few[1],
        "cost of an update over its JSON's, many words": many[0] / many[1],
        "CPU microseconds an update with many words": 1e6 * many[0],
    }


async def backlogs(place: Place, *, longest_s: float) -> dict[str, float]:
    """Backlogs up to so many seconds."""
    del place
    sizes = list(_doubled(longest_s / 32, longest_s))
    costs = [_least(lambda size=size: backlog_cost(size)) for size in sizes]  # type: ignore[misc]  # as above
    return {
        "cost of a backlog by its length, exponent": exponent(sizes, costs),
        "CPU milliseconds for the longest backlog": 1000 * costs[-1],
    }


async def streams(place: Place, *, most: int, audio_s: float) -> dict[str, float]:
    """Calls at once, up to so many."""
    sizes = [most // 8, most // 4, most // 2, most]
    harness = Place(NOTHING, place.url, place.wakes)
    costs = []
    for count in sizes:
        whole = await load(place, streams=count, audio_s=audio_s, speed=1)
        own = await load(harness, streams=count, audio_s=audio_s, speed=1)
        costs.append(count * (whole[CPU] - own[CPU]))
    return {
        "cost of calls by their number, exponent": exponent(sizes, costs),
        "CPU seconds a stream-minute with the most calls": costs[-1] / most,
    }


CPU = "CPU seconds a stream-minute"
ONLY_OURS = (OURS,)


def _cells(turn_s: float, words: int, backlog_s: float, calls: int, audio_s: float) -> list[Cell]:
    return [
        Cell("growth", "turns", f"to {turn_s:g} s", {"longest_s": turn_s}, ONLY_OURS),
        Cell("growth", "texts", f"to {words} words", {"most_words": words}, ONLY_OURS),
        Cell("growth", "backlogs", f"to {backlog_s:g} s", {"longest_s": backlog_s}, ONLY_OURS),
        Cell("growth", "streams", f"to {calls}", {"most": calls, "audio_s": audio_s}, ONLY_OURS),
    ]


SCALE = Scale(
    "growth",
    {"turns": turns, "texts": texts, "backlogs": backlogs, "streams": streams},
    usual=_cells(600, 10_000, 60, 400, 1.5),
    quick=_cells(64, 3200, 16, 40, 1.0),
)
