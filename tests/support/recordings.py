"""Recordings for tests: of calls in simulated time, in memory, and of a client that a test drives itself."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any

from livekit.agents import LanguageCode, stt
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.pacing import Pace
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.recording.audio_file import AudioFile, flac
from livekit.plugins.cartesia_turns.recording.client import RecordedClient
from livekit.plugins.cartesia_turns.recording.files import CALL_FILE, Recording, recording_of
from livekit.plugins.cartesia_turns.recording.journal import Journal, Lines
from livekit.plugins.cartesia_turns.recording.letters import PUSHED
from livekit.plugins.cartesia_turns.recording.schema import SCHEMA, limits_to, options_to, stats_to
from livekit.plugins.cartesia_turns.wire.messages import Connected
from livekit.plugins.cartesia_turns.wire.options import Options

STARTED = 1_700_000_000.0
"""When each of them began, by the wall clock."""


class Tape:
    """Records one client in memory."""

    def __init__(self, *, transcripts: bool = True) -> None:
        self.journal = Journal()
        self.pace = Pace()
        """What is known of the endpoint."""
        self._transcripts = transcripts
        self._lines = Lines(transcripts=transcripts)
        self._client: RecordedClient | None = None
        self._clock: Callable[[], float] = float

    def client(self, options: Options, limits: Limits, clock: Callable[[], float]) -> TurnsClient:
        """The client that is recorded."""
        header: dict[str, Any] = {"schema": SCHEMA, "versions": {"python": "3"}, "started": STARTED}
        header |= {"options": options_to(options), "limits": limits_to(limits), "transcripts": self._transcripts}
        self.journal.note(clock(), header)
        self._clock = clock
        self._client = RecordedClient(options, limits, clock(), self.pace, journal=self.journal, clock=clock)
        return self._client

    def recording(self) -> Recording:
        """What was recorded, to its end."""
        lines, audio = self.content()
        return recording_of(lines, audio, Path("tape"))

    def content(self) -> tuple[list[str], bytes]:
        """The lines of the file, to the end of the call, and the audio."""
        assert self._client is not None
        self._client.note(self._clock(), {"end": True, "stats": stats_to(self._client.stats)})
        lines, audio = self._lines.of(self.journal.take())
        return lines.splitlines(), audio

    def write(self, folder: Path) -> None:
        """Writes what was recorded so far into the folder of a call."""
        lines, audio = self._lines.of(self.journal.take())
        folder.mkdir(parents=True)
        (folder / CALL_FILE).write_text(lines)
        file = AudioFile(folder, Options().sample_rate)
        file.write(audio)
        file.close()


def opened(tape: Tape) -> TurnsClient:
    """A client that is recorded and has a socket."""
    client = tape.client(Options(), Limits(), lambda: 1.0)
    client.link_opened(client.sockets.options, 1.0)
    client.receive(Connected("r"), 1.1)
    return client


def pump(client: TurnsClient, now: float) -> None:
    """Sends what may go out."""
    while (item := client.outgoing(now)) is not None:
        client.sent(item, now)


def told(client: TurnsClient, request_id: str, text: str, language: str, now: float) -> None:
    """The framework gets an interim transcript of a client that is recorded."""
    assert isinstance(client, RecordedClient)
    said = [stt.SpeechData(language=LanguageCode(language), text=text)]
    kind = stt.SpeechEventType.INTERIM_TRANSCRIPT
    client.late.append((now, stt.SpeechEvent(type=kind, request_id=request_id, alternatives=said)))


def written(folder: Path, pcm: bytes, turns: list[tuple[float, float]], *, rate: int = 16000) -> Path:
    """The folder of a call with this audio and these turns: when the speech of each began and ended, in seconds.

    Each turn is told half a second after its speech, with words. The call began at 100 s of the clock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = 2 * rate // 50
    pushed = [len(pcm[at : at + size]) for at in range(0, len(pcm), size)]
    times = [100 + 0.02 * (number + 1) for number in range(len(pushed))]
    header = {"at": 100.0, "schema": SCHEMA, "versions": {}, "started": STARTED}
    header |= {"options": options_to(Options(sample_rate=rate)), "limits": limits_to(Limits())}
    steps = {"steps": PUSHED * len(pushed), "times": b64encode(pack(f"<{len(times)}d", *times)).decode()}
    lines: list[dict[str, Any]] = [header, {"at": 100.0, **steps, "pushed": pushed}]
    for start, end in turns:
        began = {"event": "start", "transcript": "", "turn_id": "", "heard_at": 100 + start}
        over = {"event": "end", "transcript": "some words", "turn_id": "", "heard_at": 100 + end}
        lines += [{"at": 100 + start + 0.2, "events": [began]}, {"at": 100 + end + 0.5, "events": [over]}]
    lines.append({"at": 100 + len(pcm) / 2 / rate, "end": True, "stats": {}})
    (folder / "call.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    if pcm:
        (folder / "audio.flac").write_bytes(flac(pcm, rate))
    return folder
