"""Options as they change while calls go on: the user's for all calls, and for each call what lies on top of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .core.configs import Rejected, settings_of, undone, without
from .core.events import ClientEvent
from .core.turn import Kind, TurnEvent
from .wire.checks import shown
from .wire.messages import Config, TurnSettings
from .wire.options import Options, fitting_keyterms, merge, whole

KEPT = 8
"""How many of the user's changes can be undone, should the server reject one."""
PROFILES: dict[str, TurnSettings] = {
    "yes_no": TurnSettings(eager_end_threshold=0.55, end_threshold=0.4, end_timeout_ms=1200),
    "digits": TurnSettings(eager_end_threshold=0.3, end_threshold=0.08, end_timeout_ms=8000),
    "open": TurnSettings(eager_end_threshold=0.35, end_threshold=0.12, end_timeout_ms=7000),
}
"""`yes_no` ends a turn early, `digits` bears the pauses within a number, `open` those of somebody who thinks aloud."""


def profile_settings(name: str | None, settings: dict[str, float]) -> TurnSettings:
    """A named profile, changed by single settings.

    Args:
        name: one of PROFILES; None starts from the settings in force.
        settings: fields of TurnSettings: start_threshold, eager_end_threshold, end_threshold, end_timeout_ms.

    Raises:
        ValueError: there is no such profile or setting.
    """
    if name is not None and (not isinstance(name, str) or name not in PROFILES):
        raise ValueError(f"profile={shown(name)} is not known: it must be one of {', '.join(PROFILES)}")
    unknown = set(settings) - set(TurnSettings.__slots__)
    if unknown:
        raise ValueError(f"{min(unknown)} is not a turn setting: they are {', '.join(TurnSettings.__slots__)}")
    base = PROFILES[name] if name else TurnSettings()
    start, eager_end, end, timeout_ms = (settings.get(field, getattr(base, field)) for field in TurnSettings.__slots__)
    return TurnSettings(start, eager_end, end, whole(timeout_ms))


class Profile:
    """Turn settings that hold for a while. Each is one of its own, even if another has the same settings."""

    def __init__(self, settings: TurnSettings) -> None:
        self.settings = settings


class UserOptions:
    """The user's options, which all calls share.

    Args:
        base: those of the construction.
    """

    def __init__(self, base: Options) -> None:
        self._bases = [base]
        self.profiles: list[Profile] = []
        """Those that hold for all calls, also for those that are yet to begin."""

    @property
    def base(self) -> Options:
        """What was asked for last, but for what the server rejected."""
        return self._bases[-1]

    def change(self, options: Options, calls: Iterable[CallOptions]) -> None:
        """Changes them.

        Args:
            options: all of them, the new and those that stay.
            calls: whose profiles they have to fit.

        Raises:
            ValueError: they do not fit a profile in force. Nothing is changed then.
        """
        for call in calls:
            call.check(options)
        self._bases = [*self._bases[-KEPT:], options]

    def reject(self, rejected: Rejected) -> None:
        """Undoes the change that the server rejected, where it was one of the user's."""
        for index in range(1, len(self._bases)):
            before = settings_of(self._bases[index - 1])
            self._bases[index] = without(self._bases[index], replace(rejected, before=before))


class CallOptions:
    """What the connections of one call are opened with: the user's options, the session's keyterms, profiles on top.

    Args:
        user: the user's options.
    """

    def __init__(self, user: UserOptions) -> None:
        self._user = user
        self._profiles = {profile: profile.settings for profile in user.profiles}
        self._leaving: set[Profile] = set()
        self._rejected: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.session_keyterms: tuple[str, ...] = ()
        """Terms that join the user's."""
        self.turns: int = 0
        """How many turns began."""

    @property
    def current(self) -> Options:
        """All together. Keyterms are without repetitions, as far as the server's limits go."""
        base = self._user.base
        keyterms, _ = self._keyterms()
        return replace(base, turn=self._turn(base), keyterms=self._rejected.get(keyterms, keyterms))

    @property
    def keyterms_left_out(self) -> int:
        """How many keyterms are over the server's limits."""
        return self._keyterms()[1]

    def check(self, base: Options, profile: Profile | None = None) -> Options:
        """Checks that the profiles in force, and this one on top, fit these options of the user's.

        Returns:
            These options with the profiles on top.

        Raises:
            ValueError: they do not.
        """
        turn = self._turn(base, without=self._leaving)
        return replace(base, turn=merge(turn, profile.settings) if profile else turn)

    def push(self, profile: Profile) -> None:
        """Puts a profile on top, in place of one that is to leave with the next turn.

        Raises:
            ValueError: it does not fit what is in force. Nothing is changed then.
        """
        self.check(self._user.base, profile)
        for leaving in self._leaving:
            del self._profiles[leaving]
        self._leaving.clear()
        self._profiles[profile] = profile.settings

    def remove(self, profile: Profile, *, after_turn: bool) -> None:
        """Takes a profile away, where wanted not before the open turn is over, or else the next."""
        if profile not in self._profiles:
            return
        if after_turn:
            self._leaving.add(profile)
        else:
            del self._profiles[profile]

    def hear(self, event: ClientEvent) -> bool:
        """The call's client said this. Returns whether that changed the options."""
        if isinstance(event, Rejected):
            self.reject(event)
        elif isinstance(event, TurnEvent) and event.kind is Kind.START:
            self.turns += 1
        elif isinstance(event, TurnEvent) and event.kind is Kind.END:
            return self.turn_ended()
        return False

    def turn_ended(self) -> bool:
        """A turn is over. Returns whether that changed the options."""
        changed = bool(self._leaving)
        for profile in self._leaving:
            del self._profiles[profile]
        self._leaving.clear()
        return changed

    def reject(self, rejected: Rejected) -> None:
        """The server rejected a change: whatever it came from is without it from now on."""
        self._user.reject(rejected)
        if rejected.change.keyterms is not None and rejected.before.keyterms is not None:
            self._rejected[rejected.change.keyterms] = rejected.before.keyterms
        alone = replace(rejected, before=Config())
        self._profiles = {profile: undone(Config(settings), alone).turn for profile, settings in self._profiles.items()}
        try:
            self.check(self._user.base)
        except ValueError:
            # What is left of the profiles is no use without the rest.
            self._profiles = dict.fromkeys(self._profiles, TurnSettings())

    def _turn(self, base: Options, *, without: Iterable[Profile] = ()) -> TurnSettings:
        turn = base.turn
        for profile, settings in self._profiles.items():
            turn = turn if profile in without else merge(turn, settings)
        return turn

    def _keyterms(self) -> tuple[tuple[str, ...], int]:
        return fitting_keyterms((*self._user.base.keyterms, *self.session_keyterms))
