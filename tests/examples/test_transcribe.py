"""The example as a user runs it: processes of its own, and, for what costs nothing to ask often, its main function."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import transcribe
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import LocalServer, Script
from support.disk import no_room
from support.recognizer import PACKAGES
from support.speech import AUDIO, SPOKEN
from support.wer import word_error_rate
from transcription.audio import SAMPLE_RATE, Player, Recording, UserError, load, silence
from transcription.call import Call
from transcription.views import JsonLines

SCRIPT = Path(transcribe.__file__)
WITHIN_S = 90.0
CLIP = AUDIO / "sense-0880.wav"


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CARTESIA_API_KEY"}
    return {**kept, "COLUMNS": "100", "PYTHONUNBUFFERED": "1", **changes}


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        env=environment(**changes),
        check=False,
    )


def finals(lines: Sequence[str]) -> list[str]:
    return [match[1] for line in lines if (match := re.search(r"turn \d+: (.*)", line))]


def assert_one_clear_line(exit_code: int, out: str, err: str, what: str) -> None:
    assert exit_code == 2
    assert out == ""
    assert re.fullmatch(rf"transcribe\.py: .*{re.escape(what)}.*\n", err)


@pytest.mark.recognizer
def test_the_demo_hears_five_turns_and_the_right_words() -> None:
    demo = run("--fast")
    lines = demo.stdout.splitlines()
    assert (demo.returncode, demo.stderr) == (0, "")
    assert len(finals(lines)) == 5
    assert word_error_rate(SPOKEN, finals(lines)) <= 0.10
    assert any("5 turns" in line and "32.7 s of audio" in line for line in lines)
    assert "\x1b" not in demo.stdout


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, object]], Path]:
    """One clip with JSON and a picture: the events, and where the picture is."""
    picture = tmp_path_factory.mktemp("timeline") / "call.png"
    call = run(str(CLIP), "--json", "--timeline", str(picture))
    assert (call.returncode, call.stderr) == (0, "")
    return [json.loads(line) for line in call.stdout.splitlines()], picture


@pytest.mark.recognizer
def test_json_holds_every_event_in_order_and_then_a_summary(timed: tuple[list[dict[str, object]], Path]) -> None:
    events, _ = timed
    types = [event["type"] for event in events]
    assert types[0] == "start_of_speech"
    assert types[-1] == "summary"
    assert types.index("final_transcript") < types.index("end_of_speech")
    assert (events[-1]["turns"], events[-1]["words"]) == (1, 7)
    final = next(event for event in events if event["type"] == "final_transcript")
    assert word_error_rate([SPOKEN[1]], [str(final["text"])]) == 0.0


@pytest.mark.recognizer
def test_json_times_are_seconds_of_audio_and_rise(timed: tuple[list[dict[str, object]], Path]) -> None:
    times = [event["at_s"] for event in timed[0] if "at_s" in event]
    assert all(isinstance(at_s, float) for at_s in times)
    assert times == sorted(times, key=lambda at_s: float(str(at_s)))


@pytest.mark.recognizer
def test_the_span_of_a_turn_is_where_somebody_speaks_in_the_file(timed: tuple[list[dict[str, object]], Path]) -> None:
    final = next(event for event in timed[0] if event["type"] == "final_transcript")
    loud = np.flatnonzero(np.abs(load(CLIP).samples) > 500) / SAMPLE_RATE
    assert final["speech_start_s"] == pytest.approx(loud[0], abs=0.3)
    assert final["speech_end_s"] == pytest.approx(loud[-1], abs=0.3)
    assert isinstance(final["delay_s"], float)
    assert final["delay_s"] > 0.2


def test_no_speed_is_offered_at_which_times_would_be_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        transcribe.main(["--speed", "2"])
    assert "--speed" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        transcribe.main(["--help"])
    assert "speed" not in capsys.readouterr().out


@pytest.mark.recognizer
def test_the_timeline_is_a_picture(timed: tuple[list[dict[str, object]], Path]) -> None:
    _, picture = timed
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.stat().st_size > 10_000


async def test_a_recording_longer_than_the_plugin_keeps_is_streamed_whole() -> None:
    player = Player(Recording("long", silence(20.0)), is_live=False)
    async with LocalServer(script=Script([]), record=True) as server:
        ears = cartesia_turns.STT(api_key=server.key, base_url=server.url, max_buffer=2.0)
        stream = ears.stream()
        await transcribe.transcribe(stream, player, Call(player.clock), JsonLines())
        assert stream.stats.lost_s == 0
        assert server.connections[0].audio_bytes == 2 * 20 * SAMPLE_RATE


@pytest.fixture
def demo_under_way() -> Iterator[subprocess.Popen[str]]:
    """The demo in real time, a turn just begun."""
    demo = subprocess.Popen(
        [sys.executable, str(SCRIPT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "turn 1 starts" in line:
            break
    yield demo
    demo.kill()
    demo.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.recognizer
def test_ctrl_c_finishes_the_turn_and_shows_the_table(demo_under_way: subprocess.Popen[str]) -> None:
    demo_under_way.send_signal(signal.SIGINT)
    out, err = demo_under_way.communicate(timeout=WITHIN_S)
    assert (demo_under_way.returncode, err) == (0, "")
    assert re.search(r"\| *[01] turns? *\|", out)


def test_a_file_that_is_not_there_costs_one_line_and_exit_code_2() -> None:
    result = run("no-such-file.wav")
    assert_one_clear_line(result.returncode, result.stdout, result.stderr, "no-such-file.wav: no such file")


def test_nothing_in_an_error_is_obeyed_by_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = transcribe.main(["no-\x1b]0;owned\x07such.wav"])
    assert_one_clear_line(exit_code, *capsys.readouterr(), r"no-\x1b]0;owned\x07such.wav: no such file")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such pipes")
@pytest.mark.recognizer
def test_a_reader_who_has_read_enough_ends_it_quietly() -> None:
    call = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(CLIP), "--fast"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert call.stdout is not None
    call.stdout.readline()
    call.stdout.close()
    _, err = call.communicate(timeout=WITHIN_S)
    assert (call.returncode, err) == (0, b"")


@pytest.fixture
def no_recognizer(tmp_path: Path) -> str:
    """A folder that, in PYTHONPATH, takes the recognizer away."""
    for package in PACKAGES:
        (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError(__name__)")
    return str(tmp_path)


def test_without_the_recognizer_a_script_plays_the_demo_and_what_is_left_out_is_said(no_recognizer: str) -> None:
    demo = run("--fast", PYTHONPATH=no_recognizer)
    assert demo.returncode == 0
    assert finals(demo.stdout.splitlines()) == SPOKEN
    assert re.fullmatch(r"transcribe\.py: .*livekit-plugins-cartesia-turns\[server\].*a script plays.*\n", demo.stderr)


def test_without_the_recognizer_a_file_of_ones_own_costs_one_line_and_exit_code_2(no_recognizer: str) -> None:
    result = run(str(CLIP), PYTHONPATH=no_recognizer)
    assert_one_clear_line(result.returncode, result.stdout, result.stderr, "livekit-plugins-cartesia-turns[server]")


def test_without_portaudio_there_is_a_hint_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    result = run("--mic", PYTHONPATH=str(tmp_path))
    assert_one_clear_line(result.returncode, result.stdout, result.stderr, "--mic needs PortAudio")


def test_a_disk_without_room_for_the_timeline_costs_one_line(tmp_path: Path) -> None:
    transcribe.draw(tmp_path / "b.png", "call", silence(1.0), [])
    with no_room(), pytest.raises(UserError, match=r"--timeline .*a\.png: File too large$"):
        transcribe.draw(tmp_path / "a.png", "call", silence(1.0), [])


def test_a_place_that_may_not_be_written_is_told_before_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    exit_code = transcribe.main(["--timeline", str(tmp_path / "a.png")])
    assert_one_clear_line(exit_code, *capsys.readouterr(), "this may not be written")


def test_a_disk_without_room_for_the_output_costs_one_line(no_recognizer: str, tmp_path: Path) -> None:
    with (tmp_path / "output").open("w") as output, no_room(10):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--fast"],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WITHIN_S,
            env=environment(PYTHONPATH=no_recognizer),
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["transcribe.py: File too large"]


def empty_wav(path: Path) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["{dir}/empty.wav"], "empty.wav is empty"),
        (["{dir}/header.wav"], "header.wav holds no audio"),
        (["{dir}/text.txt"], "text.txt is not an audio file"),
        (["{dir}"], "directory"),
        (["--cartesia"], "--cartesia needs a key: set CARTESIA_API_KEY"),
        (["--mic", "--fast"], "--mic can't be combined with a file or --fast"),
        (["--fast", "--timeline", "{dir}/a.png"], "--timeline needs real time"),
        (["--timeline", "{dir}/a.mp3"], "the name must end in one of .png"),
        (["--timeline", "{dir}/none/a.png"], "no such directory"),
        (["--timeline", "{dir}/folder.png"], "folder.png: this is a directory"),
    ],
)
def test_a_bad_input_costs_one_line_and_exit_code_2(
    arguments: list[str],
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.wav").touch()
    empty_wav(tmp_path / "header.wav")
    (tmp_path / "text.txt").write_text("words, not sounds\n" * 50)
    exit_code = transcribe.main([argument.format(dir=tmp_path) for argument in arguments])
    assert_one_clear_line(exit_code, *capsys.readouterr(), what)
