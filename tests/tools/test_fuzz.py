"""A short run of the fuzzer; `make fuzz` is the long one."""

from __future__ import annotations

from hypothesis import given, settings
from support.messages import frames
from tools.fuzz import check_client, check_live, check_parsers, steps, talks


@given(frames)
def test_parsers_raise_nothing_but_what_is_documented(frame: str | bytes) -> None:
    check_parsers(frame)


@settings(max_examples=80)
@given(steps)
def test_the_client_lives_through_any_life(life: list[str | bytes | float]) -> None:
    check_client(life)


@settings(max_examples=60)
@given(talks)
def test_live_audio_is_counted_and_followed_by_pings_whatever_its_frames(
    talk: tuple[int, list[tuple[int, int, bool] | str]],
) -> None:
    check_live(talk)
