"""Makes text from elsewhere (transcripts, errors, file names) safe for a terminal, which obeys nothing in it."""

from __future__ import annotations

import json
import re

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, C1 among them: ESC and CSI begin commands to the terminal
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # overrides of the direction: they make text read as what it is not
    "\ud800-\udfff]"  # lone surrogates, which cannot be encoded
)


def visible(text: str) -> str:
    r"""The text in one line, with what a terminal would obey spelled out: an escape character becomes `\x1b`."""
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_json(value: object) -> str:
    """The value as JSON in one line that means the same to a program and nothing to a terminal."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
