"""Labels where turns ended in recorded calls: python -m livekit.plugins.cartesia_turns label CALLS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .files import calls_of, load
from .labels import PERSON, Labels, LabelsError, load_labels, propose, save_labels
from .schema import SchemaError

USAGE_ERROR = 2
DOUBTFUL_S = (1.0, 2.2)
"""A pause of this length may be one within a turn or one after it, so a person should listen."""
SAME_LENGTH_S = 0.1
"""Labels of a call and those that a page saved of it say the same length but for rounding."""
EPILOG = """\
To correct the labels of a call:
  1. Make its page:       python -m livekit.plugins.cartesia_turns view calls/CALL --open
  2. Correct them there, and press "Save the labels": the browser saves a file.
  3. Take the file over:  python -m livekit.plugins.cartesia_turns label calls/ --take FILE

Exit code: 0, or 2 if a call or a file can't be used.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Proposes labels or takes them over from files, and returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        calls = calls_of(options.calls)
    except (OSError, SchemaError) as error:
        return _fail(error)
    if options.take:
        return _say(_take(calls, options.take))
    # A call that can't be read keeps no other from its labels.
    return max(_say(_label(call, anew=options.again)) for call in calls)


def _say(lines: Iterator[str]) -> int:
    """Prints what is done while it is done, and returns the exit code."""
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
    except BrokenPipeError:
        raise
    except (OSError, SchemaError, LabelsError) as error:
        return _fail(error)
    return 0


def _fail(error: Exception) -> int:
    sys.stderr.write(f"error: {error}\n")
    return USAGE_ERROR


def _label(call: Path, *, anew: bool) -> Iterator[str]:
    """Proposes labels for a call, unless it has some."""
    try:
        found = None if anew else load_labels(call)
    except LabelsError as error:
        raise LabelsError(f"{error}; --again replaces them") from None
    if found is not None:
        yield f"{call}: {_counted(found)}; {'corrected by a person' if found.by == PERSON else 'proposed before'}"
        return
    recording = load(call)
    if not recording.audio:
        yield f"{call}: left out, since it has no audio"
        return
    labels = propose(recording)
    save_labels(call, labels)
    yield f"{call}: {_counted(labels)}; proposed"
    yield from _doubts(labels)


def _doubts(labels: Labels) -> Iterator[str]:
    for before, after in zip(labels.stretches, labels.stretches[1:], strict=False):
        pause_s = after.start - before.end
        if DOUBTFUL_S[0] <= pause_s <= DOUBTFUL_S[1]:
            taken = "the end of a turn" if before.ends_turn else "a pause"
            yield f"    listen at {before.end:.1f} s: {pause_s:.1f} s without speech, taken for {taken}"


def _take(calls: list[Path], files: list[Path]) -> Iterator[str]:
    """Saves the labels of these files beside their calls.

    Raises:
        LabelsError: a file has no labels, or it can't be told which of these calls they are of, or another file has
            labels of the same call. Nothing is saved then.
    """
    taken: dict[Path, tuple[Path, Labels]] = {}
    for file in files:
        labels = load_labels(file)
        if labels is None:
            raise LabelsError(f"{file}: there is no such file, or no labels in that folder")
        call = _call_of(labels, calls, file)
        if call in taken and taken[call][1] != labels:
            # A browser that saves a second file puts a number into its name.
            raise LabelsError(f"{taken[call][0]} and {file} both have labels of the call {labels.call}: take one")
        taken[call] = file, labels
    for call, (_, labels) in taken.items():
        save_labels(call, labels)
        yield f"{call}: {_counted(labels)}; taken over"


def _call_of(labels: Labels, calls: list[Path], file: Path) -> Path:
    """The call with these labels, which this file has.

    Raises:
        LabelsError: there is none, or several have its name.
    """
    named = [call for call in calls if call.resolve().name == labels.call]
    if not named:
        raise LabelsError(f"{file} has the labels of the call {labels.call}, which is not among the calls given")
    found = [call for call in named if _is_as_long(call, labels)]
    if not found:
        raise LabelsError(f"{file} has labels of a call of {labels.seconds} s: {named[0]} is not as long")
    if len(found) > 1:
        raise LabelsError(f"{file} may have the labels of {found[0]} or {found[1]}: give only the right one")
    return found[0]


def _is_as_long(call: Path, labels: Labels) -> bool:
    """Whether the labels can be of this call: copies of calls may have names that others have too."""
    try:
        known = load_labels(call)
    except LabelsError:
        # Those that are damaged are to be replaced.
        return True
    return known is None or abs(known.seconds - labels.seconds) < SAME_LENGTH_S


def _counted(labels: Labels) -> str:
    turns = "1 turn" if labels.turns == 1 else f"{labels.turns} turns"
    pauses = "1 pause" if labels.pauses == 1 else f"{labels.pauses} pauses"
    return f"{turns}, {pauses} within turns"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns label",
        description="Proposes where the user's turns really ended in recorded calls: where the user did not go on"
        " within 1.5 s. The labels are saved as labels.json beside each call. Labels that are there already are kept.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("calls", type=Path, nargs="+", help="the folder of a call, or a folder of calls")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--take", type=Path, nargs="+", metavar="FILE", help="import labels that were saved from pages")
    either.add_argument("--again", action="store_true", help="discard existing labels and propose new ones")
    return parser
