"""What is installed, and whether there is a key: no network is needed."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version

from .. import compat
from ..net.dialer import KEY_VARIABLE
from ..version import __version__
from ..wire.checks import credential
from .verdict import Verdict, ok, problem, warning

OLDEST_PYTHON = (3, 10)
AGENTS = "livekit-agents"
AIOHTTP = "aiohttp"
OLDEST = {AGENTS: "1.8.0", AIOHTTP: "3.14.1"}
"""The oldest versions that the plugin works with."""
WHOLE = "1.8.9"
"""The oldest livekit-agents under which the plugin can do all that it does."""
LACKING = (
    "manual turns that end at once, the warning about a wrong turn detection mode, several sessions on one STT, and "
    "several STTs in one session"
)
"""What is missing if the framework does not tell a stream which session it serves."""
UNTRIED = "3"
"""The first livekit-agents that this version of the plugin was not made for."""
QUOTES = "\"'`"


def check(token_variable: str | None) -> list[Verdict]:
    """Everything about this machine.

    Args:
        token_variable: the environment's variable with an access token, in place of the key.
    """
    return [_python(), _agents(), _aiohttp(), _credential(token_variable)]


def _python() -> Verdict:
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return problem("python", f"Python {found} is too old.", f"Use Python {oldest} or newer.")
    return ok("python", f"Python {found}, livekit-plugins-cartesia-turns {__version__}.")


def _agents() -> Verdict:
    found = _version(AGENTS)
    if _parts(found) >= _parts(UNTRIED):
        what = f"{AGENTS} {found} is newer than the versions that this plugin was tested with."
        advice = f'Upgrade this plugin, or install an older version: pip install "{AGENTS}<{UNTRIED}".'
        return warning(AGENTS, what, advice)
    if _parts(found) >= _parts(OLDEST[AGENTS]) and not compat.TELLS_SESSION:
        advice = f"Install {WHOLE} or newer: pip install --upgrade {AGENTS}."
        return warning(AGENTS, f"With {AGENTS} {found} these features are missing: {LACKING}.", advice)
    return _at_least(AGENTS, found)


def _aiohttp() -> Verdict:
    return _at_least(AIOHTTP, _version(AIOHTTP))


def _at_least(name: str, found: str) -> Verdict:
    if _parts(found) < _parts(OLDEST[name]):
        what = f"{name} {found} is too old." if found else f"{name} is not installed."
        return problem(name, what, f"Install {OLDEST[name]} or newer: pip install --upgrade {name}.")
    return ok(name, f"{name} {found}.")


def _credential(token_variable: str | None) -> Verdict:
    name, kind = ("token", "access token") if token_variable else ("key", "key")
    variable = token_variable or KEY_VARIABLE
    try:
        found = credential(variable, os.environ.get(variable))
    except ValueError as error:
        # The text names the variable and says what is wrong with its value, without showing it.
        return problem(name, f"The {kind} can't be sent: {error}.", f"Set {variable} to the {kind} alone.")
    if found is None:
        advice = f"Set {variable}; keys are made at https://play.cartesia.ai/keys."
        if token_variable:
            advice = f"Set {variable} to a short-lived token, which your own server requests from Cartesia."
        return problem(name, f"There is no {kind}: {variable} is not set.", advice)
    if found[0] in QUOTES or found[-1] in QUOTES:
        what = f"{variable} begins or ends with a quotation mark, which would be sent with the {kind}."
        return problem(name, what, f"Set {variable} to the {kind} without quotation marks.")
    return ok(name, f"{variable} is set (its value is not shown).")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _parts(text: str) -> tuple[int, ...]:
    """The numbers of a release, so that they can be compared; what marks a pre-release is left out."""
    release = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, release[0].split("."))) if release else ()
