"""A participant in Python: a microphone that plays recorded speech, ears, and a diary of what the room said."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import av
from livekit import rtc
from roomkit.grants import LivekitAccess, issue
from support.waiting import until

RATE = 16000
FRAME_S = 0.02
FRAME_SAMPLES = int(RATE * FRAME_S)
SILENCE = bytes(2 * FRAME_SAMPLES)
LOUD = 300.0
"""Root mean square (16 bit) from which a frame of the agent's voice counts as sound."""
POLL_S = 0.02
HELD_UP_S = 0.1
"""A machine that holds a process up for longer than this leaves holes in sound: NetEq and the source keep no more."""
TRIES = 3
QUIET_S = 3.0
"""What was said before has had its turns and its answer once nothing has come for so long."""
T = TypeVar("T")
AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
LISTENING_WITHIN_S = 0.5
"""From an agent's subscription to the moment when it misses no sound."""


def pcm(path: Path) -> bytes:
    """A recording as mono 16 kHz signed 16-bit PCM."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)


def loudness(samples: bytes) -> float:
    """Root mean square of 16-bit samples."""
    values = array("h", samples)
    return math.sqrt(sum(value * value for value in values) / len(values)) if values else 0.0


@dataclass
class Diary:
    """What the room said, in the order it came."""

    finals: list[tuple[str, str]] = field(default_factory=list)
    """(who, text) for each finished line: "user" is this guest, "agent" whoever is no guest; no other guest's."""
    turns: list[dict[str, Any]] = field(default_factory=list)
    """The turn events that the agent published about this guest, or about nobody in particular."""
    sounds: list[float] = field(default_factory=list)
    """When the agent was heard: the monotonic time of each loud frame."""

    def said(self, who: str) -> list[str]:
        return [text for speaker, text in self.finals if speaker == who]

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.turns)

    @property
    def open_turns(self) -> int:
        return self.count("turn_start") - self.count("turn_end")


class Guest:
    """Joins through the token endpoint, as the page does, or with a grant where there is none.

    A microphone that is published always sends: silence where nobody speaks.

    Args:
        entrance: The endpoint's address, or whose key signs the grant.
        room: The room's name.
        pushes_to_talk: Publish no microphone by itself, and keep no diary of when the agent was heard: audio that
            nobody asked for is a load on the machine.
    """

    def __init__(self, entrance: str | LivekitAccess, *, room: str, pushes_to_talk: bool = False) -> None:
        self.diary = Diary()
        self.room = rtc.Room()
        self._entrance, self._room_name, self._pushes_to_talk = entrance, room, pushes_to_talk
        self._microphone_is_heard = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._line: asyncio.Queue[bytes] = asyncio.Queue()
        self._source: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        self._microphone: asyncio.Task[None] | None = None
        self._held_up_s = 0.0
        """How long the machine held the microphone up at worst, since the last recording was begun."""

    async def __aenter__(self) -> Guest:
        url, token = await self._invitation()
        self.room.on("data_received", self._on_data)
        self.room.on("track_subscribed", self._on_track)
        self.room.register_text_stream_handler("lk.transcription", self._on_text)
        self.room.on("local_track_subscribed", lambda _: self._microphone_is_heard.set())
        await self.room.connect(url, token)
        if not self._pushes_to_talk:
            await self.publish()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()
        await self.room.disconnect()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _invitation(self) -> tuple[str, str]:
        if isinstance(self._entrance, LivekitAccess):
            return self._entrance.url, issue(self._entrance, self._room_name).token
        async with aiohttp.ClientSession() as http:
            answer = await http.post(f"{self._entrance}/api/token", json={"room": self._room_name})
            grant = await answer.json()
        return grant["url"], grant["token"]

    # The microphone.

    async def publish(self) -> None:
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        self._track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(self._track, options)
        self._microphone = asyncio.create_task(self._pump(self._source))

    async def push_to_talk(self) -> None:
        """Publish the microphone and wait until the agent takes it."""
        self._microphone_is_heard.clear()
        await self.publish()
        await self.until(self._microphone_is_heard.is_set, 30, "somebody took the microphone")
        await asyncio.sleep(LISTENING_WITHIN_S)

    async def unpublish(self) -> None:
        """Take the microphone away, in mid-sentence even: what was not said yet is dropped."""
        track = self._track
        await self._hang_up()
        if track is not None:
            await self.room.local_participant.unpublish_track(track.sid)

    async def mute(self) -> None:
        """Mute in mid-sentence, as a browser does: no more audio leaves."""
        if self._track is not None:
            self._track.mute()
        self._line = asyncio.Queue()

    def speak(self, recording: Path, *, up_to_s: float | None = None) -> None:
        """Begin to say a recording, at real-time pace; returns at once."""
        self._held_up_s = 0.0
        samples = pcm(recording)
        samples = samples if up_to_s is None else samples[: int(up_to_s * RATE) * 2]
        for start in range(0, len(samples), len(SILENCE)):
            self._line.put_nowait(samples[start : start + len(SILENCE)].ljust(len(SILENCE), b"\0"))

    async def say(self, recording: Path) -> float:
        """Say a recording to its end; returns the monotonic time at which its first sound was sent."""
        began = time.monotonic()
        self.speak(recording)
        await self.finish()
        return began

    async def finish(self) -> None:
        """Wait until all is said."""
        await self.until(self._line.empty, 60, "the recording was sent")

    async def in_time(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt with a sentence, and another where one fails in which the machine held the sound up.

        A sentence with a hole of half a second in it is rightly two turns, and a word in the hole is rightly not heard.
        """
        for _ in range(TRIES - 1):
            try:
                return await attempt()
            except AssertionError:  # noqa: PERF203  # an attempt takes seconds
                if self._held_up_s < HELD_UP_S:
                    raise
                await self._settles()
        return await attempt()

    async def _settles(self) -> None:
        """Wait until all that was said so far is over and answered."""
        diary, seen, since = self.diary, -1, time.monotonic()
        while time.monotonic() < since + QUIET_S or diary.open_turns:
            if (now := len(diary.turns) + len(diary.finals)) != seen:
                seen, since = now, time.monotonic()
            await asyncio.sleep(POLL_S)

    async def _pump(self, source: rtc.AudioSource) -> None:
        due = sent = time.monotonic()
        while True:
            speaks = not self._line.empty()
            piece = self._line.get_nowait() if speaks else SILENCE
            await source.capture_frame(rtc.AudioFrame(piece, RATE, 1, FRAME_SAMPLES))
            before, sent = sent, time.monotonic()
            if speaks:
                self._held_up_s = max(self._held_up_s, sent - before - FRAME_S)
            due += FRAME_S
            await asyncio.sleep(due - time.monotonic())

    async def _hang_up(self) -> None:
        microphone, self._microphone = self._microphone, None
        self._line = asyncio.Queue()
        if microphone is not None:
            microphone.cancel()
            await asyncio.wait([microphone])
        if self._source is not None:
            await self._source.aclose()
            self._source = self._track = None

    # What the room says.

    async def until(self, true: Callable[[], object], timeout_s: float, what: str) -> None:
        """Wait until `true()`, and say what did not happen where it does not."""
        try:
            await until(true, within_s=timeout_s, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.diary}") from None

    async def agent_is_here(self, timeout_s: float = 60) -> None:
        await self.until(self._agent_listens, timeout_s, "an agent joined and listened")

    async def agent_is_heard(self, since: float, timeout_s: float = 20) -> float:
        """Wait for the agent's voice; returns the monotonic time of its first sound after `since`."""
        await self.until(lambda: any(at > since for at in self.diary.sounds), timeout_s, "the agent was heard")
        return next(at for at in self.diary.sounds if at > since)

    async def agent_is_silent(self, for_s: float = 0.5, timeout_s: float = 30) -> float:
        """Wait until the agent was silent for that long; returns the monotonic time of its last sound."""
        await self.until(
            lambda: not self.diary.sounds or time.monotonic() - self.diary.sounds[-1] > for_s,
            timeout_s,
            "the agent fell silent",
        )
        return self.diary.sounds[-1] if self.diary.sounds else -math.inf

    async def agent_is_gone(self, timeout_s: float = 30) -> None:
        await self.until(lambda: not self.room.remote_participants, timeout_s, "the agent left")

    def _agent_listens(self) -> bool:
        others = self.room.remote_participants.values()
        return any(other.attributes.get("lk.agent.state") == "listening" for other in others)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic != "cartesia_turns":
            return
        event, here = json.loads(packet.data), self.room.local_participant.identity
        if event.get("participant", here) == here:
            self.diary.turns.append(event)

    def _on_track(self, track: rtc.Track, _publication: object, _participant: object) -> None:
        if not self._pushes_to_talk:
            self._spawn(self._listen(track))

    def _on_text(self, reader: rtc.TextStreamReader, identity: str) -> None:
        agents = [other.identity for other in self.room.remote_participants.values() if other.kind == AGENT]
        if identity == self.room.local_participant.identity:
            self._spawn(self._read(reader, "user"))
        elif identity in agents:
            self._spawn(self._read(reader, "agent"))

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        try:
            async for event in stream:
                if loudness(bytes(event.frame.data)) >= LOUD:
                    self.diary.sounds.append(time.monotonic())
        finally:
            await stream.aclose()

    async def _read(self, reader: rtc.TextStreamReader, who: str) -> None:
        with contextlib.suppress(rtc.StreamError):
            text = await reader.read_all()
            # LiveKit ends a line that the guest before had begun as an empty one of this guest's.
            if text and (who == "agent" or (reader.info.attributes or {}).get("lk.transcription_final") == "true"):
                self.diary.finals.append((who, text))

    def _spawn(self, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
