"""Which stretches have voice is known for the audio that is held, and for no other."""

from __future__ import annotations

from livekit.plugins.cartesia_turns.core.runs import Run, Runs


def runs_of(*lengths: int) -> Runs:
    """A pause first, and then voice and pauses by turns."""
    runs = Runs()
    for number, length in enumerate(lengths):
        runs.add(length, voiced=number % 2 == 1)
    return runs


def test_what_follows_in_kind_is_one_run() -> None:
    runs = runs_of(10, 20)
    runs.add(5, voiced=True)
    assert list(runs) == [Run(0, 10, voiced=False), Run(10, 35, voiced=True)]
    assert (runs.end, runs.voice_end) == (35, 35)


def test_audio_that_begins_with_voice_begins_with_a_run_of_it() -> None:
    assert list(runs_of(0, 20)) == [Run(0, 20, voiced=True)]


def test_a_run_is_forgotten_once_nothing_of_it_is_held() -> None:
    runs = runs_of(10, 20, 30)
    runs.forget_to(29)
    assert [run.start for run in runs] == [10, 30]
    runs.forget_to(30)
    assert [run.start for run in runs] == [30]
    runs.forget_to(60)
    assert list(runs) == []
    runs.add(5, voiced=False)
    assert list(runs) == [Run(60, 65, voiced=False)]


def test_the_first_voice_is_found_between_two_positions() -> None:
    runs = runs_of(10, 20, 30, 40)
    assert runs.first_voice(0, 100) == 10
    assert runs.first_voice(20, 100) == 20, "it had begun before"
    assert runs.first_voice(30, 100) == 60
    assert runs.first_voice(0, 5) == 5
    assert runs.voice_end == 100


def test_voice_that_is_too_old_counts_no_more() -> None:
    runs = runs_of(10, 20, 30)
    assert runs.first_voice(30, 60) == 60
    assert runs.voice_end == 0
