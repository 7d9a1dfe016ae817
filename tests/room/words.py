"""How near a transcript is to what was read out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import jiwer


def references(folder: Path) -> dict[str, str]:
    """The text read out in each recording, by the recording's name."""
    with (folder / "transcripts.tsv").open(encoding="utf-8") as table:
        return {row[0].removesuffix(".wav"): row[-1] for row in csv.reader(table, delimiter="\t") if row}


def plain(text: str) -> str:
    """Lower case, punctuation and hyphens to spaces, "mr" as "mister"."""
    words = re.sub(r"[^a-z0-9']+", " ", text.lower()).split()
    return " ".join("mister" if word == "mr" else word for word in words)


def word_error_rate(reference: str, said: str) -> float:
    return float(jiwer.wer(plain(reference), plain(said) or "-"))
