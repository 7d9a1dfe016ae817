"""The timeline of a call as SVG, and the audio placed on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np

from .story import Span, Story, Turn

LEFT = 90
"""How many pixels lie left of the first second, for the names of the rows."""
HEIGHT = 250
PER_SECOND = 60.0
WIDEST = 30_000
"""The most pixels of a call. A longer call is drawn at a smaller scale."""
GAP_S = 0.05
"""Audio that comes more than this after the end of the last piece has a gap before it."""
TICKS_S = (1, 5, 10, 60, 300)
USER, WORDS, SOCKETS, EXTRA, MARKS = 80, 140, 165, 190, 215
"""The middle of each row, in pixels from the top."""


def per_second(story: Story) -> float:
    """How many pixels a second of the call takes."""
    return min(PER_SECOND, WIDEST / max(1.0, story.seconds))


def placed(story: Story, audio: bytes | None, rate: int) -> bytes:
    """The audio with silence in its gaps, so that each second of it is a second of the call."""
    pieces, silence, taken = list[bytes](), 0, 0
    for (_, size), late in zip(story.pushes, _lateness(story, rate), strict=True) if audio else ():
        if late > silence + round(GAP_S * rate):
            pieces.append(bytes(2 * (late - silence)))
            silence = late
        pieces.append((audio or b"")[taken : taken + size])
        taken += size
    return b"".join(pieces)


def _lateness(story: Story, rate: int) -> list[int]:
    """How much later each piece of audio was spoken than if all pieces had followed each other, in samples.

    A piece was spoken before it was pushed, and before the pieces that follow it. So pieces that come late and then in
    one burst leave no gap.
    """
    before = accumulate((size // 2 for _, size in story.pushes), initial=0)
    lags = [round(at * rate) - size // 2 - samples for (at, size), samples in zip(story.pushes, before, strict=False)]
    return list(accumulate(reversed(lags), min))[::-1]


def drawing(story: Story, pcm: bytes, rate: int) -> str:
    """The timeline."""
    scale = per_second(story)
    width = round(LEFT + story.seconds * scale + 40)
    parts = [
        '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="0" x2="0" y1="0" y2="6"/></pattern></defs>',
        *_grid(story, scale),
        *(part for turn in story.turns for part in _turn(turn, story, scale)),
        _wave(pcm, rate, scale),
        *_bars("socket", SOCKETS, story.sockets, story, scale),
        *_bars("replay", EXTRA, story.replays, story, scale),
        *_bars("silence", EXTRA, story.silence, story, scale),
        *(
            f'<line class="lost" x1="{_x(socket.end, scale)}" x2="{_x(socket.end, scale)}" y1="{SOCKETS - 12}"'
            f' y2="{SOCKETS + 12}"/>'
            for socket in story.sockets
            if socket.end is not None
        ),
        *(f'<circle class="mark" cx="{_x(mark.start, scale)}" cy="{MARKS}" r="5"/>' for mark in story.marks),
        '<g id="label-marks"></g>',
        '<line id="head" x1="0" x2="0" y1="0" y2="230"/>',
    ]
    return (
        f'<svg id="call" width="{width}" height="{HEIGHT}" aria-hidden="true" data-left="{LEFT}"'
        f' data-per-second="{scale:g}">{"".join(parts)}</svg>'
    )


def _x(at: float | None, scale: float) -> float:
    return round(LEFT + max(0.0, at or 0.0) * scale, 1)


def _grid(story: Story, scale: float) -> Iterator[str]:
    step = next((step for step in TICKS_S if step * scale >= 50), TICKS_S[-1])
    for second in range(0, int(story.seconds) + 1, step):
        x = _x(second, scale)
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="230"/>'
        yield f'<text x="{x}" y="245" text-anchor="middle">{second // 60}:{second % 60:02d}</text>'
    rows = {"User": USER, "Words": WORDS, "Socket": SOCKETS, "Sent again": EXTRA, "Events": MARKS}
    for name, y in rows.items():
        yield f'<text class="lane" x="10" y="{y + 4}">{name}</text>'


def _turn(turn: Turn, story: Story, scale: float) -> Iterator[str]:
    end = story.seconds if turn.end is None else turn.end
    spoken = min(end, turn.speech_end or end)
    rows = USER - 40, USER + 40
    yield _box("turn", Span(turn.speech_start, spoken, f"Turn {turn.number}: {turn.text}"), rows, scale)
    yield _box("waiting", Span(spoken, end, "waiting for the end of the turn"), rows, scale)
    for span in turn.maybe:
        yield _box("maybe", Span(span.start, span.end or story.seconds, "maybe done"), (USER - 30, USER + 30), scale)
    for span in turn.went_on:
        yield f'<circle class="resumed" cx="{_x(span.end, scale)}" cy="{USER}" r="5"><title>went on</title></circle>'
    if turn.end is not None:
        x = _x(turn.end, scale)
        yield f'<line class="over" x1="{x}" x2="{x}" y1="{USER - 50}" y2="{USER + 50}"/>'
        if turn.speech_end is not None:
            yield f'<text x="{x}" y="{USER - 55}" text-anchor="end">{turn.end - turn.speech_end:.2f} s</text>'
    yield f'<text class="lane" x="{_x(turn.speech_start, scale)}" y="14">{turn.number}</text>'
    for at, text in turn.words:
        yield f'<circle class="word" cx="{_x(at, scale)}" cy="{WORDS}" r="3"><title>{_plain(text)}</title></circle>'


def _bars(kind: str, y: int, spans: list[Span], story: Story, scale: float) -> Iterator[str]:
    for span in spans:
        end = story.seconds if span.end is None else span.end
        yield _box(kind, Span(span.start, end, span.note), (y - 5, y + 5), scale)


def _box(kind: str, span: Span, rows: tuple[int, int], scale: float) -> str:
    """A box from the start to the end of a span, between two heights in pixels from the top. Its title is the note."""
    start, end = _x(span.start, scale), _x(span.end, scale)
    top, bottom = rows
    size = f'x="{start}" y="{top}" width="{max(1.0, round(end - start, 1))}" height="{bottom - top}"'
    return f'<rect class="{kind}" {size}><title>{_plain(span.note or kind)}</title></rect>'


def _wave(pcm: bytes, rate: int, scale: float) -> str:
    """The waveform: a vertical line for every 1.5 pixels, as long as the loudest sample there is loud."""
    samples = np.frombuffer(pcm, np.int16)
    each = max(1, round(rate / scale * 1.5))
    blocks = samples[: len(samples) // each * each].reshape(-1, each)
    # Copies of all samples of a long call would take much memory.
    loudest = np.maximum(blocks.max(axis=1, initial=0) / 32768, blocks.min(axis=1, initial=0) / -32768)
    # The ear hears ratios, so the square root makes quiet speech visible.
    peaks = np.sqrt(loudest) * 36
    strokes = (
        f"M{LEFT + (index + 0.5) * each / rate * scale:.1f} {USER - peak:.1f}V{USER + peak:.1f}"
        for index, peak in enumerate(peaks)
        if peak > 0.5
    )
    return f'<path class="wave" d="{"".join(strokes)}"/>'


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
