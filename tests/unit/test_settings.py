"""What a stream is told is checked once, by the names that STT's arguments have."""

from __future__ import annotations

import re
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.settings import MANY_RETRIES, StreamSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("watchdog_min_timeout", 0),
        ("max_buffer", -1.0),
        ("max_buffer", float("nan")),
        ("watchdog_min_timeout", True),
        ("watchdog_min_timeout", "0.5"),
        ("max_buffer", float("inf")),
        ("max_buffer", 0.9),
        ("max_buffer", None),
        ("audio_chunk_duration_ms", 0),
        ("audio_chunk_duration_ms", -20),
        ("audio_chunk_duration_ms", 9),
        ("audio_chunk_duration_ms", 201),
        ("audio_chunk_duration_ms", 99999),
        ("audio_chunk_duration_ms", 20.0),
        ("audio_chunk_duration_ms", True),
        ("audio_chunk_duration_ms", "20"),
        ("speech_end_time", 1),
        ("speech_end_time", None),
        ("outage_timeout", -0.1),
        ("outage_timeout", float("nan")),
        ("outage_timeout", "5"),
        ("outage_timeout", False),
        ("early_preflight", -1),
        ("early_preflight", 1.5),
        ("early_preflight", "2"),
        ("early_preflight", True),
        ("early_preflight", 1001),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_and_value(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}={re.escape(repr(value))} "):
        StreamSettings(**{name: value})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"outage_timeout": 0.0},
        {"outage_timeout": float("inf")},
        {"audio_chunk_duration_ms": 10, "early_preflight": 2},
        {"audio_chunk_duration_ms": 200, "max_buffer": 1e9},
    ],
)
def test_what_is_in_range_is_taken(given: dict[str, Any]) -> None:
    StreamSettings(**given)


def test_a_session_has_to_be_one_of_aiohttp_and_is_not_written_out() -> None:
    with pytest.raises(ValueError, match=r"^http_session=\(a dict\) is not an aiohttp.ClientSession"):
        StreamSettings(http_session={"a": "secret"})  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("settings", "max_retry", "lasts_s"),
    [
        (StreamSettings(max_buffer=30.0), MANY_RETRIES, 30.0),
        (StreamSettings(max_buffer=30.0), MANY_RETRIES - 1, 1.1),  # two retries, however long they take
        (StreamSettings(max_buffer=30.0), 0, 0.0),
        (StreamSettings(outage_timeout=5.0), 0, 5.0),
        (StreamSettings(outage_timeout=5.0), MANY_RETRIES, 5.0),
        (StreamSettings(outage_timeout=0.0), MANY_RETRIES, 0.0),
    ],
)
def test_an_outage_lasts_as_the_user_says_else_as_long_as_the_buffer_unless_failures_are_wanted_soon(
    settings: StreamSettings, max_retry: int, lasts_s: float
) -> None:
    policy, now = settings.retry_policy(max_retry), 0.0
    while (delay_s := policy.delay_after_failure(now, jitter=0.0)) is not None:
        now += delay_s
    assert now == pytest.approx(lasts_s)


def test_the_client_gets_its_bounds_from_here() -> None:
    limits = StreamSettings(1.5, 30.0, early_preflight=2).limits(4.0)
    assert (limits.watchdog_min_timeout_s, limits.buffer_s, limits.connect_timeout_s) == (1.5, 30.0, 4.0)
    assert limits.early_preflight == 2
