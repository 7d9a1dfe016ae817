"""What the scripts that print figures have in common: `--help`, and a word on how far they are."""

from __future__ import annotations

import argparse
import sys
from inspect import cleandoc


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A command line whose help is the script's docstring."""
    return argparse.ArgumentParser(
        description=cleandoc(doc or ""), formatter_class=argparse.RawDescriptionHelpFormatter
    )


def working_on(what: str, done: int, of: int) -> None:
    """Says on stderr what is measured next, so that stdout holds the figures alone."""
    print(f"[{done + 1}/{of}] {what}", file=sys.stderr, flush=True)
