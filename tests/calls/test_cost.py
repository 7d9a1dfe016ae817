"""What a message costs: a long turn is read at the speed of its JSON, however often its text comes again."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator

import pytest
from livekit.plugins.cartesia_turns.core import text, words
from livekit.plugins.cartesia_turns.core.client import TurnsClient
from livekit.plugins.cartesia_turns.core.events import TurnEvent
from livekit.plugins.cartesia_turns.core.requests import Limits
from livekit.plugins.cartesia_turns.core.turn import Turn
from livekit.plugins.cartesia_turns.wire.messages import TurnUpdate
from livekit.plugins.cartesia_turns.wire.options import Options
from livekit.plugins.cartesia_turns.wire.protocol import parse

WORDS = 10_000
MORE = 40
REPEATS = 9
AT_MOST = 3.0
"""How many times the JSON's own cost a message may cost."""

LANGUAGES = {
    "english": ("word{} ", WORDS),
    "french": ("\u00e9t\u00e9{} ", WORDS),
    "japanese": ("\u4eca\u65e5{}", WORDS),
}


def updates(pattern: str, count: int, *, since: int = 0) -> list[str]:
    """Frames whose text grows by a word each, up to so many words and MORE."""
    heard = [pattern.format(number) for number in range(since, count + MORE)]
    texts = ("".join(heard[: count - since + number]) for number in range(MORE))
    return [json.dumps({"type": "turn.update", "transcript": text}, ensure_ascii=False) for text in texts]


def in_turn(*frames: str, reconnect: bool) -> TurnsClient:
    """A client in a turn that has heard these frames, on this socket or on one that was lost since."""
    client = TurnsClient(Options(), Limits(), 0.0)
    client.link_opened(client.sockets.options, 0.0)
    client.push_audio(b"\1\2" * 16000, 0.0)
    while (item := client.outgoing(0.0)) is not None:
        client.sent(item, 0.0)
    for frame in ('{"type": "turn.start"}', *frames):
        client.receive(parse(frame), 0.0)
    if reconnect:
        client.link_lost(0.0)
        client.link_opened(client.sockets.options, 0.0)
        client.receive(parse('{"type": "turn.start"}'), 0.0)
    client.take_events()
    return client


@pytest.mark.parametrize("reconnect", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_update_in_a_turn_of_ten_thousand_words_costs_at_most_three_times_its_json(
    language: str, reconnect: bool
) -> None:
    first, *rest = updates(*LANGUAGES[language])
    ratios = []
    for _ in range(REPEATS):
        client = in_turn(first, reconnect=reconnect)
        begun = time.thread_time()
        read = [json.loads(frame) for frame in rest]
        half_way = time.thread_time()
        for frame in rest:
            client.receive(parse(frame), 1.0)
        events = client.take_events()
        ratios.append((time.thread_time() - half_way) / (half_way - begun))
        assert sum(isinstance(event, TurnEvent) for event in events) == len(read)
    assert statistics.median(ratios) <= AT_MOST


def test_so_does_an_update_that_may_repeat_the_end_of_the_turn_before_it() -> None:
    first, *rest = updates(*LANGUAGES["english"])
    ratios = []
    for _ in range(REPEATS):
        turn = Turn()
        turn.lost()
        turn.expect_echo("this was said before")
        turn.receive(TurnUpdate("", json.loads(first)["transcript"]))
        begun = time.thread_time()
        read = [json.loads(frame) for frame in rest]
        half_way = time.thread_time()
        for frame in rest:
            message = parse(frame)
            assert isinstance(message, TurnUpdate)
            assert turn.receive(message)
        ratios.append((time.thread_time() - half_way) / (half_way - begun))
        assert turn.text == read[-1]["transcript"]
    assert statistics.median(ratios) <= AT_MOST


class CountedPattern:
    """A regular expression that counts what it is asked to find."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.found = 0

    def search(self, text: str, position: int = 0) -> re.Match[str] | None:
        self.found += 1
        return self._pattern.search(text, position)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        for match in self._pattern.finditer(text):
            self.found += 1
            yield match


@pytest.fixture
def word(monkeypatch: pytest.MonkeyPatch) -> CountedPattern:
    counted = CountedPattern(text.WORD)
    for module in (text, words):
        monkeypatch.setattr(module, "WORD", counted)
    return counted


@pytest.mark.parametrize("reconnect", [False, True])
def test_no_word_is_counted_where_text_only_grows(word: CountedPattern, reconnect: bool) -> None:
    first, *rest = updates("word{} ", WORDS)
    client = in_turn(first, reconnect=reconnect)
    for frame in (*updates("word{} ", MORE), *rest, '{"type": "turn.end"}'):
        client.receive(parse(frame), 1.0)
    assert not client.turn.is_open
    assert word.found == 0


def test_a_closed_turn_that_a_replay_hears_differently_has_its_words_counted_once(word: CountedPattern) -> None:
    client = in_turn(*updates("word{} ", WORDS), reconnect=False)
    client.close_turn(1.0)
    client.link_lost(0.0)
    client.link_opened(client.sockets.options, 0.0)
    messages = 0
    for count in range(0, WORDS + 11 * MORE, 10 * MORE):
        for frame in updates("wort{} ", count)[::10]:
            client.receive(parse(frame), 1.0)
            messages += 1
    known = WORDS + MORE - 1
    assert client.turn.text.split()[0] == f"wort{known}"
    # Those of the closed turn, those of the replay, and the last word of a message, which may go on.
    assert word.found <= 2 * known + 2 * messages
