"""A server without a socket: audio whose samples name the word they belong to becomes the turns of the real dialogue.

The lowest bits of each sample of a word hold the word's number, so that a word that is cut, repeated or out of order is
seen as such, whatever noise the other bits carry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from livekit.plugins.cartesia_turns.server.dialogue import Dialogue, TurnLikelihood, TurnState
from livekit.plugins.cartesia_turns.wire.messages import Close, Config, ServerMessage, TurnEnd, TurnSettings, TurnStart

RATE = 8000
FRAME_S = 0.02
FRAME_SAMPLES = round(RATE * FRAME_S)
CODES = 256
"""A sample is a multiple of this, the sound, and a code: 0 where nobody speaks, else the number of the word and 1."""
LOUD = 24 * CODES
"""The level of a word, about -15 dBFS."""
SOFTER = 12
"""By this factor a voice may be softer and is still a multiple of CODES."""
_VOICE = np.where(np.arange(FRAME_SAMPLES) // 8 % 2, -LOUD, LOUD)
"""A square wave of 500 Hz."""


@dataclass(frozen=True)
class Noise:
    """What is heard beside the words.

    Args:
        dbfs: level of white noise, in dB below full scale; -inf for none.
        behind_s: for how long it is heard behind each word; with inf it is everywhere, under the words too.
        dc: a constant offset, in parts of full scale.
        hum_dbfs: level of mains hum of 50 Hz.
        seed: of the noise.
    """

    dbfs: float = -math.inf
    behind_s: float = math.inf
    dc: float = 0.0
    hum_dbfs: float = -math.inf
    seed: int = 0

    def frames(self, words: Sequence[bool]) -> npt.NDArray[np.int16]:
        """A row of samples, all multiples of CODES, for each frame; `words` says in which of them somebody speaks."""
        shape = (len(words), FRAME_SAMPLES)
        white = np.random.default_rng(self.seed).normal(0, 32768 * 10 ** (self.dbfs / 20), shape)
        if self.behind_s != math.inf:
            white *= self._behind(words)[:, None]
        time_s = np.arange(white.size).reshape(shape) / RATE
        hum = 32768 * math.sqrt(2) * 10 ** (self.hum_dbfs / 20) * np.sin(2 * np.pi * 50 * time_s)
        sound: npt.NDArray[np.int16] = (np.round((white + hum + self.dc * 32768) / CODES) * CODES).astype(np.int16)
        return sound

    def _behind(self, words: Sequence[bool]) -> npt.NDArray[np.bool_]:
        behind = round(self.behind_s / FRAME_S)
        return np.array([not word and any(words[max(0, at - behind) : at]) for at, word in enumerate(words)])


@dataclass(frozen=True)
class Speech:
    """Words and the pauses before them, counted in frames, in the order in which they are spoken."""

    pauses: tuple[int, ...]
    lengths: tuple[int, ...]
    tail: int = 60
    """Silence at the end."""
    noise: Noise = field(default_factory=Noise)
    soft: int = 0
    """So many frames at the beginning of each word are 22 dB softer."""

    @property
    def frames(self) -> list[bytes]:
        """The audio."""
        pairs = enumerate(zip(self.pauses, self.lengths, strict=True))
        codes = [code for n, (pause, length) in pairs for code in (*[0] * pause, *[n + 1] * length)]
        codes += [0] * self.tail
        words = [code > 0 for code in codes]
        sound = self.noise.frames(words)
        return [
            (row + code + self._voice(codes, at)).astype("<i2").tobytes()
            for at, (row, code) in enumerate(zip(sound, codes, strict=True))
        ]

    def _voice(self, codes: Sequence[int], at: int) -> npt.NDArray[np.int64]:
        if not codes[at]:
            return _VOICE * 0
        is_soft = codes[at] != codes[at - self.soft] if at >= self.soft else True
        return _VOICE // SOFTER if is_soft else _VOICE

    @property
    def seconds(self) -> float:
        """How long it takes to say it."""
        return (sum(self.pauses) + sum(self.lengths) + self.tail) * FRAME_S

    @property
    def samples(self) -> list[int]:
        """The length of each word."""
        return [length * FRAME_SAMPLES for length in self.lengths]

    @property
    def text(self) -> str:
        """What a perfect recognizer makes of it."""
        return " ".join(f"w{number}" for number in range(len(self.lengths)))


class SimulatedServer:
    """One socket's server: hears all at once and recognizes perfectly what was spoken whole.

    Args:
        samples: the length of each word.
        delay_frames: how much later than spoken a word stands in an update; turn.eager_end and turn.end have it all.
        name: the request id.
    """

    def __init__(self, samples: list[int], delay_frames: int = 0, name: str = "r") -> None:
        self._lengths = samples
        self._delay_frames = delay_frames
        self._dialogue = Dialogue(TurnSettings(), name)
        self._likelihood = TurnLikelihood()
        self._pending: npt.NDArray[np.int16] = np.zeros(0, np.int16)
        self._number = 0
        self._samples = 0
        self._heard: list[tuple[int, str]] = []
        self._frames = 0
        self._said = 0

    @property
    def in_turn(self) -> bool:
        """A turn is open."""
        return self._dialogue.state is not TurnState.IDLE

    def hear(self, pcm: bytes) -> list[ServerMessage]:
        """Takes audio of any length."""
        self._pending = np.concatenate([self._pending, np.frombuffer(pcm, "<i2")])
        messages: list[ServerMessage] = []
        while self._pending.size >= FRAME_SAMPLES:
            frame, self._pending = self._pending[:FRAME_SAMPLES], self._pending[FRAME_SAMPLES:]
            messages += self._step(frame)
        return messages

    def command(self, message: Close | Config) -> list[ServerMessage]:
        """Takes a text frame."""
        if isinstance(message, Config):
            self._dialogue.configure(message.turn)
            return []
        self._finish_word()
        return [*self._dialogue.close(" ".join(self._words(0)))]

    def _step(self, frame: npt.NDArray[np.int16]) -> list[ServerMessage]:
        self._frames += 1
        self._listen(frame)
        likelihood = self._likelihood.step(float(np.mean(frame & (CODES - 1) != 0)), FRAME_S)
        whole = self._dialogue.needs_whole_text(likelihood, FRAME_S)
        words = self._words(0 if whole else self._delay_frames)
        is_news = len(words) > self._said
        messages = self._dialogue.step(likelihood, FRAME_S, " ".join(words) if is_news else None)
        if messages and is_news:
            self._said = len(words)
        if any(isinstance(message, TurnStart) for message in messages):
            self._said = 0
        if any(isinstance(message, TurnEnd) for message in messages):
            self._heard, self._said = [], 0
        return [*messages]

    def _listen(self, frame: npt.NDArray[np.int16]) -> None:
        codes = frame & (CODES - 1)
        for run in np.split(codes, np.flatnonzero(np.diff(codes)) + 1):
            number = int(run[0])
            if number != self._number:
                self._finish_word()
                self._number = number
            if number:
                self._samples += run.size
                if self._samples >= self._lengths[number - 1]:
                    self._finish_word()

    def _finish_word(self) -> None:
        """Notes the word that is over; one that was not heard whole is a fragment, one that is too long a stutter."""
        if self._number and self._samples:
            whole = self._samples == self._lengths[self._number - 1]
            self._heard.append((self._frames, f"{'w' if whole else '~'}{self._number - 1}"))
        self._samples = 0

    def _words(self, delay_frames: int) -> list[str]:
        return [word for at, word in self._heard if at <= self._frames - delay_frames]
