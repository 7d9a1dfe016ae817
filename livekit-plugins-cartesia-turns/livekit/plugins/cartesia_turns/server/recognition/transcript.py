"""The text of a turn, made append-only from hypotheses that are not.

A recognizer that looks again at a growing stretch of audio changes its mind about the newest words, and about all of
them while the stretch is short. A word is given out when two or more successive hypotheses agree on it ("local
agreement": Liu et al., 2020, https://arxiv.org/abs/2005.11185), the first of them old enough and the last one of enough
audio, and it is never taken back. Both are counted in audio, so a busy machine that looks seldom follows the same rule.
What is held back goes out when the segment ends, at the latest with the turn. Pure: text in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile


class TurnTranscript:
    """The text of one turn, segment after segment: `agree` while a segment grows, then `settle` or `cut`.

    Args:
        agreed_s: over how many seconds of audio hypotheses must have agreed on a word.
        context_s: how many seconds of audio a hypothesis must cover.
    """

    def __init__(self, agreed_s: float = 0.0, context_s: float = 0.0) -> None:
        self.text: str = ""
        """All that was given out; it only grows."""
        self._agreed_s = agreed_s
        self._context_s = context_s
        self._given: list[str] = []
        self._young: list[str] = []
        self._since_s: list[float] = []

    def agree(self, hypothesis: str, heard_s: float) -> str:
        """Takes a new hypothesis of the growing segment; returns the turn's text.

        The newest word is held back: the audio may end within it, or within the punctuation behind it.

        Args:
            hypothesis: what the segment's audio so far is heard as.
            heard_s: how much audio of the segment that is, in seconds.
        """
        words = remainder(self._given, hypothesis.split())
        pairs = zip(words, self._young, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: _plain(pair[0]) == _plain(pair[1]), pairs))
        since_s = self._since_s[:same] + [heard_s] * (len(words) - same)
        oldest_s = heard_s - self._agreed_s
        old = sum(1 for _ in takewhile(lambda at_s: at_s <= oldest_s, since_s[: min(same, len(words) - 1)]))
        agreed = words[:old] if heard_s >= self._context_s else []
        self._young, self._since_s = words[len(agreed) :], since_s[len(agreed) :]
        self._given += agreed
        return self._append(agreed)

    def settle(self, hypothesis: str) -> str:
        """Takes the last hypothesis of the segment and begins the next segment; returns the turn's text."""
        rest = remainder(self._given, hypothesis.split())
        self._given, self._young, self._since_s = [], [], []
        return self._append(rest)

    def cut(self, hypothesis: str) -> str:
        """Takes the last hypothesis of the segment's beginning; the rest of it is the next segment.

        Words given out that lie behind the cut count as given out of the next segment.
        """
        ahead = remainder(hypothesis.split(), self._given)
        text = self.settle(hypothesis)
        self._given = ahead
        return text

    def _append(self, words: Sequence[str]) -> str:
        self.text = " ".join(([self.text] if self.text else []) + list(words))
        return self.text


def remainder(given: Sequence[str], hypothesis: Sequence[str]) -> list[str]:
    """The words of `hypothesis` that come after those already given out.

    A later hypothesis may spell, split, join or drop an earlier word, so the cut is where the letters before it are
    nearest to the letters given out; among equals, where as many words lie before it as were given.
    """
    if list(map(_plain, given)) == list(map(_plain, hypothesis[: len(given)])):
        return list(hypothesis[len(given) :])
    distances = _edits_to_prefixes("".join(map(_plain, given)), "".join(map(_plain, hypothesis)))
    letters = accumulate((len(_plain(word)) for word in hypothesis), initial=0)
    ranked = [(distances[position], abs(cut - len(given)), cut) for cut, position in enumerate(letters)]
    return list(hypothesis[min(ranked)[2] :])


def agreed(hypotheses: Iterable[str]) -> str:
    """What two hypotheses of the same audio agree on, taking as few as possible; else the one nearest to all.

    Args:
        hypotheses: one or more.
    """
    heard: dict[str, str] = {}
    for text in hypotheses:
        letters = _plain(text)
        if letters in heard:
            return heard[letters]
        heard[letters] = text
    return heard[min(heard, key=lambda one: sum(_edits_to_prefixes(one, other)[-1] for other in heard))]


def _edits_to_prefixes(source: str, target: str) -> list[int]:
    """How many edits turn `source` into the first 0, 1, ... letters of `target`."""
    distances = list(range(len(target) + 1))
    for row, letter in enumerate(source, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(target, 1):
            changed = diagonal + (letter != other)
            diagonal = distances[column]
            distances[column] = min(changed, diagonal + 1, distances[column - 1] + 1)
    return distances


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word)).casefold()
