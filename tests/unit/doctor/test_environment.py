from __future__ import annotations

import re
from importlib.metadata import requires

import pytest
from livekit.plugins.cartesia_turns import compat
from livekit.plugins.cartesia_turns.doctor import environment
from support.verdicts import advised, called, levels

SECRET = "sk-the-very-secret-key"


def install(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    found = {"livekit-agents": "1.8.9", "aiohttp": "3.14.5", **{k.replace("_", "-"): v for k, v in versions.items()}}
    monkeypatch.setattr(environment, "version", found.__getitem__)


def test_all_is_well_with_the_newest_versions_and_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    monkeypatch.setattr(compat, "TELLS_SESSION", True)
    monkeypatch.setenv("CARTESIA_API_KEY", SECRET)
    verdicts = environment.check(None)
    assert set(levels(verdicts).values()) == {"ok"}
    assert SECRET not in str(verdicts)


@pytest.mark.parametrize(
    ("version", "tells_session", "level", "says"),
    [
        ("1.7.9", False, "problem", "1.8.0 or newer"),
        ("1.8.0", False, "warning", "1.8.9 or newer"),
        ("1.8.8", False, "warning", "1.8.9 or newer"),
        ("1.8.9", True, "ok", ""),
        ("1.10.0", True, "ok", ""),
        ("2.0.0b1", True, "ok", ""),
        ("3.0.0", True, "warning", "Upgrade this plugin"),
    ],
)
def test_a_livekit_agents_of_another_age_lacks_something(
    monkeypatch: pytest.MonkeyPatch, version: str, tells_session: bool, level: str, says: str
) -> None:
    install(monkeypatch, livekit_agents=version)
    monkeypatch.setattr(compat, "TELLS_SESSION", tells_session)
    found, advice = advised(called("livekit-agents", environment.check(None)))
    assert found == level
    assert says in advice


def test_an_aiohttp_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, aiohttp="3.14.0")
    level, advice = advised(called("aiohttp", environment.check(None)))
    assert level == "problem"
    assert "3.14.1" in advice


def test_a_package_that_is_not_there_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(environment.OLDEST, "aiohttp-that-is-none", "1.0")
    monkeypatch.setattr(environment, "AIOHTTP", "aiohttp-that-is-none")
    assert "not installed" in called("aiohttp-that-is-none", environment.check(None)).what


def test_a_python_that_is_too_old_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (99, 0))
    assert advised(called("python", environment.check(None)))[0] == "problem"


def test_the_oldest_versions_are_those_that_the_package_asks_for() -> None:
    asked = [line for line in requires("livekit-plugins-cartesia-turns") or [] if "extra ==" not in line]
    oldest = {re.split("[<>=!;]", line)[0].strip(): re.findall(">=([0-9.]+)", line)[0] for line in asked}
    assert oldest == environment.OLDEST


def test_without_a_key_the_variable_is_named() -> None:
    level, advice = advised(called("key", environment.check(None)))
    assert level == "problem"
    assert "CARTESIA_API_KEY" in advice


@pytest.mark.parametrize("value", [f'"{SECRET}"', f"'{SECRET}", f"{SECRET}é"])
def test_a_key_with_something_around_or_in_it_is_a_problem_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", value)
    verdict = called("key", environment.check(None))
    assert advised(verdict)[0] == "problem"
    assert SECRET not in str(verdict)


def test_a_token_is_looked_for_in_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert advised(called("token", environment.check("MY_TOKEN")))[0] == "problem"
    monkeypatch.setenv("MY_TOKEN", SECRET)
    verdict = called("token", environment.check("MY_TOKEN"))
    assert advised(verdict)[0] == "ok"
    assert SECRET not in str(verdict)
