"""What stands out in a recorded call, in whole sentences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .story import Story

WENT_ON_S = 1.5
"""A user who speaks again after at most this pause was perhaps not done."""
SLOW_END_S = 2.0
"""An end of turn more than this long after speech stopped keeps the user waiting."""


def findings(story: Story) -> list[str]:
    """What stands out, in whole sentences, the worst first; one sentence if nothing does."""
    found = [*_cut_off(story), *_drops(story), *_slow(story), *_went_on(story), *_counted(story)]
    if not story.is_complete:
        found.append("The recording stops before the call does.")
    return found or ["Nothing stands out: no turn was cut off, and no connection was lost."]


def _cut_off(story: Story) -> Iterator[str]:
    for turn, after in itertools.pairwise(story.turns):
        if turn.end is None or turn.speech_end is None:
            continue
        pause_s = after.speech_start - turn.speech_end
        if 0 <= pause_s <= WENT_ON_S:
            yield (
                f"Turn {turn.number} ended {turn.end - turn.speech_end:.1f} s after speech stopped, and the user went"
                f" on after a pause of {pause_s:.1f} s: it was perhaps cut off."
            )


def _drops(story: Story) -> Iterator[str]:
    for socket in story.sockets:
        lost = socket.end
        if lost is None:
            continue
        turn = next((one for one in story.turns if one.told_at <= lost and (one.end is None or lost < one.end)), None)
        if turn is not None:
            yield f"The socket was lost in turn {turn.number}, {lost:.1f} s into the call: {socket.note}."
    yield from (f"{mark.start:.1f} s into the call: {mark.note}." for mark in story.marks)


def _slow(story: Story) -> Iterator[str]:
    for turn in story.turns:
        if turn.end is not None and turn.speech_end is not None and turn.end - turn.speech_end > SLOW_END_S:
            yield f"Turn {turn.number} ended only {turn.end - turn.speech_end:.1f} s after speech stopped."


def _went_on(story: Story) -> Iterator[str]:
    for turn in story.turns:
        if turn.went_on:
            times = "once" if len(turn.went_on) == 1 else f"{len(turn.went_on)} times"
            yield f"Turn {turn.number} was taken to be perhaps over {times}, and went on."


def _counted(story: Story) -> Iterator[str]:
    for name, text in _COUNTED.items():
        if (value := story.stats.get(name, 0)) >= 0.05:
            yield text.format(value)


_COUNTED = {
    "lost_s": "{:.1f} s of audio was lost: more waited than the buffer holds.",
    "replayed_s": "{:.1f} s of audio was sent once more after a socket was lost.",
    "silent_s": "{:.1f} s of silence was sent in place of audio that had stopped.",
    "failed_attempts": "{:.0f} attempts to connect failed.",
    "idle_closes": "The server closed the socket {:.0f} times while nobody spoke.",
}
