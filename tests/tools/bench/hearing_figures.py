"""Measures how well the recorded sentences are recognized in mid-call: python tests/tools/bench/hearing_figures.py.

The calls run in audio time, so the figures do not depend on the machine's speed. They vary the start, and the delays of
the recognizer (short, long and uneven), and add nothing, white noise or a constant offset. It takes some minutes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from livekit.plugins.cartesia_turns.server.recognition.recognizer import Recognizer, packaged_recognizer
from support import speech
from support.hearing import Heard, hear, steady, uneven, worsened
from support.wer import word_error_rate_of_all
from tools.bench.progress import parser, working_on

STARTS_S = (0.0, 0.107, 0.213, 0.331)
LAGS = (steady(0.03), steady(0.1, 0.1), uneven(1))
SOUNDS = {
    "as recorded": (None, 0.0),
    "noise -50 dBFS": (-50, 0.0),
    "noise -42 dBFS": (-42, 0.0),
    "offset": (None, 0.03),
}


def whole(recognizer: Recognizer, noise_dbfs: float | None, offset: float) -> list[str]:
    clips = (worsened(speech.pcm(name), noise_dbfs=noise_dbfs, offset=offset) for name in speech.clips())
    return [recognizer.transcriber(np.asarray(np.frombuffer(clip, "<i2") / 32768, np.float32)) for clip in clips]


async def streamed(recognizer: Recognizer, noise_dbfs: float | None, offset: float) -> list[Heard]:
    calls = [
        worsened(speech.silence(start_s) + speech.call(), noise_dbfs=noise_dbfs, offset=offset) for start_s in STARTS_S
    ]
    return [await hear(recognizer, call, lag) for call in calls for lag in LAGS]


async def main() -> None:
    recognizer, said = packaged_recognizer(), speech.SPOKEN
    for number, (name, (noise_dbfs, offset)) in enumerate(SOUNDS.items()):
        working_on(name, number, len(SOUNDS))
        at_once = word_error_rate_of_all(said, whole(recognizer, noise_dbfs, offset))
        calls = await streamed(recognizer, noise_dbfs, offset)
        errors = [word_error_rate_of_all(said, call.finals()) for call in calls]
        gaps_s = [gap_s for call in calls for gap_s in call.update_gaps_s()]
        print(
            f"{name:15} word error rate: whole {at_once:.3f}, streamed {np.mean(errors):.3f} (worst {max(errors):.3f})"
        )
        print(f"{'':15} between updates: median {np.median(gaps_s):.2f} s, most {max(gaps_s):.2f} s")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    asyncio.run(main())
