from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.server import LocalServer, Script
from livekit.plugins.cartesia_turns.server.recognition.pcm import RATE, WINDOW, PcmReader
from livekit.plugins.cartesia_turns.testing import noise, say, script, silence
from livekit.plugins.cartesia_turns.testing.ear import Ear
from livekit.plugins.cartesia_turns.testing.speech import SHORTEST_WORD_S, Voice, quiet
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnMessage, TurnSettings
from support.localserver import finals
from support.rawclient import connected


def told(played: Script) -> list[tuple[str, object]]:
    """The messages of a script but its updates: the type and the text."""
    messages = [line.send for line in played.lines if isinstance(line.send, dict)]
    return [(str(m["type"]), m.get("transcript")) for m in messages if m["type"] != "turn.update"]


def ends(played: Script) -> list[object]:
    return [text for kind, text in told(played) if kind == "turn.end"]


def hear(ear: Ear, pcm: bytes) -> list[TurnMessage]:
    reader = PcmReader("pcm_s16le", RATE)
    return [message for window in reader.push(pcm) for message in ear.hear(window)]


def test_a_short_pause_is_an_eager_end_and_a_long_one_an_end() -> None:
    assert told(script(say("what time", pause=0.4), say("is it"), say("thanks"))) == [
        ("turn.start", None),
        ("turn.eager_end", "what time"),
        ("turn.resume", None),
        ("turn.eager_end", "what time is it"),
        ("turn.end", "what time is it"),
        ("turn.start", None),
        ("turn.eager_end", "thanks"),
        ("turn.end", "thanks"),
    ]


@pytest.mark.parametrize(("pause", "turns"), [(0.1, ["a b"]), (0.45, ["a b"]), (0.6, ["a", "b"]), (5.0, ["a", "b"])])
def test_the_length_of_a_pause_decides_whether_the_turn_ends(pause: float, turns: list[str]) -> None:
    assert ends(script(say("a", pause=pause), say("b"))) == turns


def test_the_text_grows_with_each_word_that_is_over() -> None:
    updates = [line for line in script(say("what time is", word_s=0.5)).lines if "turn.update" in str(line.send)]
    assert [line.send["transcript"] for line in updates if isinstance(line.send, dict)] == [
        "what",
        "what time",
        "what time is",
    ]
    assert [line.at_s for line in updates] == pytest.approx([0.5, 1.0, 1.5], abs=0.04)


@pytest.mark.parametrize("lead_s", [0.2, 0.207, 0.215, 0.223])
def test_the_shortest_word_by_itself_is_a_turn(lead_s: float) -> None:
    assert ends(script(silence(lead_s), say("a", word_s=SHORTEST_WORD_S))) == ["a"]


def test_a_noise_is_a_turn_without_words_and_no_word_within_one() -> None:
    assert ends(script(noise(0.5), say("yes", pause=0.2), noise(0.3, pause=0.2), say("no"))) == ["", "yes no"]


def test_a_turn_ends_half_a_second_after_its_last_word() -> None:
    lines = script(silence(1.0), say("what time")).lines
    assert lines[0].at_s == pytest.approx(1.1, abs=0.1)
    assert lines[-1].at_s == pytest.approx(1.6 + 0.51, abs=0.05)


def test_the_turn_that_is_open_at_the_end_of_a_script_ends() -> None:
    assert ends(script(say("what", pause=0.0))) == ["what"]
    assert script(silence(1.0)).lines == ()


def test_settings_of_the_turn_are_heeded() -> None:
    voice = Voice()
    pcm = voice.speak("a", 0.3) + quiet(0.8) + voice.speak("b", 0.3) + quiet(8.0)
    patient = Ear(voice, TurnSettings(end_threshold=0.08, end_timeout_ms=8000))
    assert [message.transcript for message in hear(patient, pcm) if isinstance(message, TurnEnd)] == ["a b"]
    changed = Ear(voice, TurnSettings())
    changed.configure(TurnSettings(end_threshold=0.08, end_timeout_ms=8000))
    assert [message.transcript for message in hear(changed, pcm) if isinstance(message, TurnEnd)] == ["a b"]
    hasty = Ear(voice, TurnSettings())
    assert [message.transcript for message in hear(hasty, pcm) if isinstance(message, TurnEnd)] == ["a", "b"]


def test_a_scrap_of_a_word_that_starts_no_turn_is_in_none() -> None:
    voice = Voice()
    scrap, word = voice.speak("scrap", 0.1)[: 2 * WINDOW], voice.speak("word", 0.3)
    heard = hear(Ear(voice, TurnSettings()), scrap + quiet(1.0) + word + quiet(1.0))
    assert [message.transcript for message in heard if isinstance(message, TurnEnd)] == ["word"]


def test_audio_of_somebody_else_makes_a_turn_without_words() -> None:
    noise = np.full(RATE, 9000, "<i2").tobytes()
    heard = hear(Ear(Voice(), TurnSettings()), noise + quiet(1.0))
    assert [message.transcript for message in heard if isinstance(message, TurnEnd)] == [""]


async def test_a_script_can_be_saved_and_played_by_any_local_server(tmp_path: Path) -> None:
    script(say("what time", pause=0.4), say("is it"), say("thanks")).save(tmp_path / "call.jsonl")
    played = Script.load(tmp_path / "call.jsonl")
    async with LocalServer(script=played, record=True) as server, connected(server) as client:
        await client.send(quiet(played.lines[-1].at_s + 0.1))
        messages = await client.close()
        request_id = server.connections[0].request_id
    assert finals(messages) == ["what time is it", "thanks"]
    assert {message.turn_id for message in messages if isinstance(message, TurnEnd)} == {
        f"{request_id}.1",
        f"{request_id}.2",
    }
