"""The part of a call's page in which a person corrects where turns ended. `labels.js` fills it and saves the labels."""

from __future__ import annotations

import json

from .labels import PERSON, Labels, labels_to

SIGNS = {
    "labelled speech": '<rect class="label" x="1" y="4" width="18" height="6"/>',
    "labelled end of turn": '<path class="label-end" d="M10 1V13M10 1L17 4L10 7Z"/>',
}
"""What the legend of the picture shows, and how."""


def labelling(labels: Labels) -> str:
    """The section, as HTML. The rows are made in the browser, from the labels that the section holds."""
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
