"""Audio is cut where it is long, and each chunk knows what is heard in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest
from livekit.plugins.cartesia_turns.core.chunk import Chunk, Pieces, Stretch
from livekit.plugins.cartesia_turns.core.chunking import LONGEST_CHUNK_S, LONGEST_SLICE_S, QUIET_S, Chunker

RATE = 8000
VOICE = b"\x00\x30\x00\xd0"
SILENCE = bytes(4)


def pcm(seconds: float, sample: bytes = VOICE) -> bytes:
    return sample * (round(RATE * seconds) // 2)


def cut(*audio: bytes) -> list[Chunk]:
    """The chunks of pieces of audio that come one after another."""
    chunker = Chunker(RATE)
    return [chunk for part in audio for chunk, _ in chunker.cut(part, 0.0)]


def lengths(stretches: Sequence[Chunk | Stretch]) -> list[tuple[bool, float]]:
    """How long each run of stretches of one kind is, in seconds."""
    runs = groupby(stretches, lambda stretch: stretch.voiced)
    return [(voiced, sum(stretch.samples for stretch in run) / RATE) for voiced, run in runs]


def test_no_chunk_is_long_and_together_they_are_the_audio() -> None:
    audio = pcm(0.5) + pcm(0.33, SILENCE)
    chunks = cut(audio)
    assert max(chunk.seconds for chunk in chunks) == LONGEST_CHUNK_S
    assert b"".join(chunk.pcm for chunk in chunks) == audio


def test_a_chunk_is_marked_as_voice_as_pause_or_as_silence_that_may_go_first() -> None:
    chunks = cut(pcm(0.2, VOICE), pcm(QUIET_S - 0.2, SILENCE), pcm(0.4, SILENCE))
    marks = [(chunk.voiced, chunk.droppable) for chunk in chunks]
    assert marks[:5] == [(True, False), *[(False, False)] * 4]
    assert marks[-1] == (False, True)


def test_a_pause_is_known_as_one_before_it_is_a_silence_that_may_go_first() -> None:
    chunks = cut(pcm(0.2, VOICE), *[pcm(0.1, SILENCE)] * 12)
    marks = [(chunk.is_pause, chunk.droppable) for chunk in chunks]
    assert marks[5:8] == [(False, False), (False, False), (True, False)]
    assert marks[-1] == (True, True)


def test_a_chunk_is_voice_wherever_in_it_somebody_is_heard() -> None:
    parts = ((VOICE, SILENCE), (SILENCE, VOICE), (SILENCE, SILENCE))
    chunks = cut(*(b"".join(pcm(0.1, sample) for sample in both) for both in parts))
    assert [chunk.voiced for chunk in chunks] == [True, True, False]


def test_audio_is_booked_as_speech_and_pause_in_slices_however_long_its_pieces_are() -> None:
    whole, parts = Chunker(RATE), Chunker(RATE)
    audio, size = pcm(0.45) + pcm(0.55, SILENCE) + pcm(0.3), 2 * RATE // 50
    coarse, fine = list[Chunk | Stretch](), list[Chunk | Stretch]()
    for chunk, stretches in whole.cut(audio, 1.3):
        coarse += stretches or [chunk]
    for at in range(0, len(audio), size):
        for chunk, stretches in parts.cut(audio[at : at + size], (at + size) / 2 / RATE):
            fine += stretches or [chunk]
    assert [voiced for voiced, _ in lengths(coarse)] == [voiced for voiced, _ in lengths(fine)]
    for (_, some_s), (_, other_s) in zip(lengths(coarse), lengths(fine), strict=True):
        assert abs(some_s - other_s) <= 2 * LONGEST_SLICE_S


def test_pieces_that_were_sent_are_one_chunk_that_knows_when_each_was() -> None:
    pieces = Pieces([pcm(0.02, VOICE), pcm(0.02, SILENCE)], [1.0, 1.02])
    ((chunk, stretches),) = Chunker(RATE).joined(pieces)
    assert chunk.pcm == pcm(0.02) + pcm(0.02, SILENCE)
    assert (chunk.piece, chunk.times, chunk.sent_at) == (160, [1.0, 1.02], 1.02)
    assert lengths(stretches) == [(True, 0.02), (False, 0.02)]


@pytest.mark.parametrize("piece_s", [0.01, 0.02, 0.03, 0.05])
def test_many_pieces_that_were_sent_are_chunks_no_longer_than_others(piece_s: float) -> None:
    count = round(0.4 / piece_s)
    audio = [pcm(piece_s, VOICE if number % 3 else SILENCE) for number in range(count)]
    pieces = Pieces(audio, [piece_s * number for number in range(count)])
    chunks = [chunk for chunk, _ in Chunker(RATE).joined(pieces)]
    assert max(chunk.seconds for chunk in chunks) <= LONGEST_CHUNK_S
    assert b"".join(chunk.pcm for chunk in chunks) == b"".join(audio)
    assert [at for chunk in chunks for at in chunk.times] == pieces.times
    assert [chunk.sent_at for chunk in chunks] == [chunk.times[-1] for chunk in chunks]
