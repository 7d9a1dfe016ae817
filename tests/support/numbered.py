"""Audio that carries its identity: each frame holds its number, and a server that reads the numbers.

A word of a transcript is the number of a voiced frame, so a transcript tells exactly which frames were heard. The
number is in the lowest bits of all samples; above them is what a microphone hears: a voice, and the noise of a room.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from livekit import rtc
from livekit.plugins.cartesia_turns.server import Dialogue, StreamRequest, TurnState
from livekit.plugins.cartesia_turns.wire.messages import TurnMessage, TurnSettings
from livekit.plugins.cartesia_turns.wire.protocol import serialize
from numpy.typing import NDArray

from .noise import Room, clipped

RATE = 16000
FRAME_S = 0.02
SAMPLES = 320
LOUD = 8000
"""The level of a voice at its loudest; by themselves the lowest bits are far below any voice."""
NO_NOISE = Room("no noise")
_LOW_BITS = 4
_DIGITS = 10
"""So many samples, three bits in each, say all there is to say of a frame; 32 times in it, and which time it is."""
_PLACES = 8 ** np.arange(_DIGITS)
_VOICED = 1 << 24
"""Added to the number of a voiced frame."""
_TIMES = np.arange(SAMPLES // _DIGITS) << 25
_ENVELOPE = np.array([1.0, 1.0, 0.8, 0.6, 0.8, 1.0, 1.0, 0.6, 0.3, 0.1])
"""A voice is never on one level for long."""
_LOOP = 50
"""Frames after which the noise of a room is the same again: a second, in which any hum comes full circle."""


START_AFTER = 3
"""Voiced frames before the server says turn.start."""
UPDATE_EVERY = 5
EAGER_S, END_S = 0.2, 0.5
"""Silence before turn.eager_end and turn.end, in seconds."""


def numbered(number: int, *, voiced: bool, room: Room = NO_NOISE) -> rtc.AudioFrame:
    """Frame `number`."""
    pcm = joined([(number, voiced)], room).tobytes()
    return rtc.AudioFrame(pcm, RATE, 1, SAMPLES)


def joined(frames: Sequence[tuple[int, bool]], room: Room = NO_NOISE) -> NDArray[np.int16]:
    """The samples of these frames in a room; each is its number and whether it is voiced. No sample is zero."""
    noise, voice = _sounds(room)
    numbers = np.array([number for number, _ in frames])
    voiced = np.array([is_voiced for _, is_voiced in frames])
    heard = noise[numbers % _LOOP] + voice[numbers % len(_ENVELOPE)] * voiced[:, None]
    marks = (numbers + _VOICED * voiced)[:, None] + _TIMES
    digits = marks[..., None] // _PLACES % 8
    # The last bit is one in every sample.
    low = (2 * digits + 1).reshape(len(frames), SAMPLES)
    samples: NDArray[np.int16] = clipped(heard) & -(1 << _LOW_BITS) | low.astype(np.int16)
    return samples.ravel()


@functools.cache
def _sounds(room: Room) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The noise of a room and a voice in it, one frame in each row."""
    noise = room.noise(_LOOP * SAMPLES, RATE).reshape(_LOOP, SAMPLES)
    waves = np.random.default_rng(1).uniform(-LOUD, LOUD, (len(_ENVELOPE), SAMPLES))
    return noise, waves * _ENVELOPE[:, None] * 10 ** (room.gain_db / 20)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived; `number` is None for silence that somebody put in its place."""

    number: int | None
    voiced: bool
    seconds: float


class FrameReader:
    """Cuts a stream of PCM into frames, wherever the silence between them ends.

    A stream may begin within a frame, which is left out: a replay begins with a piece, and pieces end anywhere.

    Args:
        is_strict: a torn frame is a failure. Otherwise it is passed over, as it may be where pieces of silence are left
            out of a backlog; a word that is torn is then missing in the transcript.
    """

    def __init__(self, *, is_strict: bool = True) -> None:
        self._is_strict = is_strict
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._began = False

    def read(self, pcm: bytes) -> list[Frame]:
        """The frames that are whole now."""
        samples = np.concatenate([self._rest, np.frombuffer(pcm, np.int16)])
        frames: list[Frame] = []
        at = 0
        if not self._began:
            begin = _first_frame(samples, SAMPLES if self._is_strict else len(samples))
            assert begin is not None or len(samples) < 2 * SAMPLES or not self._is_strict, "a frame was torn"
            self._began = begin is not None
            at = len(samples) if begin is None else begin
            # A frame may begin in the last of them.
            self._rest = samples[1 - 2 * SAMPLES :]
        while at < len(samples):
            if samples[at] == 0:
                zeros = int(np.argmax(np.append(samples[at:], 1) != 0))
                frames.append(Frame(None, voiced=False, seconds=zeros / RATE))
                at += zeros
                continue
            count = _whole_frames(samples[at:])
            if not count:
                break
            rows = samples[at : at + count * SAMPLES].reshape(count, SAMPLES)
            whole = count if self._is_strict else int(np.argmin(np.append(_is_whole(rows), False)))
            if whole:
                frames += _decoded(rows[:whole])
            at += whole * SAMPLES
            if whole < count:
                self._began = False
                self._rest = samples[at + 1 :]
                return [*frames, *self.read(b"")]
        if self._began:
            self._rest = samples[at:]
        return frames


def _first_frame(samples: NDArray[np.int16], within: int) -> int | None:
    """Where the first whole frame or silence of a stream begins, None where that is not known yet."""
    for at in range(min(within, len(samples))):
        frame = samples[at : at + SAMPLES]
        if frame[0] == 0 or (len(frame) == SAMPLES and _is_whole(frame[None]).all()):
            return at
    return None


def _whole_frames(samples: NDArray[np.int16]) -> int:
    """How many whole frames there are before the next silence."""
    silences = np.flatnonzero(samples[::SAMPLES] == 0)
    return min(len(samples) // SAMPLES, int(silences[0]) if len(silences) else len(samples))


def _decoded(rows: NDArray[np.int16]) -> list[Frame]:
    assert _is_whole(rows).all(), "a frame was torn"
    marks = _marks(rows)[:, 0]
    pairs = zip((marks % _VOICED).tolist(), (marks & _VOICED).tolist(), strict=True)
    return [Frame(number, voiced=bool(is_voiced), seconds=FRAME_S) for number, is_voiced in pairs]


def _is_whole(rows: NDArray[np.int16]) -> NDArray[np.bool_]:
    marks = _marks(rows)
    whole: NDArray[np.bool_] = (marks == marks[:, :1] + _TIMES).all(axis=1) & (rows % 2 == 1).all(axis=1)
    return whole


def _marks(rows: NDArray[np.int16]) -> NDArray[np.int64]:
    """What is said all over each of these frames."""
    low = (rows & (1 << _LOW_BITS) - 1).reshape(len(rows), -1, _DIGITS)
    marks: NDArray[np.int64] = (low.astype(np.int64) // 2 * _PLACES).sum(axis=2)
    return marks


@dataclass(eq=False)
class Ear:
    """The responder of one connection. Hears words, decides on turns, and misbehaves on demand."""

    stream: StreamRequest
    heard: list[int] = field(default_factory=list)
    """The numbers of all frames, in order of arrival."""
    silent_s: float = 0.0
    """Silence that somebody put between them."""
    mute: bool = False
    """Say nothing any more."""
    odd: list[str | bytes] = field(default_factory=list)
    """Frames to send next, whatever they are."""
    finishing: Callable[[], Awaitable[None]] | None = None
    """Awaited before the answer to `close`."""
    settled: int = -1
    """The last word that was final for the other side when the connection was opened, where that is known."""
    closed: bool = False
    """The connection is gone."""
    keeps_numbers: bool = True
    """Fill `heard`."""
    is_strict: bool = True
    """As for FrameReader."""

    def __post_init__(self) -> None:
        self._dialogue = Dialogue(self.stream.turn, self.stream.request_id)
        self._reader = FrameReader(is_strict=self.is_strict)
        self._words: list[int] = []
        self._run = 0
        self._quiet_s = 0.0

    async def hear(self, pcm: bytes) -> AsyncIterator[str | bytes]:
        """Answers audio."""
        for frame in self._reader.read(pcm):
            if frame.number is None:
                self.silent_s += frame.seconds
            elif self.keeps_numbers:
                self.heard.append(frame.number)
            for message in self._step(frame):
                if not self.mute:
                    yield serialize(message)
        while self.odd:
            yield self.odd.pop(0)

    def configure(self, turn: TurnSettings) -> None:
        """Changes turn detection."""
        self._dialogue.configure(turn)

    async def finish(self) -> AsyncIterator[str | bytes]:
        """Says what is left."""
        if self.finishing is not None:
            await self.finishing()
        while self.odd:
            yield self.odd.pop(0)
        for message in self._dialogue.close(self._text()):
            if not self.mute:
                yield serialize(message)
        if self.mute:
            await asyncio.Event().wait()

    def close(self) -> None:
        """Is gone."""
        self.closed = True

    @property
    def in_turn(self) -> bool:
        """A turn is open, and the connection too."""
        return not self.closed and self._dialogue.state is not TurnState.IDLE

    def _step(self, frame: Frame) -> list[TurnMessage]:
        if frame.voiced and frame.number is not None:
            self._words.append(frame.number)
        self._run = self._run + 1 if frame.voiced else 0
        self._quiet_s = 0.0 if frame.voiced else self._quiet_s + frame.seconds
        likelihood = self._likelihood()
        whole = self._dialogue.needs_whole_text(likelihood, frame.seconds)
        is_due = whole or (frame.voiced and self._run % UPDATE_EVERY == 0)
        messages = self._dialogue.step(likelihood, frame.seconds, self._text() if is_due else None)
        if self._quiet_s >= END_S:
            self._words.clear()
        return messages

    def _likelihood(self) -> float:
        if self._quiet_s >= END_S:
            return 0.05
        if self._quiet_s >= EAGER_S:
            return 0.3
        return 0.95 if self._run >= START_AFTER else 0.7

    def _text(self) -> str:
        return " ".join(map(str, self._words))


class Ears:
    """Makes the responders of a server and keeps them."""

    def __init__(self) -> None:
        self.all: list[Ear] = []
        self.finishing: Callable[[], Awaitable[None]] | None = None
        """Given to each."""
        self.last_final: Callable[[], int] = lambda: -1
        """Says what is `settled` for a new one."""

    def __call__(self, stream: StreamRequest) -> Ear:
        """The responder of the next connection."""
        ear = Ear(stream, finishing=self.finishing, settled=self.last_final())
        self.all.append(ear)
        return ear


LATE_S = 0.1
"""A microphone makes up for no more than this where the machine held the process up: time stood still for it."""


class Microphone:
    """Pushes numbered frames in real time, in pieces: what is asked for, and silence otherwise.

    It is never faster than that by more than LATE_S, however busy the machine is.

    Args:
        push: takes the pieces.
        piece_s: how long a piece is, in seconds; frames are cut where it ends.
        room: where it stands.
        on_word: told of each voiced frame.
    """

    def __init__(
        self,
        push: Callable[[rtc.AudioFrame], None],
        *,
        piece_s: float = FRAME_S,
        room: Room = NO_NOISE,
        on_word: Callable[[int], None] | None = None,
    ) -> None:
        self._push = push
        self._on_word = on_word or self._keep
        self._piece_s = piece_s
        self._room = room
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._number, self._open_to = 0, -1
        self._due: list[tuple[bool, int]] = []
        self._done = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.holding = False
        """Push nothing while nothing is asked for, as if time stood still."""
        self.spoken: list[int] = []
        """The numbers of all voiced frames."""

    def start(self) -> None:
        """Begins to push."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Pushes no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def play(self, *seconds: float) -> list[int]:
        """Pushes silence, speech, silence and so on, of these lengths; returns the words when all is out."""
        before = len(self.spoken)
        parts = [(index % 2 == 1, round(length / FRAME_S)) for index, length in enumerate(seconds)]
        self._due += [part for part in parts if part[1]]
        self._done.clear()
        assert self._task is not None, "the microphone is off"
        out = asyncio.create_task(self._done.wait())
        await asyncio.wait([out, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not out.done():
            out.cancel()
            await self._task  # raises what ended it
        return self.spoken[before:]

    def _keep(self, word: int) -> None:
        self.spoken.append(word)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            piece = self._piece()
            if piece.size:
                self._push(rtc.AudioFrame(piece.tobytes(), RATE, 1, piece.size))
            at = max(at + self._piece_s, loop.time() - LATE_S)
            await asyncio.sleep(max(0.0, at - loop.time()))

    def _piece(self) -> NDArray[np.int16]:
        """The next piece: less than a whole one where the microphone holds."""
        size = round(self._piece_s * RATE)
        count = -(-(size - self._rest.size) // SAMPLES)
        frames = [frame for _ in range(count) if (frame := self._next()) is not None]
        parts = [joined([*those], room) for room, those in itertools.groupby(frames, self._heard_in)]
        self._rest = np.concatenate([self._rest, *parts])
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def _heard_in(self, frame: tuple[int, bool]) -> Room:
        """What of the room is heard in this frame: behind a gate, nothing long after the words."""
        number, voiced = frame
        if voiced and self._room.gate_s is not None:
            self._open_to = number + round(self._room.gate_s / FRAME_S)
        return self._room if self._room.gate_s is None or number <= self._open_to else NO_NOISE

    def _next(self) -> tuple[int, bool] | None:
        if not self._due:
            self._done.set()
            if self.holding:
                return None
        number, self._number = self._number, self._number + 1
        voiced, left = self._due[0] if self._due else (False, 0)
        if voiced:
            self._on_word(number)
        if self._due:
            self._due[0] = (voiced, left - 1)
            if left <= 1:
                self._due.pop(0)
        return number, voiced
