import json
import re
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.cartesia_turns.server import Line, LocalServer, Script, Vendor, say
from livekit.plugins.cartesia_turns.wire.messages import (
    Connected,
    DetectedLanguage,
    ErrorMessage,
    ServerMessage,
    TurnEagerEnd,
    TurnEnd,
    TurnStart,
    TurnUpdate,
    Unknown,
)
from support import speech
from support.localserver import SENTENCE, finals, kinds, server
from support.rawclient import connected
from support.waiting import eventually

pytestmark = pytest.mark.usefixtures("each_vendor")

TURN = [say(0.5, TurnStart("")), say(1.0, TurnUpdate("", " hello")), say(2.0, TurnEnd("", " hello there"))]


async def test_each_line_is_sent_at_its_audio_time() -> None:
    async with server(script=Script(TURN), record=True) as local, connected(local) as client:
        await client.send(speech.silence(3))
        assert kinds(await client.close()) == [Connected, TurnStart, TurnEnd]
        times = [at_s for at_s, _ in local.connections[0].messages]
    assert times == [0.0, 0.5, 1.0, 2.0]


async def test_nothing_is_sent_before_its_time_and_lines_at_zero_need_no_audio() -> None:
    script = Script([Line(0.0, '{"type": "hello.future"}'), *TURN])
    async with server(script=script) as local, connected(local) as client:
        await client.until(Unknown)
        await client.send(speech.silence(1.2))
        request_id = local.connections[0].request_id
        assert await client.until(TurnUpdate) == TurnUpdate(request_id, " hello", f"{request_id}.1")
        assert TurnEnd not in kinds(client.messages)


@pytest.mark.parametrize(("flush", "ends"), [(True, [" hello there"]), (False, [])])
async def test_close_flushes_the_rest_where_the_script_says_so(flush: bool, ends: list[str]) -> None:
    async with server(script=Script(TURN, flush_on_close=flush)) as local, connected(local) as client:
        assert finals(await client.close()) == ends
        assert client.socket.close_code == 1000


async def test_connections_get_successive_scripts_and_the_last_repeats() -> None:
    scripts = [Script([say(0.0, TurnEnd("", name))]) for name in ("first", "last")]
    heard = []
    async with server(script=scripts) as local:
        for _ in range(3):
            async with connected(local) as client:
                heard += finals(await client.close())
    assert heard == ["first", "last", "last"]


async def test_a_request_id_of_the_script_is_kept() -> None:
    script = Script([Line(0.0, {"type": "turn.start", "request_id": "mine"})])
    async with server(script=script) as local, connected(local) as client:
        start = await client.until(TurnStart)
        assert isinstance(start, TurnStart)
        assert start.request_id == "mine"


async def test_config_is_checked_though_a_script_ignores_it() -> None:
    async with server(script=Script(TURN)) as local, connected(local) as client:
        await client.command(type="config", turn={"end_threshold": 0.1})
        await client.command(type="config", turn={"end_threshold": 0.6})
        assert kinds(await client.close()) == [Connected, ErrorMessage, TurnStart, TurnEnd]


async def test_each_turn_of_a_script_has_an_id_unless_the_script_says_one() -> None:
    mine = Line(3.0, {"type": "turn.start", "turn_id": "mine"})
    script = Script([*TURN, say(2.1, TurnStart("")), say(2.2, TurnEnd("", "")), mine])
    async with server(script=script) as local, connected(local) as client:
        messages = await client.close()
    first, second = (messages[1:4], messages[4:6])
    ids = [{getattr(message, "turn_id", "") for message in turn} for turn in (first, second)]
    assert [len(each) for each in ids] == [1, 1]
    assert len(ids[0] | ids[1] | {""}) == 3
    assert messages[6] == TurnStart(local.connections[0].request_id, "mine")


async def test_a_start_in_mid_turn_has_the_id_of_the_turn_that_is_open() -> None:
    messages: list[ServerMessage] = [
        TurnUpdate("", "implied"),
        TurnStart(""),
        TurnUpdate("", "more"),
        TurnEnd("", ""),
        TurnStart(""),
    ]
    script = Script([say(0.1, message) for message in messages])
    async with LocalServer(script=script) as local, connected(local) as client:
        ids = [getattr(message, "turn_id", "") for message in (await client.close())[1:]]
    assert len(ids) == len(messages)
    assert len(set(ids[:4])) == 1
    assert ids[4] not in ids[:4]


async def test_text_behind_a_turn_end_has_the_id_of_the_turn_that_is_over() -> None:
    messages: list[ServerMessage] = [TurnStart(""), TurnEnd("", "a b"), TurnUpdate("", "a b"), TurnEnd("", "a b")]
    script = Script([say(0.1, message) for message in messages])
    async with LocalServer(script=script) as local, connected(local) as client:
        ids = {getattr(message, "turn_id", "") for message in (await client.close())[1:]}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("query", "said", "heard"),
    [
        ({}, (), ()),
        ({"model": "ink-preview"}, (), (DetectedLanguage("en", 1.0),)),
        ({"model": "ink-preview", "language_hint": "hi"}, (), (DetectedLanguage("hi", 1.0),)),
        ({"model": "ink-preview"}, (DetectedLanguage("ja", 0.7), DetectedLanguage("en", 0.3)), ...),
    ],
)
async def test_a_model_that_tells_languages_tells_those_of_the_script_or_the_hint_or_english(
    query: dict[str, str], said: tuple[DetectedLanguage, ...], heard: Any
) -> None:
    script = Script([say(0.0, TurnStart("")), say(0.0, TurnEnd("", "a", languages=said))])
    async with server(script=script, vendor=Vendor()) as local, connected(local, query) as client:
        end = (await client.close())[-1]
    assert isinstance(end, TurnEnd)
    assert end.languages == (said if heard is ... else heard)


async def test_strings_and_bytes_go_out_as_they_are() -> None:
    script = Script([Line(0, "{nonsense"), Line(0, b"\x00\xff")])
    async with server(script=script) as local, connected(local) as client:
        await client.until(Connected)
        assert await client.socket.receive_str() == "{nonsense"
        assert await client.socket.receive_bytes() == b"\x00\xff"


async def test_a_recorded_dialogue_plays_again(tmp_path: Path) -> None:
    async with server() as original, connected(original) as client:
        await client.send(SENTENCE)
        first = await client.close()
        await eventually(lambda: original.open_streams == 0)
        Script.of(original.connections[0]).save(tmp_path / "dialogue.jsonl")
    async with server(script=Script.load(tmp_path / "dialogue.jsonl")) as replayed, connected(replayed) as client:
        await client.send(SENTENCE)
        second = await client.close()
    assert [type(message) for message in second] == [type(message) for message in first]
    assert finals(second) == finals(first)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_lines_are_played_in_order_of_time(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "script.jsonl"
    rows = [{"at": 2, "send": "b"}, {"at": 1.5, "send": {"type": "turn.start"}}, {"at": 2, "send": "a"}]
    path.write_text("\n\n".join(map(json.dumps, rows)), encoding=encoding)
    assert [line.send for line in Script.load(path).lines] == [{"type": "turn.start"}, "b", "a"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "must be"),
        ('{"at": 1}', "must be"),
        ('{"at": "1", "send": "x"}', '"at"'),
        ('{"at": true, "send": "x"}', '"at"'),
        ('{"send": "x"}', '"at"'),
        ('{"at": NaN, "send": "x"}', "not a time"),
        ('{"at": -1, "send": "x"}', "not a time"),
        ('{"at": 1e999, "send": "x"}', "not a time"),
        ('{"at": 1' + "0" * 400 + ', "send": "x"}', "too large"),
        ('{"at": 1, "send": {"type": "turn.strat"}}', "'turn.strat' is not the type of a message"),
        ('{"at": 1, "send": {}}', "None is not the type of a message"),
        ('{"at": 1, "send": {"type": ["turn.start"]}}', "not the type of a message"),
    ],
)
def test_a_bad_line_is_named_by_its_file_and_number(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "script.jsonl"
    path.write_text('{"at": 0, "send": "x"}\n\n' + row, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}, line 3: .*{re.escape(said)}"):
        Script.load(path)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_a_line_is_no_script(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "script.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: the script is empty$"):
        Script.load(path)


def test_a_file_that_is_no_text_is_named_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "script.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="line 1: not JSON"):
        Script.load(path)


@pytest.mark.parametrize("line", [Line(0.0, {"type": "turn.strat"}), Line(0.0, {}), Line(float("nan"), "x")])
def test_a_script_made_in_python_is_checked_too(line: Line) -> None:
    with pytest.raises(ValueError, match="is not"):
        Script([line])


def test_a_script_that_sends_bytes_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Script([Line(0, b"x")]).save(tmp_path / "script.jsonl")


def test_no_script_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="script is empty"):
        LocalServer(script=[])


def test_a_message_keeps_its_own_request_id() -> None:
    assert say(1, TurnEagerEnd("mine", "x")).send == {"type": "turn.eager_end", "request_id": "mine", "transcript": "x"}
