from __future__ import annotations

import json

import numpy as np
import pytest
from livekit.agents import LanguageCode
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType
from printable import UNSAFE
from transcription.audio import Player, Recording
from transcription.call import Call, summarize
from transcription.views import JsonLines, PlainLines

EVIL = "so \x1b]0;owned\x07be\n\x9b2J :smile: [red]it[/red]"


def play(view: JsonLines | PlainLines, call: Call) -> None:
    for type_ in (SpeechEventType.PREFLIGHT_TRANSCRIPT, SpeechEventType.FINAL_TRANSCRIPT):
        event = SpeechEvent(type_, alternatives=[SpeechData(LanguageCode("en"), EVIL)], created_at=1.0)
        for moment in call.add(event):
            view.show(moment)
    view.notice(EVIL)
    view.finish(call.turns, summarize(call.turns, audio_s=1.0, silence_sent_s=0.0))


def a_call() -> tuple[Player, Call]:
    player = Player(Recording(f"{EVIL}.wav", np.zeros(16000, np.int16)), is_live=False)
    return player, Call(player.clock)


def test_lines_for_a_file_hold_nothing_that_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    player, call = a_call()
    play(PlainLines(player, EVIL), call)
    lines = capsys.readouterr().out.splitlines()
    assert not any(UNSAFE.search(line) for line in lines)
    assert r"turn 1: so \x1b]0;owned\x07be\n\x9b2J :smile: [red]it[/red]" in lines[2]


def test_json_lines_neither_and_they_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    play(JsonLines(), a_call()[1])
    lines = capsys.readouterr().out.splitlines()
    assert not any(UNSAFE.search(line) for line in lines)
    assert [json.loads(line).get("text") for line in lines] == [EVIL, EVIL, EVIL, None]
