"""Voice is told from noise by its energy, and its times are right in any room, whatever the pieces of the audio."""

from __future__ import annotations

import math

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.core.speech import LONGEST_GAP_S, Activity
from numpy.typing import NDArray
from support import speech
from support.noise import FRAME_S, ROOMS, Room, amplitude, push

RATE = 16000
BEGAN_AT = 100.0
"""When the audio of a test begins, on the clock of the test."""
LEAD_S, REST_S = 1.0, 0.6
"""What is in a room before and behind the words: a turn.end comes no sooner than that."""
ALL, FIRST, LAST = slice(None), slice(round(1.2 * RATE)), slice(-RATE, None)
"""Parts of a recording."""
PIECES_S = (0.01, 0.02, 0.05, 0.16)
"""The pieces in which audio is pushed."""


def play(activity: Activity, samples: NDArray[np.int16], *, rate: int = RATE, piece_s: float = FRAME_S) -> float:
    """Pushes audio in pieces in real time; returns the time behind it."""
    size = round(rate * piece_s)
    for start in range(0, samples.size, size):
        piece = samples[start : start + size]
        activity.push(piece.tobytes(), piece.size / rate, BEGAN_AT + (start + piece.size) / rate)
    return BEGAN_AT + samples.size / rate


def at_rate(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Audio of 16 kHz at another rate."""
    spectrum = np.fft.rfft(samples)
    size = round(samples.size * rate / RATE)
    bins = np.zeros(size // 2 + 1, complex)
    count = min(bins.size, spectrum.size)
    bins[:count] = spectrum[:count]
    return np.clip(np.fft.irfft(bins, size) * rate / RATE, -32768, 32767).astype("<i2")


def words(name: str, part: slice = ALL) -> NDArray[np.int16]:
    """A recording of 16 kHz, or a part of it."""
    return np.frombuffer(speech.pcm(name), "<i2")[part]


def bounds_s(
    clean: NDArray[np.int16], room: Room, rate: int = RATE, *, part: float = 0.25, above_db: float = 5.0
) -> tuple[float, float]:
    """Where the speech of a clean recording begins and ends, in seconds.

    With the first and the last 20 ms at a part of its loudness and so much above the noise of the room.
    """
    size = round(rate * FRAME_S)
    frames = clean[: clean.size // size * size].reshape(-1, size).astype(float)
    loudness = np.sqrt((frames**2).mean(axis=1))
    drowned = 0.0 if room.white_dbfs is None else amplitude(room.white_dbfs - room.gain_db + above_db)
    loud = np.flatnonzero(loudness > max(part * np.sqrt((frames**2).mean()), drowned))
    return float(loud[0]) * FRAME_S, float(loud[-1] + 1) * FRAME_S


def check_end(ended_s: float, clean: NDArray[np.int16], room: Room, rate: int = RATE, *, about: object = None) -> None:
    """Speech dies away: it ends somewhere between a quarter and a sixth of its loudness, or where noise drowns it."""
    first = bounds_s(clean, room, rate)[1]
    last = bounds_s(clean, room, rate, part=1 / 6, above_db=0.0)[1]
    assert first - 0.15 <= ended_s <= last + 0.15, about


def padded(samples: NDArray[np.int16], lead_s: float = LEAD_S, rest_s: float = REST_S) -> NDArray[np.int16]:
    return np.pad(samples, (round(lead_s * RATE), round(rest_s * RATE)))


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_in_any_room_speech_ends_where_it_ends(room: Room, rate: int) -> None:
    for number, name in enumerate(speech.clips()):
        for part in (ALL, FIRST, LAST):
            clean = words(name, part)
            heard = room.around(at_rate(padded(clean), rate), rate, seed=number)
            for piece_s in PIECES_S:
                activity = Activity()
                now = play(activity, heard, rate=rate, piece_s=piece_s)
                ended_at = activity.voice_ended(now, within_s=now - BEGAN_AT)
                assert ended_at
                ended_s = ended_at - BEGAN_AT - LEAD_S
                check_end(ended_s, at_rate(clean, rate), room, rate, about=(name, part, piece_s))


@pytest.mark.parametrize("rest_s", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("dbfs", [-45.0, -35.0])
def test_noise_that_comes_with_the_words_and_stays_is_no_speech(dbfs: float, rest_s: float) -> None:
    room = Room("", white_dbfs=dbfs)
    for name in speech.clips():
        clean = words(name, FIRST)
        heard = padded(room.around(padded(clean, 0.0, rest_s), RATE), 0.5, 0.0)
        activity = Activity()
        now = play(activity, heard)
        ended_at = activity.voice_ended(now, within_s=now - BEGAN_AT)
        assert ended_at
        check_end(ended_at - BEGAN_AT - 0.5, clean, room, about=name)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_in_any_room_speech_begins_where_it_begins(room: Room) -> None:
    for lead_s in (0.5, 2.5):
        for name in speech.clips():
            clean = words(name)
            begins_s = lead_s + bounds_s(clean, room)[0]
            heard = room.around(padded(clean, lead_s)[: round((begins_s + 0.4) * RATE)], RATE)
            activity = Activity()
            now = play(activity, heard)
            assert activity.voice_began(now, within_s=3) == pytest.approx(BEGAN_AT + begins_s, abs=0.3), (name, lead_s)


def test_a_click_behind_the_words_is_no_speech() -> None:
    clean, room = words("sense-0880.wav", FIRST), Room("", white_dbfs=-60)
    heard = room.around(padded(clean), RATE)
    heard[-RATE // 5 : -RATE // 5 + 40] = 20000
    activity = Activity()
    now = play(activity, heard)
    ended_s = LEAD_S + bounds_s(clean, room)[1]
    assert activity.voice_ended(now, within_s=9) == pytest.approx(BEGAN_AT + ended_s, abs=0.15)


def test_audio_that_comes_late_and_at_once_was_spoken_before() -> None:
    heard = Room("", white_dbfs=-60).around(padded(words("sense-0880.wav", FIRST), rest_s=1.0), RATE)
    in_time, late = Activity(), Activity()
    now = play(in_time, heard)
    held_s = 1.5
    for start in range(0, heard.size, 320):
        piece_at = BEGAN_AT + (start + 320) / RATE
        late.push(heard[start : start + 320].tobytes(), FRAME_S, piece_at if piece_at < now - held_s else now)
    assert late.voice_ended(now, within_s=9) == pytest.approx(in_time.voice_ended(now, within_s=9))


def test_the_start_and_the_end_of_a_stretch_of_voice_are_known() -> None:
    activity = Activity()
    now = push(activity, -70, 1.0, 100.0)
    now = push(activity, -25, 1.5, now)
    now = push(activity, -70, 0.5, now)
    assert activity.voice_began(now, within_s=9) == pytest.approx(101.0)
    assert activity.voice_ended(now, within_s=9) == pytest.approx(102.5)
    assert activity.quiet_s == pytest.approx(0.5)


@pytest.mark.parametrize(("gap_s", "began"), [(LONGEST_GAP_S - 0.1, 100.0), (LONGEST_GAP_S + 0.1, 101.7)])
def test_a_pause_parts_two_stretches_only_where_it_is_long(gap_s: float, began: float) -> None:
    activity = Activity()
    now = push(activity, -25, 1.0, 100.0)
    now = push(activity, -70, gap_s, now)
    now = push(activity, -25, 1.0, now)
    assert activity.voice_began(now, within_s=9) == pytest.approx(began)


def test_voice_of_long_ago_is_not_told() -> None:
    activity = Activity()
    now = push(activity, -25, 1.0, 100.0)
    assert activity.voice_ended(now + 3, within_s=2.9) is None
    assert activity.voice_began(now, within_s=0.5) is None
    assert Activity().voice_ended(0.0, within_s=9) is None
    assert Activity().voice_began(0.0, within_s=9) is None


def test_a_noise_that_stays_becomes_the_floor_within_seconds_and_speech_above_it_is_heard() -> None:
    activity = Activity()
    now = push(activity, -45, 3.5, 0.0)
    assert activity.quiet_s > 1
    now = push(activity, -25, 0.2, now)
    assert activity.quiet_s == 0
    now = push(activity, -70, 0.5, now)
    push(activity, -50, 0.1, now)
    assert activity.quiet_s == 0


def test_nothing_at_all_changes_nothing() -> None:
    activity = Activity()
    activity.push(b"", 0.0, 1.0)
    push(activity, -20, 0.1, 2.0)
    activity.push(b"", 0.0, 3.0)
    assert activity.quiet_s == 0
    assert activity.voice_ended(3.0, within_s=2) == pytest.approx(2.1)


def test_what_is_quieter_than_any_voice_is_no_voice() -> None:
    activity = Activity()
    push(activity, -76, 1.0, 0.0)
    assert activity.quiet_s == math.inf


def test_an_offset_and_hum_are_no_voice_however_loud_and_sudden() -> None:
    for room in ROOMS[1:5]:
        activity = Activity()
        play(activity, np.zeros(RATE, "<i2"))
        play(activity, room.around(np.zeros(RATE, "<i2"), RATE))
        assert activity.quiet_s == math.inf, room.name


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("piece_s", [*PIECES_S, 0.0375])
def test_pieces_are_heard_the_same_one_by_one_and_several_at_once(rate: int, piece_s: float) -> None:
    rng, size = np.random.default_rng(5), round(rate * piece_s)
    loudness = np.repeat([30.0, 3000.0, 30.0, 0.0, 5000.0, 30.0], 20 * size)
    pcm = rng.normal(0.0, loudness).astype("<i2").tobytes()
    pieces = [pcm[at : at + 2 * size] for at in range(0, len(pcm), 2 * size)]
    times = [piece_s * (number + 1) for number in range(len(pieces))]
    one_by_one, at_once = Activity(), Activity()
    for number in range(0, len(pieces), 4):
        together, at = pieces[number : number + 4], times[number : number + 4]
        single = [one_by_one.push_all([one], [now], 2 * rate) for one, now in zip(together, at, strict=True)]
        for said, said_alone in zip(at_once.push_all(together, at, 2 * rate), zip(*single, strict=True), strict=True):
            assert said == pytest.approx([value for (value,) in said_alone])
        assert at_once.quiet_s == one_by_one.quiet_s
        assert at_once.power == pytest.approx(one_by_one.power)
    for told in (Activity.voice_began, Activity.voice_ended):
        assert told(at_once, 2.0, within_s=60.0) == pytest.approx(told(one_by_one, 2.0, within_s=60.0))
        assert told(at_once, 2.0, within_s=60.0) is not None


@pytest.mark.parametrize("within_s", [0.1, 0.15, 0.25, math.inf])
def test_the_end_of_speech_is_known_however_short_or_long_a_time_is_asked_about(within_s: float) -> None:
    activity = Activity()
    push(activity, -60, 2.0, 0.0)
    push(activity, -20, 0.2, 2.0)
    assert activity.voice_stopped(2.2, within_s=within_s) == pytest.approx(2.2)


def test_a_pause_of_the_longest_gap_is_one_stretch_at_any_time() -> None:
    for began_at in (0.0, *np.arange(1000.0, 1050.0, 0.7137)):
        activity = Activity()
        for dbfs, seconds, at in ((-60, 2.0, 0.0), (-20, 0.4, 2.0), (-60, LONGEST_GAP_S, 2.4), (-20, 0.5, 3.0)):
            push(activity, dbfs, seconds, began_at + at)
        assert activity.voice_began(began_at + 3.5, within_s=3.0) == pytest.approx(began_at + 2.0)
