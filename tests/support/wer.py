"""What is said in the recorded clips, and how much of it was heard."""

from __future__ import annotations

import re
from pathlib import Path

import jiwer

CLIPS = Path(__file__).parents[2] / "examples" / "audio"
SPOKEN = [line.split("\t")[1] for line in (CLIPS / "transcripts.tsv").read_text().splitlines()]
"""The words of each clip, in the order of their names."""


def plain(text: str) -> str:
    """Text as it is compared: lower case, punctuation and hyphens as spaces, "mr" as "mister"."""
    words = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("’", "'")).split()
    return " ".join("mister" if word == "mr" else word for word in words)


def word_error_rate(spoken: list[str], heard: list[str]) -> float:
    """Words substituted, left out or added, for each word that was spoken in all the texts together."""
    return float(jiwer.wer([plain(text) for text in spoken], [plain(text) for text in heard]))
