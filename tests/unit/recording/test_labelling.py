from __future__ import annotations

import json
import re

from livekit.plugins.cartesia_turns.recording.labelling import labelling
from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, labels_of


def test_the_section_holds_the_labels_for_the_browser() -> None:
    labels = Labels("call", 9.0, (Stretch(1.0, 2.0, False), Stretch(2.5, 4.0, True)))
    (held,) = re.findall(r'<script type="application/json" id="labels">(.*?)</script>', labelling(labels))
    assert labels_of(json.loads(held), "page") == labels


def test_it_says_whether_a_person_has_corrected_them() -> None:
    assert "These labels are a proposal." in labelling(Labels("call", 9.0, ()))
    assert "A person has corrected these labels." in labelling(Labels("call", 9.0, (), PERSON))


def test_no_name_of_a_call_ends_the_element() -> None:
    html = labelling(Labels("</script><img src=x onerror=alert(1)>", 9.0, ()))
    assert "<img" not in html
    assert html.count("</script>") == 1
