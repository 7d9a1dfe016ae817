from __future__ import annotations

import math
from typing import Any

from livekit.plugins.cartesia_turns.core.events import Kind, TurnEvent
from livekit.plugins.cartesia_turns.core.measures import EndedBy
from livekit.plugins.cartesia_turns.core.speech import Activity
from livekit.plugins.cartesia_turns.core.telling import Telling

LOUD, SOFT = b"\x00\x40\x00\xc0" * 160, b"\x05\x00\xfb\xff" * 160
FRAME_S = 0.02
IN_TIME: dict[str, Any] = {"usage_s": 3.5, "heard_until": math.inf, "voice_waits": False}


def test_the_steps_of_a_turn_get_the_times_of_its_speech_its_usage_and_its_measures() -> None:
    activity = Activity()
    telling = Telling(activity)
    for number in range(200):
        activity.push(LOUD if 50 <= number < 100 else SOFT, FRAME_S, (number + 1) * FRAME_S)
        if number == 60:
            started = telling.started(TurnEvent(Kind.START), 1.22)
            told = TurnEvent(Kind.UPDATE, "hi")
            assert telling.went_on(told, 1.3) == told
    ended = telling.ended(TurnEvent(Kind.END, "hi there"), 4.0, EndedBy.SERVER, **IN_TIME)
    assert started.at is not None
    assert abs(started.at - 1.0) <= 2 * FRAME_S
    assert ended.at is not None
    assert abs(ended.at - 2.0) <= 2 * FRAME_S
    assert ended.usage_s == 3.5
    assert ended.measures is not None
    assert ended.measures.ended_by is EndedBy.SERVER
    assert ended.measures.end_delay_s is not None
    assert abs(ended.measures.end_delay_s - 2.0) <= 2 * FRAME_S


def test_where_no_speech_was_heard_the_end_has_no_delay() -> None:
    telling = Telling(Activity())
    telling.started(TurnEvent(Kind.START), 1.0)
    ended = telling.ended(TurnEvent(Kind.END, "hi"), 2.0, EndedBy.PLUGIN, **IN_TIME)
    assert ended.measures is not None
    assert ended.measures.end_delay_s is None


def test_where_voice_waits_the_end_of_the_speech_is_not_known() -> None:
    activity = Activity()
    telling = Telling(activity)
    telling.started(TurnEvent(Kind.START), 0.0)
    for number in range(100):
        activity.push(LOUD if number < 50 else SOFT, FRAME_S, (number + 1) * FRAME_S)
    ended = telling.ended(TurnEvent(Kind.END, "hi"), 2.0, EndedBy.SERVER, **{**IN_TIME, "voice_waits": True})
    assert ended.measures is not None
    assert ended.measures.end_delay_s is None
