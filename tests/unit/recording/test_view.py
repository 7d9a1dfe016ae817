from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from livekit.plugins.cartesia_turns.recording.labels import PERSON, Labels, Stretch, labels_of
from livekit.plugins.cartesia_turns.recording.view import labelling, page_of
from support.lossy_link import Fault, SimulatedCall
from support.recordings import Tape
from support.simulated_server import Speech


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*faults: Fault, audio: bool = True) -> str:
    tape = Tape()
    SimulatedCall(Speech((50, 18, 90), (15, 15, 15), tail=200), faults=[*faults], make_client=tape.client).run()
    recording = tape.recording()
    return page_of(recording if audio else replace(recording, audio=None))


def test_the_page_needs_nothing_but_itself() -> None:
    html = page()
    attributes = [pair for _, pairs in Page(html).tags for pair in pairs.items()]
    sources = [value or "" for name, value in attributes if name in ("src", "href")]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not re.findall(r"https?://|@import|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_what_stands_out_and_each_turn_is_there_in_words() -> None:
    text = Page(page(Fault(1.3))).text
    assert "The socket was lost in turn 1" in text
    assert "w0 w1" in text
    assert "went on" in text
    assert "told the framework" not in text or "Everything in order" in text


def test_each_part_has_a_name_and_each_button_says_what_it_plays() -> None:
    tags = Page(page()).tags
    assert ("html", {"lang": "en"}) in tags
    assert all("aria-label" in attributes for tag, attributes in tags if tag == "section")
    buttons = [attributes for tag, attributes in tags if tag == "button"]
    assert [one["aria-label"] for one in buttons if "aria-label" in one] == ["Play turn 1", "Play turn 2"]
    assert [attributes for tag, attributes in tags if tag == "svg" and "aria-hidden" not in attributes] == []


def test_words_are_never_taken_for_markup() -> None:
    tape = Tape()
    SimulatedCall(Speech((50,), (15,), tail=200), make_client=tape.client).run()
    recording = tape.recording()
    for line in recording.lines:
        for event in line.get("events", ()):
            if event.get("transcript"):
                event["transcript"] = "</script><img src=x onerror=alert(1)>"
    html = page_of(recording)
    assert "<img" not in html
    assert "&lt;img" in html


def test_without_audio_there_is_no_player_and_the_page_says_so() -> None:
    html = page(audio=False)
    assert "<audio" not in html
    assert "The audio was not kept." in html


def test_the_section_of_labels_holds_them_for_the_browser() -> None:
    labels = Labels("call", 9.0, (Stretch(1.0, 2.0, False), Stretch(2.5, 4.0, True)))
    (held,) = re.findall(r'<script type="application/json" id="labels">(.*?)</script>', labelling(labels))
    assert labels_of(json.loads(held), "page") == labels


def test_the_section_of_labels_says_whether_a_person_has_corrected_them() -> None:
    assert "These labels are a proposal." in labelling(Labels("call", 9.0, ()))
    assert "A person has corrected these labels." in labelling(Labels("call", 9.0, (), PERSON))


def test_no_name_of_a_call_ends_the_element() -> None:
    html = labelling(Labels("</script><img src=x onerror=alert(1)>", 9.0, ()))
    assert "<img" not in html
    assert html.count("</script>") == 1
