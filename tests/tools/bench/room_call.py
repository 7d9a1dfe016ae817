"""What is said in the rooms of room_figures.py, and what the scripted server makes of it, at the same audio times."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livekit.plugins.cartesia_turns.server import Line, Script, say
from livekit.plugins.cartesia_turns.wire.messages import TurnEagerEnd, TurnEnd, TurnStart, TurnUpdate
from support import speech

UPDATE_EVERY_S, EAGER_END_S, END_S = 0.4, 0.34, 0.62
"""As the local server's recognizer has it: the time between updates, and from the end of speech."""


@dataclass(frozen=True)
class Utterance:
    """One sentence, and when its speech begins and ends in the audio."""

    text: str
    begin_s: float
    end_s: float

    def lines(self) -> Iterator[Line]:
        """The turn, its words coming as they are spoken."""
        yield say(self.begin_s + UPDATE_EVERY_S / 2, TurnStart(""))
        words = self.text.split()
        steps = int((self.end_s - self.begin_s) / UPDATE_EVERY_S)
        for step in range(1, steps):
            known = " ".join(words[: max(1, len(words) * step // steps)])
            yield say(self.begin_s + step * UPDATE_EVERY_S, TurnUpdate("", known))
        yield say(self.end_s + EAGER_END_S, TurnEagerEnd("", self.text))
        yield say(self.end_s + END_S, TurnEnd("", self.text))


class EndlessCall:
    """The recorded clips over and over.

    Args:
        length_s: in seconds; a turn that would not be over by then is left out of the script.
    """

    def __init__(self, length_s: float) -> None:
        self._audio = speech.call()
        audio_s = len(self._audio) / 2 / speech.RATE
        self._times = int(length_s / audio_s) + 1
        said = [utterance for number in range(self._times) for utterance in _utterances(number * audio_s)]
        self._said = [utterance for utterance in said if utterance.end_s + END_S < length_s]

    @property
    def texts(self) -> list[str]:
        """The final transcript of each turn."""
        return [utterance.text for utterance in self._said]

    def save(self, recording: Path, script: Path) -> None:
        """Writes the audio, as a WAV file, and the server's script."""
        with wave.open(str(recording), "wb") as file:
            file.setparams((1, 2, speech.RATE, 0, "NONE", ""))
            file.writeframes(self._audio * self._times)
        Script(line for utterance in self._said for line in utterance.lines()).save(script)


def _utterances(from_s: float) -> Iterator[Utterance]:
    begin_s = from_s + speech.LEAD_S
    for (name, text), end_s in zip(speech.clips().items(), speech.speech_ends_s(), strict=True):
        yield Utterance(text, begin_s, from_s + end_s)
        begin_s += len(speech.pcm(name)) / 2 / speech.RATE + speech.GAP_S
