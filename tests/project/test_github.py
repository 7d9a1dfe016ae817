"""What somebody who wants to change the project, or to say what is wrong with it, finds at its root and on GitHub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from livekit.plugins.cartesia_turns.server import Faults
from support.pages import PACKAGE, PLUGIN, ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: Path) -> list[str]:
    """The commands of a workflow."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_make_and_only_targets_that_there_are(workflow: Path) -> None:
    called = [command.split()[1] for command in steps(workflow) if command.startswith("make ")]
    assert called
    assert set(called) <= TARGETS
    assert all(command.startswith(("make ", "sudo apt-get ")) for command in steps(workflow))


def test_the_workflows_run_what_a_change_must_pass_on_the_oldest_and_the_newest_python() -> None:
    wanted = set(re.findall(r"^ *make ([a-z-]+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    assert wanted <= {command.split()[1] for command in steps(GITHUB / "workflows/check.yml") if "make" in command}
    pythons = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (PLUGIN / "pyproject.toml").read_text())
    quick: dict[str, Any] = yaml.safe_load((GITHUB / "workflows/check.yml").read_text())["jobs"]["quick"]
    assert quick["strategy"]["matrix"]["python"] == [pythons[0], pythons[-1]]


def test_the_workflows_check_and_run_the_quick_tests_on_linux_and_macos_and_on_both_event_loops() -> None:
    jobs: dict[str, Any] = yaml.safe_load((GITHUB / "workflows/check.yml").read_text())["jobs"]
    for job in ("check", "quick"):
        systems = {system.split("-")[0] for system in jobs[job]["strategy"]["matrix"]["os"]}
        assert systems == {"ubuntu", "macos"}
    quick = jobs["quick"]
    assert quick["strategy"]["matrix"]["loop"] == ["asyncio", "uvloop"]
    assert quick["env"] == {"LOOP": "${{ matrix.loop }}"}
    assert any("not slow and not room" in step.get("run", "") for step in quick["steps"])


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_has_what_github_asks_for(form: Path) -> None:
    fields = yaml.safe_load(form.read_text())
    assert fields.keys() >= {"name", "description", "body"}
    asked = [field for field in fields["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)
    assert any(field.get("validations", {}).get("required") for field in asked)


def test_each_module_that_a_contributor_is_sent_to_is_there() -> None:
    named = re.findall(r"`([\w/.]+\.py)`", CONTRIBUTING)
    assert len(named) > 15
    assert [name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()] == []


def test_what_was_tried_as_new_is_not_there_already() -> None:
    """The examples of new things are invented: one that came to be needs another name."""
    assert "repeat_end" in CONTRIBUTING
    assert not hasattr(Faults(), "repeat_end")
    assert "turn.hold" not in (PACKAGE / "wire/messages.py").read_text()
    assert "polite" not in (PACKAGE / "settings.py").read_text()


def test_the_marks_that_a_contributor_is_told_of_are_those_of_the_tests() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", CONTRIBUTING.split("## Tests")[1], re.MULTILINE))
    known = set(re.findall(r'^  "(\w+): ', (ROOT / "pyproject.toml").read_text().split("markers = [")[1], re.MULTILINE))
    assert told <= known
    assert {"slow", "room", "recognizer"} <= told
