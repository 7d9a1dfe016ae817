"""The command line of the doctor, from its arguments to its exit code."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TypeAlias

import pytest
from livekit.plugins.cartesia_turns.doctor.command import main
from livekit.plugins.cartesia_turns.server import LocalServer
from support.localserver import server
from support.speech import AUDIO

SECRET = "sk-the-very-secret-key"
Output: TypeAlias = pytest.CaptureFixture[str]


async def run(capsys: Output, *arguments: str) -> tuple[int, str]:
    """The exit code and what is printed; nothing else is."""
    # In a thread, since the command has an event loop of its own.
    code = await asyncio.to_thread(main, arguments)
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


async def test_a_server_that_is_well_is_reported_in_lines_and_with_exit_code_0(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", SECRET)
    async with server(key=SECRET) as local:
        code, out = await run(capsys, "--base-url", local.url, "--silent")
    assert code == 0
    assert "ok       handshake" in out
    # An older livekit-agents is a warning.
    assert out.splitlines()[-1].startswith(("All is well", "0 problems"))
    assert SECRET not in out


async def test_a_wrong_key_is_reported_as_json_with_exit_code_1_and_shown_nowhere(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", SECRET)
    async with server() as local:
        code, out = await run(capsys, "--base-url", local.url, "--json")
    assert code == 1
    document = json.loads(out)
    assert document["ok"] is False
    assert {verdict["name"]: verdict["level"] for verdict in document["verdicts"]}["handshake"] == "problem"
    assert SECRET not in out


async def test_a_token_is_read_from_the_variable_that_is_named(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", SECRET)
    async with server(key=SECRET) as local:
        code, out = await run(capsys, "--base-url", local.url, "--silent", "--token-variable", "MY_TOKEN")
    assert code == 0
    assert SECRET not in out


@pytest.mark.slow
@pytest.mark.recognizer
async def test_the_sample_is_heard_by_the_local_server(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalServer() as local:
        monkeypatch.setenv("CARTESIA_API_KEY", local.key)
        code, out = await run(capsys, "--base-url", local.url, "--json", "--calls", "2")
    assert code == 0
    verdicts = {verdict["name"]: verdict for verdict in json.loads(out)["verdicts"]}
    assert verdicts["words"]["level"] == "ok"
    assert "young man" in verdicts["words"]["what"]
    assert verdicts["end of turn"]["figures"]["delay_s"] > 0
    assert verdicts["pace"]["figures"]["speed"] > 0
    assert local.key not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--base-url", "http://cartesia.test"], "without encryption"),
        (["--base-url", "ftp://cartesia.test"], "not an address"),
        (["--model", "ink-whisper"], "ink-whisper"),
        (["--timeout", "0"], "--timeout"),
        (["--timeout", "nan"], "--timeout"),
        (["--calls", "-1"], "--calls"),
        (["--calls", "1000"], "--calls"),
        (["--audio", "no-such-file.wav"], "no such file"),
        (["--audio", __file__], "unknown audio format"),
        (["--session", "nothing"], "module:function"),
    ],
)
def test_arguments_that_can_not_be_used_end_with_2_and_one_line(
    arguments: list[str], says: str, capsys: Output
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1


def test_an_unknown_argument_ends_with_2(capsys: Output) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--nonsense"])
    assert "--nonsense" in capsys.readouterr().err


def test_a_recording_is_examined_even_where_no_server_is_there(capsys: Output) -> None:
    clip = str(AUDIO / "sense-0880.wav")
    assert main(["--base-url", "http://127.0.0.1:1", "--audio", clip, "--json"]) == 1
    names = {verdict["name"]: verdict["level"] for verdict in json.loads(capsys.readouterr().out)["verdicts"]}
    assert names["sample rate"] == "ok"
    assert names["tcp"] == "problem"


def test_a_reader_that_has_left_gets_no_traceback_and_the_exit_code_is_not_that_of_a_problem() -> None:
    command = f"{sys.executable} -m livekit.plugins.cartesia_turns doctor --base-url http://127.0.0.1:1"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{{ {command}; echo $? >&2; }} | true"], capture_output=True, text=True, check=True
    )
    assert done.stderr == "141\n"
