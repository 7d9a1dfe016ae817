from __future__ import annotations

import json

from livekit.plugins.cartesia_turns.doctor.report import as_json, is_well, lines, summary
from livekit.plugins.cartesia_turns.doctor.verdict import ok, problem, skipped, warning

GOOD = ok("round trip", "A ping takes 20 ms.", round_trip_s=0.0201234)
SOSO = warning("loudness", "It is quiet.", "Raise the gain.")
BAD = problem("key", "There is no key.", "Set it.")
NONE = skipped("tls", "An earlier step failed.")


def test_a_verdict_is_a_line_with_its_advice_below() -> None:
    assert lines(GOOD).split() == ["ok", "round", "trip", *["A", "ping", "takes", "20", "ms."]]
    assert [line.strip() for line in lines(BAD).splitlines()][1] == "-> Set it."


def test_long_sentences_are_wrapped_under_themselves() -> None:
    printed = lines(problem("key", "word " * 50, "advice " * 50)).splitlines()
    assert len(printed) > 6
    assert max(map(len, printed)) <= 110
    assert all(line.startswith(" " * 39) for line in printed[1:])


def test_the_summary_counts() -> None:
    assert summary([GOOD, NONE]) == "All is well: 1 check passed, 1 skipped."
    assert summary([GOOD, GOOD, SOSO, BAD, BAD]) == "2 problems, 1 warning; 2 checks passed, 0 skipped."


def test_warnings_alone_are_well_enough() -> None:
    assert is_well([GOOD, SOSO, NONE])
    assert not is_well([GOOD, BAD])


def test_the_json_has_every_field_of_every_verdict() -> None:
    document = json.loads(as_json([GOOD, BAD]))
    assert (document["schema"], document["ok"]) == (1, False)
    assert document["verdicts"][0] == {
        "name": "round trip",
        "level": "ok",
        "what": "A ping takes 20 ms.",
        "advice": "",
        "figures": {"round_trip_s": 0.0201},
    }
    assert document["verdicts"][1]["advice"] == "Set it."
