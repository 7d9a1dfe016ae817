from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from livekit.plugins.cartesia_turns.tuning.results import Key, Result, Results
from livekit.plugins.cartesia_turns.wire.messages import TurnSettings

TURN = TurnSettings(0.8, 0.6, 0.3, 5600)
KEY = Key("abc", "wss://api.cartesia.ai/stt/turns/websocket", "ink-2", TURN)
RESULT = Result(KEY, "call", 5.0, 5.02, 0.01, (("start", 0.5), ("end", 3.25)))


def test_what_was_kept_is_read_by_a_later_process(tmp_path: Path) -> None:
    path = tmp_path / "tuning.jsonl"
    Results(path).add(RESULT)
    later = Results(path)
    assert later.get(KEY) == RESULT
    assert list(later) == [RESULT]


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(audio="abd"),
        KEY._replace(endpoint="ws://127.0.0.1:8765/stt/turns/websocket"),
        KEY._replace(model="ink-preview"),
        KEY._replace(turn=TurnSettings(0.8, 0.6, 0.3, 1600)),
    ],
)
def test_another_audio_endpoint_model_or_setting_is_another_run(other: Key, tmp_path: Path) -> None:
    results = Results(tmp_path / "tuning.jsonl")
    results.add(RESULT)
    assert results.get(other) is None


def test_a_line_that_was_cut_short_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "tuning.jsonl"
    Results(path).add(RESULT)
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    other = Result(KEY._replace(audio="other"), "second", 1.0, 1.0, 0.0, ())
    Results(path).add(other)
    assert list(Results(path)) == [RESULT, other]


@pytest.mark.parametrize(
    "line",
    [
        *("{", "3", "null", "[]", "{}", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "audio": 1}', "[" * 100_000),
        json.dumps({"schema": 1, "audio": "a", "endpoint": "e", "model": "m", "turn": {"other": 1}}),
        json.dumps(
            {"schema": 1, "call": "c", "audio": "a", "endpoint": "e", "model": "m", "turn": {}, "events": [["end"]]}
        ),
    ],
)
def test_a_line_that_is_something_else_is_left_out(line: str, tmp_path: Path) -> None:
    path = tmp_path / "tuning.jsonl"
    path.write_text(f"{line}\n")
    assert list(Results(path)) == []


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        *((name, odd) for name in ("heard_s", "sent_s", "late_s") for odd in ("x", None, math.nan, math.inf)),
        ("events", [["end", math.nan]]),
        ("events", [["end", "x"]]),
        pytest.param("heard_s", 10**400, id="huge"),
        ("turn", []),
        ("turn", {"start_threshold": []}),
        ("turn", {"start_threshold": math.nan}),
        ("turn", {"end_timeout_ms": "1600"}),
    ],
)
def test_a_result_with_something_odd_in_it_is_left_out(name: str, odd: object, tmp_path: Path) -> None:
    path = tmp_path / "tuning.jsonl"
    Results(path).add(RESULT)
    path.write_text(json.dumps({**json.loads(path.read_text()), name: odd}))
    assert list(Results(path)) == []


def test_a_folder_that_is_not_there_is_an_error_at_the_first_result(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        Results(tmp_path / "nowhere" / "tuning.jsonl").add(RESULT)
