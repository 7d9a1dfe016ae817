"""A short run of the fuzzer; `make fuzz` is the long one."""

from __future__ import annotations

from hypothesis import given, settings
from support.messages import frames
from tools.fuzz import check_client, check_parsers, steps


@given(frames)
def test_parsers_raise_nothing_but_what_is_documented(frame: str | bytes) -> None:
    check_parsers(frame)


@settings(max_examples=80)
@given(steps)
def test_the_client_lives_through_any_life(life: list[str | bytes | float]) -> None:
    check_client(life)
