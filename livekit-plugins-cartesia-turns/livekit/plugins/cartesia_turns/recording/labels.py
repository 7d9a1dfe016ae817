"""Where the user's turns really ended in a recorded call: proposed from what followed, corrected by a person.

`labels.json` stands beside the call: `schema` (LABELS_SCHEMA), `call` (the name of its folder), `by` ("proposal" or
"person"), `seconds` (the length of the call) and `stretches`, the user's speech in order: each with `start` and `end`,
in seconds since the start of the call, and `ends_turn`, which says whether the user was done then or only paused. It
has no words.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from .drawing import placed
from .files import LABELS_FILE, Recording, replace_text
from .findings import WENT_ON_S
from .schema import Fields, SchemaError
from .story import Story, story_of
from .voice import spoken_in

LABELS_SCHEMA = 1
"""The version of the file. It changes when a reader of the version before would misread it."""
PROPOSAL, PERSON = "proposal", "person"
MOST_S = 1e9
"""No call is so long."""
BEYOND_END_S = 0.5
"""A stretch that ends this much later than the call is not of that call."""
LEAD_S, LAG_S = 0.3, 0.2
"""How much earlier and later than the plugin timed it the speech of a turn is looked for."""


class LabelsError(ValueError):
    """Labels can't be read. The text says which and why."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech without a longer pause, in seconds since the start of the call. With `ends_turn` the user was done."""

    start: float
    end: float
    ends_turn: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one call; see the module for the fields."""

    call: str
    seconds: float
    stretches: tuple[Stretch, ...]
    by: str = PROPOSAL

    @property
    def turns(self) -> int:
        """How many turns the user ended."""
        return sum(stretch.ends_turn for stretch in self.stretches)

    @property
    def pauses(self) -> int:
        """How often the user paused and went on."""
        return sum(not stretch.ends_turn for stretch in self.stretches[:-1])


def propose(recording: Recording) -> Labels:
    """Labels that follow from what the user did next: who went on within WENT_ON_S was not done.

    Raises:
        SchemaError: the audio was not kept, or is cut off.
    """
    if not recording.audio:
        raise SchemaError(f"{recording.folder} has no audio: where turns ended can't be told without")
    recording.check_audio()
    story, rate = story_of(recording), recording.options.sample_rate
    pcm = placed(story, recording.audio, rate)
    spoken = spoken_in(pcm, rate, _spans(story))
    went_on = [after[0] - before[1] <= WENT_ON_S for before, after in pairwise(spoken)]
    if spoken:
        went_on.append(not _is_over(story, spoken[-1][1]))
    stretches = tuple(Stretch(start, end, not on) for (start, end), on in zip(spoken, went_on, strict=True))
    return Labels(recording.folder.resolve().name, round(story.seconds, 3), stretches)


def _spans(story: Story) -> list[tuple[float, float]]:
    """Where the server heard words."""
    return [
        (turn.speech_start - LEAD_S, (story.seconds if turn.speech_end is None else turn.speech_end) + LAG_S)
        for turn in story.turns
        if turn.words
    ]


def _is_over(story: Story, last_s: float) -> bool:
    """Whether the last turn ended, and not just the call."""
    return story.turns[-1].end is not None or story.seconds - last_s > WENT_ON_S


def labels_to(labels: Labels) -> Fields:
    """Labels as JSON."""
    return {"schema": LABELS_SCHEMA, **asdict(labels), "stretches": [asdict(stretch) for stretch in labels.stretches]}


def labels_of(written: Any, where: object) -> Labels:
    """The labels that `labels_to` or the page of a call wrote.

    Args:
        written: what was read.
        where: the file, for the error.

    Raises:
        LabelsError: they are no labels. The text says what is wrong.
    """
    if not isinstance(written, dict) or "schema" not in written or not isinstance(written.get("stretches"), list):
        raise LabelsError(f"{where} has no labels: `schema` and `stretches` are expected, as `label` writes them")
    if written["schema"] != LABELS_SCHEMA:
        raise LabelsError(f"{where} has schema {written['schema']}: this version reads {LABELS_SCHEMA}")
    stretches = tuple(_stretch(one, f"{where}, stretch {at}") for at, one in enumerate(written["stretches"], 1))
    for at, (before, after) in enumerate(pairwise(stretches), 1):
        if after.start < before.end:
            raise LabelsError(
                f"{where}, stretch {at + 1}: it begins at {after.start} s, before stretch {at} ends at {before.end} s"
            )
    call, seconds = written.get("call"), _time(written.get("seconds"))
    if not isinstance(call, str) or seconds is None:
        raise LabelsError(f"{where}: `call`, the name of its folder, and `seconds`, its length, are expected")
    if stretches and (end := stretches[-1].end) > seconds + BEYOND_END_S:
        raise LabelsError(
            f"{where}, stretch {len(stretches)}: it ends at {end} s, after the end of the call at {seconds} s"
        )
    return Labels(call, seconds, stretches, PERSON if written.get("by") == PERSON else PROPOSAL)


def _stretch(written: Any, where: str) -> Stretch:
    fields = written if isinstance(written, dict) else {}
    start, end, ends_turn = _time(fields.get("start")), _time(fields.get("end")), fields.get("ends_turn")
    if start is None or end is None or not isinstance(ends_turn, bool):
        raise LabelsError(f"{where}: `start` and `end` in seconds and `ends_turn`, true or false, are expected")
    if start >= end:
        raise LabelsError(f"{where}: it ends at {end} s and begins at {start} s: the end must be later")
    return Stretch(start, end, ends_turn)


def _time(value: Any) -> float | None:
    """Seconds since the start of the call; None if it is something else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < MOST_S else None


def load_labels(path: Path) -> Labels | None:
    """The labels of a call in this folder, or in this file; None if there are none.

    Raises:
        LabelsError: the file has no labels that this version can read.
        OSError: the file can't be read.
    """
    file = path / LABELS_FILE if path.is_dir() else path
    try:
        # Some editors begin a file with a byte order mark.
        written = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise LabelsError(f"{file} has no labels: it is not JSON") from None
    return labels_of(written, file)


def save_labels(folder: Path, labels: Labels) -> Path:
    """Writes the labels beside the call, and returns the file.

    Raises:
        OSError: the disk does not take it.
    """
    path = folder / LABELS_FILE
    text = json.dumps(labels_to(replace(labels, call=folder.resolve().name)), indent=1)
    replace_text(path, f"{text}\n")
    return path
