from __future__ import annotations

import io

import numpy as np
import pytest
from livekit.agents import LanguageCode
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType
from rich.console import Console
from transcription.audio import Player, Recording
from transcription.call import Call, summarize
from transcription.screen import Screen, tail
from transcription.views import clock_text

EVENTS = [
    (SpeechEventType.START_OF_SPEECH, 0.5, None),
    (SpeechEventType.INTERIM_TRANSCRIPT, 1.0, "So be"),
    (SpeechEventType.PREFLIGHT_TRANSCRIPT, 2.0, "So be"),
    (SpeechEventType.INTERIM_TRANSCRIPT, 2.5, "So be"),
    (SpeechEventType.FINAL_TRANSCRIPT, 4.0, "So be it."),
    (SpeechEventType.END_OF_SPEECH, 4.0, None),
]


def show(
    events: int, *, width: int = 80, is_live: bool = True, name: str = "a call", side: str = "local server"
) -> str:
    """What stands on a terminal after that many events, the live part included."""
    player = Player(Recording(name, (np.sin(np.arange(80000) / 9) * 9000).astype(np.int16)), is_live=is_live)
    player.clock.start(0.0)
    call = Call(player.clock)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=40, color_system=None, legacy_windows=False)
    screen = Screen(console, player, side, call)
    for type_, at_s, text in EVENTS[:events]:
        screen.heard(at_s)
        alternatives = [] if text is None else [SpeechData(LanguageCode("en"), text)]
        end = 3.5 if type_ is SpeechEventType.FINAL_TRANSCRIPT else None
        for moment in call.add(SpeechEvent(type_, alternatives=alternatives, created_at=at_s, speech_end_time=end)):
            screen.show(moment)
    console.print(screen)
    if events == len(EVENTS):
        screen.finish(call.turns, summarize(call.turns, audio_s=5.0, silence_sent_s=0.0))
    return out.getvalue()


def test_the_growing_turn_is_shown_with_its_state() -> None:
    shown = show(2)
    assert "● speaking" in shown
    assert "So be" in shown
    assert "0:01.0 / 0:05.0" in shown


def test_an_eager_end_and_a_resume_leave_a_line_each() -> None:
    assert "◐ 0:02.0  maybe done  So be" in show(3)
    assert "◐ maybe done" in show(3)
    assert "↺ 0:02.5  goes on" in show(4)


def test_a_final_has_its_times_and_the_call_a_table() -> None:
    shown = show(6)
    assert "So be it." in shown
    assert "+0.50 s" in shown
    assert "1 turn" in shown
    assert "○ listening" in shown


@pytest.mark.parametrize("width", [20, 40, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, show(5, width=width).splitlines())) <= width


def test_without_a_clock_there_are_no_times() -> None:
    assert "◐ maybe done  So be" in show(4, is_live=False)
    assert "+0.50 s" not in show(6, is_live=False)


def test_nothing_in_the_words_or_names_is_obeyed_by_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "so \x1b]0;owned\x07\x9b2J"
    monkeypatch.setattr(f"{__name__}.EVENTS", [(type_, at_s, text and evil) for type_, at_s, text in EVENTS])
    for events in (2, 3, 6):
        shown = show(events, name=evil, side=evil)
        assert r"so \x1b]0;owned\x07\x9b2J" in shown
        assert "\x1b]" not in shown
        assert "\x9b" not in shown


def test_long_text_shows_its_end() -> None:
    assert tail("so be it", 20) == "so be it"
    assert tail("one two three", 6) == "…three"


def test_positions_read_as_minutes_and_seconds() -> None:
    shown = [clock_text(at_s) for at_s in (None, 0.0, 9.96, 59.97, 3601.5)]
    assert shown == ["", "0:00.0", "0:10.0", "1:00.0", "60:01.5"]
