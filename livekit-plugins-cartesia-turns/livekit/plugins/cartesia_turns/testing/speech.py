"""What the caller says, in words and seconds, and how that sounds: speech from which each word can be read again. Pure.

No recognizer is needed for it. A word is a tone of 2 kHz that swells and fades like a syllable, on a constant offset
that tells the word's number; the `Ear` of the server reads the number. So what is heard follows from the audio alone:
it does not depend on the machine, and audio that is sent again after a lost connection is heard again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..server.recognition.pcm import RATE, Samples

LONGEST_PAUSE_S = 60.0
SHORTEST_WORD_S = 0.2
"""A shorter word by itself would start no turn at the server's default settings: it is taken for a click."""
MOST_WORDS = 1000
"""How many words one voice can tell apart."""

_PERIOD = 8
"""Samples of one wave of the tone. The mean over them is the offset."""
_SILENCE, _FIRST, _STEP = 512, 1024, 24
"""Offsets as 16-bit samples: below the first is silence, the second is word 0, the third lies between two words."""
_LOUDEST = 2500
"""The loudest amplitude of the tone. As it swells it moves the mean, by an eighth of a step for the shortest word."""
_LEAST_BLOCKS = 10
"""So many waves with the same offset are a word. Where one word meets the next, the offset may be anything."""


@dataclass(frozen=True, slots=True)
class Say:
    """Words and the silence after them, as returned by `say`, `noise` and `silence`.

    Attributes:
        words: the words.
        pause: seconds of silence after them; None means silence until the turn has ended.
        word_s: the length of each word in seconds.
        noise_s: seconds of noise instead of words.
    """

    words: tuple[str, ...]
    pause: float | None = None
    word_s: float = 0.3
    noise_s: float = 0.0

    def __str__(self) -> str:
        what = [f"makes a noise for {self.noise_s:.2f} s"] if self.noise_s else []
        what += [f'says "{" ".join(self.words)}"'] if self.words else []
        what += [f"is silent for {self.pause:.2f} s"] if self.pause is not None else []
        return "the user " + ", then ".join(what)


def say(text: str, *, pause: float | None = None, word_s: float = 0.3) -> Say:
    """The caller says this.

        say("what time", pause=0.4), say("is it")

    is one turn with a pause: with the server's default settings 0.21 s of silence cause an eager end, and 0.51 s end
    the turn.

    Args:
        text: words, separated by white space.
        pause: seconds of silence after the words, 0 to 60. By default the caller is silent until the turn has ended.
        word_s: the length of each word in seconds, at least 0.2.

    Raises:
        ValueError: there is no word in the text, or a number is out of range.
    """
    words = tuple(text.split())
    if not words:
        raise ValueError("say() needs at least one word: silence(seconds) is for silence")
    if not SHORTEST_WORD_S <= word_s < math.inf:
        raise ValueError(f"word_s={word_s} is out of range: it must be {SHORTEST_WORD_S} seconds or more")
    _check_pause(pause)
    return Say(words, pause, word_s)


def noise(seconds: float, *, pause: float | None = None) -> Say:
    """The caller makes a noise, such as a cough, which the server detects as speech without words.

    Args:
        seconds: its length, 0.2 to 60.
        pause: as for `say`.

    Raises:
        ValueError: a number is out of range.
    """
    if not SHORTEST_WORD_S <= seconds <= LONGEST_PAUSE_S:
        limits = f"{SHORTEST_WORD_S} to {LONGEST_PAUSE_S:g} seconds"
        raise ValueError(f"noise({seconds}) is out of range: it must be {limits}")
    _check_pause(pause)
    return Say((), pause, noise_s=seconds)


def silence(seconds: float) -> Say:
    """The caller is silent for so many seconds, 0 to 60.

    Raises:
        ValueError: it is out of range.
    """
    if not 0 <= seconds <= LONGEST_PAUSE_S:
        raise ValueError(f"silence({seconds}) is out of range: it must be 0 to {LONGEST_PAUSE_S:g} seconds")
    return Say((), seconds)


def _check_pause(pause: float | None) -> None:
    if pause is not None and not 0 <= pause <= LONGEST_PAUSE_S:
        raise ValueError(f"pause={pause} is out of range: it must be 0 to {LONGEST_PAUSE_S:g} seconds")


class Voice:
    """Speaks words so that each can be read from the audio again."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def speak(self, word: str, duration_s: float) -> bytes:
        """The word as audio: 16 kHz, 16-bit, mono.

        Raises:
            ValueError: so many words as it can tell apart have been said.
        """
        if len(self._words) == MOST_WORDS:
            raise ValueError(f"{MOST_WORDS} words have been said: a new server takes as many again")
        self._words.append(word)
        return _tone(len(self._words) - 1, duration_s)

    def sound(self, line: Say) -> Iterator[bytes]:
        """The audio of a line without the silence after it, word by word."""
        if line.noise_s:
            yield _tone(MOST_WORDS, line.noise_s)
        yield from (self.speak(word, line.word_s) for word in line.words)

    def word(self, number: int) -> str:
        """The word of this number. An empty text if there is none, since the audio is not of this voice."""
        return self._words[number] if number < len(self._words) else ""


def _tone(number: int, duration_s: float) -> bytes:
    at = np.arange(round(duration_s * RATE))
    loudness = _LOUDEST * np.sin(np.pi * (at + 0.5) / len(at))
    samples = _FIRST + _STEP * number + loudness * np.sin(2 * np.pi * at / _PERIOD)
    return bytes(samples.astype("<i2").tobytes())


def read(window: Samples) -> tuple[list[int], float, bool]:
    """Reads a window of audio.

    Returns:
        The numbers of the words in it, in order; which part of it (0-1) is speech; and whether it ends in speech.
    """
    offsets = window.reshape(-1, _PERIOD).mean(axis=1) * 32768
    spoken = offsets > _SILENCE
    numbers = np.rint((offsets - _FIRST) / _STEP).astype(int)
    ends = [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    runs = zip([0, *ends], ends, strict=False)
    words = [int(numbers[start]) for start, end in runs if end - start >= _LEAST_BLOCKS and spoken[start]]
    return words, float(spoken.mean()), bool(spoken[-1])


def quiet(seconds: float) -> bytes:
    """Digital silence: 16 kHz, 16-bit, mono."""
    return bytes(2 * round(seconds * RATE))
