"""Draws a recorded call as one page that needs no network and no other file."""

from __future__ import annotations

import json
from base64 import b64encode
from html import escape
from importlib.resources import files

from .audio_file import flac
from .drawing import drawing, placed
from .files import Recording
from .findings import findings
from .labels import PERSON, Labels, labels_to
from .schema import Fields
from .story import Story, Turn, story_of

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:; img-src data:"
"""The browser lets the page load nothing, whatever it contains."""
_SIGNS = {
    "speech": '<rect class="turn" x="1" y="2" width="18" height="10"/>',
    "waiting for the end of the turn": '<rect class="waiting" x="1" y="2" width="18" height="10"/>',
    "maybe done": '<rect class="maybe" x="1" y="2" width="18" height="10"/>',
    "went on after all": '<circle class="resumed" cx="10" cy="7" r="4"/>',
    "turn over": '<line class="over" x1="10" x2="10" y1="1" y2="13"/>',
    "words came": '<circle class="word" cx="10" cy="7" r="3"/>',
    "connected": '<rect class="socket" x="1" y="4" width="18" height="6"/>',
    "connection over": '<line class="lost" x1="10" x2="10" y1="1" y2="13"/>',
    "sent once more": '<rect class="replay" x="1" y="4" width="18" height="6"/>',
    "silence sent": '<rect class="silence" x="1" y="3" width="18" height="8"/>',
    "something happened": '<circle class="mark" cx="10" cy="7" r="4"/>',
}
"""What the legend of the picture shows, and how."""
_LABEL_SIGNS = {
    "labelled speech": '<rect class="label" x="1" y="4" width="18" height="6"/>',
    "labelled end of turn": '<path class="label-end" d="M10 1V13M10 1L17 4L10 7Z"/>',
}
"""What it shows too where the call has labels."""


def page_of(recording: Recording, labels: Labels | None = None) -> str:
    """The page, as HTML. With labels a person can correct them there."""
    story = story_of(recording)
    rate = recording.options.sample_rate
    pcm = placed(story, recording.audio, rate)
    source = f"data:audio/flac;base64,{b64encode(flac(pcm, rate)).decode()}" if pcm else ""
    title = f"Call {recording.folder.resolve().name}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{escape(title)}</title><style>{_part('view.css')}</style></head>",
            f"<body><header><h1>{escape(title)}</h1><p class=soft>{escape(_summary(recording, story))}</p></header>",
            "<main>",
            _list("What stands out", "findings", [escape(found) for found in findings(story)]),
            _strip(story, pcm, rate, source, _SIGNS if labels is None else {**_SIGNS, **_LABEL_SIGNS}),
            "" if labels is None else labelling(labels),
            _turns(story),
            _told(story),
            _facts(recording, story),
            _player(source),
            f"</main><script>{_part('view.js')}</script>",
            "" if labels is None else f"<script>{_part('labels.js')}</script>",
            "</body></html>",
        ]
    )


def labelling(labels: Labels) -> str:
    """The section in which a person corrects where turns ended, as HTML.

    The rows are made in the browser, from the labels that the section holds: `labels.js` fills it and saves the labels.
    """
    origin = "A person has corrected these labels." if labels.by == PERSON else "These labels are a proposal."
    # A name of a folder may hold anything, so no sign in the JSON may end the element.
    data = json.dumps(labels_to(labels)).replace("<", "\\u003c")
    return (
        '<section class="labels" aria-label="Where turns really ended"><h2>Where turns really ended</h2>'
        f"<p class=soft>{origin} Each row is a stretch of speech. Tick it if the user was done after it, and leave it"
        " unticked if the user only paused. In the picture you can drag the end of a stretch.</p>"
        f'<script type="application/json" id="labels">{data}</script><ol id="stretches"></ol>'
        '<div class="tools"><button type="button" id="add">Add or split at the player</button>'
        '<button type="button" id="undo" disabled>Undo</button>'
        '<button type="button" id="save">Save the labels</button></div>'
        '<p role="status" id="labels-status"></p></section>'
    )


def _part(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _summary(recording: Recording, story: Story) -> str:
    options = recording.options
    turns = "1 turn" if len(story.turns) == 1 else f"{len(story.turns)} turns"
    return f"{story.seconds:.1f} s, {turns}, {options.model} at {options.sample_rate} Hz"


def _list(title: str, kind: str, items: list[str]) -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<section aria-label="{title}"><h2>{title}</h2><ul class="{kind}">{lines}</ul></section>'


def _strip(story: Story, pcm: bytes, rate: int, source: str, meanings: dict[str, str]) -> str:
    signs = "".join(
        f'<li><svg width="20" height="14" aria-hidden="true">{sign}</svg>{name}</li>' for name, sign in meanings.items()
    )
    hint = " A click moves the player there." if source else " The audio was not kept."
    return (
        f'<section class="strip" aria-label="Timeline"><div class="scroll" tabindex="0" role="group"'
        f' aria-label="The call from left to right, {story.seconds:.0f} s. The list of turns says it in words.{hint}">'
        f'{drawing(story, pcm, rate)}</div><ul class="legend" aria-label="Legend">{signs}</ul></section>'
    )


def _turns(story: Story) -> str:
    items = "".join(_turn(turn, story) for turn in story.turns)
    empty = "" if story.turns else "<p class=soft>Nobody was heard.</p>"
    return f'<section aria-label="Turns"><h2>Turns</h2>{empty}<ol class="turns">{items}</ol></section>'


def _turn(turn: Turn, story: Story) -> str:
    end = story.seconds if turn.end is None else turn.end
    facts = [f"began {turn.speech_start:.2f} s", f"told {turn.told_at - turn.speech_start:.2f} s later"]
    if turn.speech_end is not None and turn.end is not None:
        facts.append(f"over {turn.end - turn.speech_end:.2f} s after speech stopped")
    facts += [
        f"maybe done at {span.start:.2f} s" + (", went on" if span in turn.went_on else "") for span in turn.maybe
    ]
    facts += ["never ended"] if turn.end is None else []
    steps = "".join(f"<li><span class=soft>{at:.2f} s</span>{escape(text)}</li>" for at, text in turn.words)
    start = max(0.0, min(turn.speech_start, turn.told_at) - 0.2)
    return (
        f'<li data-from="{start:.3f}" data-to="{end:.3f}">'
        f'<button type="button" aria-label="Play turn {turn.number}">Turn {turn.number}</button>'
        f'<div><p class="text">{escape(turn.text) or "<span class=soft>no words</span>"}</p>'
        f"<p class=soft>{escape(' · '.join(facts))}</p>"
        f'<details><summary>How the words came</summary><ol class="steps">{steps}</ol></details></div></li>'
    )


def _told(story: Story) -> str:
    sockets = [(socket.start, "connected") for socket in story.sockets]
    lost = [(socket.end, f"connection over: {socket.note}") for socket in story.sockets if socket.end is not None]
    told = [(at, f"told the framework: {text}") for at, text in story.told]
    marks = [(mark.start, mark.note) for mark in story.marks]
    happened = sorted([*sockets, *lost, *told, *marks])
    steps = "".join(f"<li><span class=soft>{at:.2f} s</span>{escape(text)}</li>" for at, text in happened)
    return (
        "<section aria-label='Everything in order'><h2>Everything in order</h2><details>"
        f'<summary>{len(happened)} entries</summary><ol class="steps">{steps}</ol></details></section>'
    )


def _facts(recording: Recording, story: Story) -> str:
    header: Fields = recording.header
    facts = {**header.get("versions", {}), **{f"option {name}": value for name, value in header["options"].items()}}
    facts |= {name: round(value, 3) for name, value in story.stats.items()}
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(_shown(value))}</dd>" for name, value in facts.items() if value)
    return f"<section aria-label='Facts'><h2>Options, versions, counters</h2><dl>{rows}</dl></section>"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _player(source: str) -> str:
    if not source:
        return ""
    return (
        f'<section class="player" aria-label="Player"><audio controls preload="auto" src="{source}"></audio>'
        '<button type="button" id="before">Turn before</button><button type="button" id="after">Next turn</button>'
        "<span class=soft>Space plays, J and K go to the next turn and the one before.</span></section>"
    )
