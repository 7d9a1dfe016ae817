import math

import numpy as np
import pytest
from livekit import rtc
from livekit.plugins.cartesia_turns.audio import PcmConverter
from livekit.plugins.cartesia_turns.server.recognition.pcm import RATE, WINDOW, PcmReader, Samples
from livekit.plugins.cartesia_turns.testing import noise, say, silence
from livekit.plugins.cartesia_turns.testing.speech import MOST_WORDS, SHORTEST_WORD_S, Say, Voice, quiet, read


def windows(pcm: bytes) -> list[Samples]:
    return list(PcmReader("pcm_s16le", RATE).push(pcm + quiet(0.1)))


def numbers(pcm: bytes) -> list[int]:
    """The words in the audio, each once where it goes on from window to window."""
    found = [number for window in windows(pcm) for number in read(window)[0]]
    return [number for at, number in enumerate(found) if not at or found[at - 1] != number]


def test_what_is_said_is_words_and_the_silence_after_them() -> None:
    assert say(" what  time\n", pause=0.4) == Say(("what", "time"), 0.4, 0.3)
    assert say("what").pause is None
    assert silence(1.5) == Say((), 1.5)
    assert noise(0.5) == Say((), None, noise_s=0.5)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at least one word"):
        say(text)


@pytest.mark.parametrize("seconds", [-0.1, 60.1, math.nan, math.inf])
def test_a_pause_that_can_not_be_right_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        say("what", pause=seconds)
    with pytest.raises(ValueError, match="out of range"):
        silence(seconds)
    with pytest.raises(ValueError, match="out of range"):
        noise(1.0, pause=seconds)
    with pytest.raises(ValueError, match="out of range"):
        noise(seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.19, -1.0, math.nan, math.inf])
def test_a_word_of_no_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="word_s"):
        say("what", word_s=seconds)


@pytest.mark.parametrize("word_s", [SHORTEST_WORD_S, 0.2345678, 0.3, 2.0])
@pytest.mark.parametrize("lead_samples", [0, 1, 3, 100, 511])
def test_each_word_can_be_read_wherever_it_lies(word_s: float, lead_samples: int) -> None:
    voice = Voice()
    spoken = b"".join(voice.speak(word, word_s) for word in ["no", "no", "no", "yes"])
    assert numbers(bytes(2 * lead_samples) + spoken) == [0, 1, 2, 3]
    assert [voice.word(number) for number in range(4)] == ["no", "no", "no", "yes"]


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_words_survive_another_sample_rate_on_their_way(rate: int) -> None:
    voice = Voice()
    for _ in range(MOST_WORDS - 3):
        voice.speak("before", 0.1)
    spoken = b"".join(voice.speak(word, SHORTEST_WORD_S) for word in ["one", "two", "three"]) + quiet(0.2)
    there = PcmConverter(rate, None)
    pcm = b"".join([*there.push(rtc.AudioFrame(spoken, RATE, 1, len(spoken) // 2)), *there.flush()])
    read_back = [number for window in PcmReader("pcm_s16le", rate).push(pcm) for number in read(window)[0]]
    assert list(dict.fromkeys(read_back)) == [MOST_WORDS - 3, MOST_WORDS - 2, MOST_WORDS - 1]


def test_a_window_tells_how_much_of_it_is_speech_and_whether_it_ends_in_it() -> None:
    half = Voice().speak("what", 0.1)[:WINDOW]
    before, after = (windows(pcm)[0] for pcm in (half + bytes(WINDOW), bytes(WINDOW) + half))
    assert read(before) == ([0], 0.5, False)
    assert read(after) == ([0], 0.5, True)
    assert read(np.zeros(WINDOW, np.float32)) == ([], 0.0, False)


def test_audio_of_somebody_else_has_no_words() -> None:
    voice = Voice()
    voice.speak("what", 0.1)
    assert voice.word(1) == ""


def test_one_word_too_many_is_refused() -> None:
    voice = Voice()
    for _ in range(MOST_WORDS):
        voice.speak("no", 0.1)
    with pytest.raises(ValueError, match=f"{MOST_WORDS} words"):
        voice.speak("no", 0.1)


def test_a_noise_is_speech_without_a_word() -> None:
    (pcm,) = Voice().sound(noise(0.5))
    assert numbers(pcm) == [MOST_WORDS]
    assert Voice().word(MOST_WORDS) == ""
