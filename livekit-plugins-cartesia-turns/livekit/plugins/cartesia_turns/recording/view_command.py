"""Draws a recorded call: python -m livekit.plugins.cartesia_turns view CALL."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from .files import PAGE_FILE, calls_in, load, replace_text
from .labels import LabelsError, load_labels
from .schema import SchemaError
from .view import page_of

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page of a call, and returns the exit code: 0, or 2 if the call can't be read."""
    options = _parser().parse_args(arguments)
    try:
        recording = load(_only(options.call))
        target = options.output or recording.folder / PAGE_FILE
        replace_text(target, page_of(recording, load_labels(recording.folder)))
    except BrokenPipeError:
        raise
    except (OSError, SchemaError, LabelsError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE_ERROR
    if target.is_file():
        sys.stdout.write(f"{target}\n")
    if options.open:
        webbrowser.open(target.resolve().as_uri())
    return 0


def _only(path: Path) -> Path:
    """The call in this folder.

    Raises:
        SchemaError: there is none, or more than one.
        OSError: the folder can't be read.
    """
    first, *more = calls_in(path)
    if more:
        raise SchemaError(f"{path} has {1 + len(more)} recorded calls: name one of them, such as {first}")
    return first


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m livekit.plugins.cartesia_turns view",
        description="Makes one HTML file of a recorded call. It contains the audio and the words, and loads nothing."
        " If the call has labels (see the command `label`), you can correct them there.",
    )
    parser.add_argument("call", type=Path, help="the folder of the call")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"(default: {PAGE_FILE} in that folder)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    return parser
