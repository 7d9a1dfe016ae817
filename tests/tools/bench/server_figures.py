"""Measures the local server, as the documentation shows it: python tests/tools/bench/server_figures.py.

It runs one real-time stream of the five clips, then four at once, which takes a bit over a minute. Delays count from
the end of speech. In audio time they end with the audio that led to the message: this is the share of turn detection,
and the same on every machine. At the client they end with the audio that it had sent when the message came: this
includes the time of the recognizer, and the load of the machine.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp
import numpy as np
from livekit.plugins.cartesia_turns.server import ConnectionRecord, LocalServer
from livekit.plugins.cartesia_turns.wire.protocol import PATH
from support import speech
from support.rawclient import QUERY
from support.wer import word_error_rate_of_all
from tools.bench.progress import parser, working_on

STREAMS = {"one real-time stream": 1, "four real-time streams at once": 4}
FRAME_S = 0.02
FRAME_BYTES = round(FRAME_S * speech.RATE) * 2


@dataclass
class ScriptedCall:
    """One stream of the whole call at real time."""

    messages: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    lags_s: list[float] = field(default_factory=list)
    sent_s: float = 0.0
    record: ConnectionRecord | None = None

    async def run(self, server: LocalServer, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(server.url + PATH, params=QUERY, headers={"X-API-Key": server.key}) as socket:
            first = json.loads((await socket.receive()).data)
            record = next(item for item in server.connections if item.request_id == first["request_id"])
            self.record = record
            sending = asyncio.create_task(self.send(socket, record))
            async for frame in socket:
                self.messages.append((self.sent_s, json.loads(frame.data)))
            await sending

    async def send(self, socket: aiohttp.ClientWebSocketResponse[bool], record: ConnectionRecord) -> None:
        audio, loop = speech.call(), asyncio.get_running_loop()
        begun_s = loop.time()
        for start in range(0, len(audio), FRAME_BYTES):
            await asyncio.sleep(begun_s + self.sent_s - loop.time())
            await socket.send_bytes(audio[start : start + FRAME_BYTES])
            self.sent_s += FRAME_S
            self.lags_s.append(self.sent_s - record.audio_s)
        await socket.send_str('{"type": "close"}')

    def seen_s(self, kind: str) -> list[float]:
        return [sent_s for sent_s, message in self.messages if message["type"] == kind]

    def heard_s(self, kind: str) -> list[float]:
        messages = self.record.messages if self.record is not None else []
        return [at_s for at_s, frame in messages if json.loads(frame)["type"] == kind]

    def texts(self) -> list[str]:
        return [message["transcript"] for _, message in self.messages if message["type"] == "turn.end"]

    def update_gaps_s(self) -> list[float]:
        """Between one look at the text and the next while the user speaks."""
        gaps: list[float] = []
        last_s = None
        for sent_s, message in self.messages:
            if last_s is not None and message["type"] in ("turn.update", "turn.eager_end"):
                gaps.append(sent_s - last_s)
            last_s = sent_s if message["type"] in ("turn.start", "turn.update", "turn.resume") else None
        return gaps


def show(name: str, calls: list[ScriptedCall]) -> None:
    said = speech.SPOKEN
    errors = [word_error_rate_of_all(said, call.texts()) for call in calls]
    print(f"\n{name}")
    print(f"  word error rate           {max(errors):.3f} (worst stream)")
    print(f"  turns                     {', '.join(str(len(call.texts())) for call in calls)}")
    for kind in ("turn.eager_end", "turn.end"):
        print(f"  {kind:15} audio time {spread([delay for call in calls for delay in delays_s(call.heard_s(kind))])}")
        print(f"  {kind:15} as seen    {spread([delay for call in calls for delay in delays_s(call.seen_s(kind))])}")
    print(f"  between updates           {spread([gap for call in calls for gap in call.update_gaps_s()])}")
    print(f"  behind real time          {spread([lag for call in calls for lag in call.lags_s])}")
    print(f"  behind at the end         {max(call.lags_s[-1] for call in calls):.2f} s")


def delays_s(times_s: list[float]) -> list[float]:
    """From each end of speech to the next of these times before the speech after it."""
    ends = speech.speech_ends_s()
    spans = zip(ends, [*ends[1:], float("inf")], strict=True)
    found = ([at_s - end for at_s in times_s if end - 0.5 < at_s < following] for end, following in spans)
    return [delays[0] for delays in found if delays]


def spread(values: list[float]) -> str:
    return f"median {np.median(values):.2f} s, 90 % {np.quantile(values, 0.9):.2f} s, most {max(values):.2f} s"


async def main() -> None:
    async with LocalServer(record=True) as server, aiohttp.ClientSession() as session:
        for number, (name, count) in enumerate(STREAMS.items()):
            working_on(f"{name}, half a minute", number, len(STREAMS))
            calls = [ScriptedCall() for _ in range(count)]
            used_s = time.process_time()
            await asyncio.gather(*(call.run(server, session) for call in calls))
            used_s = time.process_time() - used_s
            show(name, calls)
            print(f"  processor time            {used_s / calls[0].sent_s:.2f} s for each second, clients included")
            for text in calls[0].texts():
                print(f"    {text}")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    asyncio.run(main())
