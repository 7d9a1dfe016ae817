"""The server's ear for a `Voice`: it reads the words in the audio, and makes turns of them as the real server does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator

from ..server.connection import Frame
from ..server.dialogue import Dialogue, TurnLikelihood, TurnState
from ..server.handshake import StreamRequest
from ..server.recognition.pcm import WINDOW_S, PcmReader, Samples
from ..server.script import Line, Script
from ..wire.messages import DetectedLanguage, TurnEnd, TurnMessage, TurnSettings
from ..wire.protocol import serialize
from .speech import Say, Voice, quiet, read

ENGLISH = (DetectedLanguage("en", 1.0),)
FORGOTTEN_S = 0.6
"""Words that have not started a turn are dropped after so much silence."""
LONGEST_TURN_END_S = 12.0
"""The longest silence that a script waits for the end of a turn."""


class Ear:
    """Makes turns of what a voice says. Pure: time is that of the audio.

    The turn's text grows with each word that is over. Where a turn starts and ends depends on the settings of the
    connection, as with the vendor's server: start, eager end, end and timeout, also those of a `config`.
    """

    def __init__(
        self, voice: Voice, settings: TurnSettings, request_id: str = "", languages: tuple[DetectedLanguage, ...] = ()
    ) -> None:
        self._voice = voice
        self._likelihood = TurnLikelihood()
        self._dialogue = Dialogue(settings, request_id, languages)
        self._numbers: list[int] = []
        self._told = 0
        self._quiet_s = 0.0

    @property
    def in_turn(self) -> bool:
        """Whether a turn is open."""
        return self._dialogue.state is not TurnState.IDLE

    def configure(self, turn: TurnSettings) -> None:
        """Changes turn detection from here on.

        Raises:
            ValueError: the settings don't fit those in force.
        """
        self._dialogue.configure(turn)

    def hear(self, window: Samples) -> list[TurnMessage]:
        """Takes the next 32 ms of audio; returns the messages it leads to."""
        numbers, speech, goes_on = read(window)
        for number in numbers:
            if not self._numbers or self._numbers[-1] != number:
                self._numbers.append(number)
        likelihood = self._likelihood.step(speech, WINDOW_S)
        self._forget_old(speech)
        whole = self._dialogue.needs_whole_text(likelihood, WINDOW_S)
        messages = self._dialogue.step(likelihood, WINDOW_S, self._text(whole or not goes_on))
        if any(isinstance(message, TurnEnd) for message in messages):
            self._numbers, self._told = [], 0
        return messages

    def close(self) -> list[TurnMessage]:
        """Ends the open turn."""
        return self._dialogue.close(self._text(True))

    def _text(self, whole: bool) -> str | None:
        """The words that are over, or all; None where that is no more than was told, or no turn is open."""
        count = len(self._numbers) - (not whole)
        if not self.in_turn or count <= self._told:
            return None
        self._told = count
        return " ".join(filter(None, map(self._voice.word, self._numbers[:count])))

    def _forget_old(self, speech: float) -> None:
        self._quiet_s = 0.0 if speech else self._quiet_s + WINDOW_S
        if self._quiet_s > FORGOTTEN_S and not self.in_turn:
            self._numbers = []


class Listener:
    """Hears one connection with an ear for this voice."""

    def __init__(self, voice: Voice, stream: StreamRequest) -> None:
        self._pcm = PcmReader(stream.encoding, stream.sample_rate)
        self._ear = Ear(voice, stream.turn, stream.request_id, ENGLISH if stream.tells_languages else ())

    async def hear(self, pcm: bytes) -> AsyncIterator[Frame]:
        """Takes the next audio; yields the messages it leads to."""
        for frame in self._frames(self._pcm.push(pcm)):
            yield frame

    def configure(self, turn: TurnSettings) -> None:
        """Changes turn detection.

        Raises:
            ValueError: the settings don't fit those in force.
        """
        self._ear.configure(turn)

    async def finish(self) -> AsyncIterator[Frame]:
        """Yields what is left, and ends the open turn."""
        for frame in self._frames(self._pcm.flush()):
            yield frame
        for message in self._ear.close():
            yield serialize(message)

    def close(self) -> None:
        """Holds nothing."""

    def _frames(self, windows: Iterable[Samples]) -> Iterator[Frame]:
        for window in windows:
            for message in self._ear.hear(window):
                yield serialize(message)


def script(*lines: Say) -> Script:
    """The messages of a server that hears this, each at its second of audio, for `LocalServer(script=...)`.

    For an agent that is not in the test's process, or whose audio is not the test's: whatever audio it sends, the
    server says this. `Script.save` writes it to a file that the server's `--script` reads.

    Args:
        lines: what the caller says; see `say` and `silence`.
    """
    voice = Voice()
    ear, reader = Ear(voice, TurnSettings()), PcmReader("pcm_s16le", 16000)
    heard: list[tuple[float, TurnMessage]] = []
    at_s = 0.0
    for pcm in _audio(voice, ear, lines):
        for window in reader.push(pcm):
            at_s += WINDOW_S
            heard += [(at_s, message) for message in ear.hear(window)]
    heard += [(at_s, message) for message in ear.close()]
    return Script(_line(second, message) for second, message in heard)


def _line(at_s: float, message: TurnMessage) -> Line:
    """The server adds its own names for the socket and the turn."""
    fields = json.loads(serialize(message))
    return Line(round(at_s, 3), {name: value for name, value in fields.items() if not name.endswith("_id")})


def _audio(voice: Voice, ear: Ear, lines: Iterable[Say]) -> Iterator[bytes]:
    for each in lines:
        yield from voice.sound(each)
        yield quiet(each.pause or 0.0)
        left_s = LONGEST_TURN_END_S if each.pause is None else 0.0
        while left_s > 0 and ear.in_turn:
            left_s -= WINDOW_S
            yield quiet(WINDOW_S)
