"""The documents of the project as tests read them: pages, their links, commands and snippets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "livekit-plugins-cartesia-turns"
PACKAGE = PLUGIN / "livekit/plugins/cartesia_turns"
DOCS = PLUGIN / "docs"
READMES = [ROOT / "README.md", PLUGIN / "README.md"]
GUIDES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
PAGES = [*READMES, *GUIDES, *sorted(DOCS.glob("*.md"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def page(name: str) -> str:
    """The text of one page of the documentation."""
    return (DOCS / f"{name}.md").read_text()


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    return re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, cell by cell, without the lines below their heads."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    return [row for row in cells if set("".join(row)) - set("-| ")]


def links(text: str) -> list[str]:
    """The targets of links to other places of the project."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as Markdown viewers and the built pages make them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[str]:
    """What a reader may type: lines indented by four, and what stands in backticks, without comments."""
    blocks = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for line in [*re.findall(r"^    (.*)$", blocks, re.MULTILINE), *re.findall(r"`([^`\n]+)`", blocks)]:
        yield re.split(r"\s+#", line)[0].strip()


def snippets(text: str) -> list[str]:
    """The Python in a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
