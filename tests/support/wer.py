"""How much of what was said was heard."""

from __future__ import annotations

import re

import jiwer


def plain(text: str) -> str:
    """Text as it is compared: lower case, punctuation and hyphens as spaces, "mr" as "mister"."""
    words = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("’", "'")).split()
    return " ".join("mister" if word == "mr" else word for word in words)


def word_error_rate(spoken: list[str], heard: list[str]) -> float:
    """Words substituted, left out or added, for each word that was spoken in all the texts together."""
    return float(jiwer.wer([plain(text) for text in spoken], [plain(text) for text in heard]))


def word_error_rate_of_all(spoken: list[str], heard: list[str]) -> float:
    """The same for texts that may be divided in another way than they were spoken."""
    return word_error_rate([" ".join(spoken)], [" ".join(heard)])
