"""Options that change while calls go on: the user's for all calls, and for each call what lies on top of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .core.changes import Rejected, settings_of, undone, without
from .core.events import ClientEvent, Kind, TurnEvent
from .wire.checks import shown
from .wire.messages import Config, TurnSettings
from .wire.options import Options, fitting_keyterms, merge, whole

CHANGES_KEPT = 8
"""How many of the user's last changes can be undone if the server rejects one."""
PROFILES: dict[str, TurnSettings] = {
    "yes_no": TurnSettings(eager_end_threshold=0.55, end_threshold=0.4, end_timeout_ms=1200),
    "digits": TurnSettings(eager_end_threshold=0.3, end_threshold=0.08, end_timeout_ms=8000),
    "open": TurnSettings(eager_end_threshold=0.35, end_threshold=0.12, end_timeout_ms=7000),
}
"""`yes_no` ends a turn early. `digits` waits longer in the pauses of a number, `open` while the user thinks aloud."""


def profile_settings(name: str | None, settings: dict[str, float]) -> TurnSettings:
    """The turn settings of a named profile, changed by single settings.

    Args:
        name: one of PROFILES; None keeps the settings in force.
        settings: fields of TurnSettings: start_threshold, eager_end_threshold, end_threshold, end_timeout_ms.

    Raises:
        ValueError: there is no such profile or setting.
    """
    if name is not None and (not isinstance(name, str) or name not in PROFILES):
        raise ValueError(f"profile={shown(name)} is not known: it must be one of {', '.join(PROFILES)}")
    unknown = set(settings) - set(TurnSettings.__slots__)
    if unknown:
        raise ValueError(f"{min(unknown)} is not a turn setting: the settings are {', '.join(TurnSettings.__slots__)}")
    base = PROFILES[name] if name else TurnSettings()
    start, eager_end, end, timeout_ms = (settings.get(field, getattr(base, field)) for field in TurnSettings.__slots__)
    return TurnSettings(start, eager_end, end, whole(timeout_ms))


class Profile:
    """Turn settings that hold for a while. Two profiles with the same settings are still two."""

    def __init__(self, settings: TurnSettings) -> None:
        self.settings = settings


class UserOptions:
    """The user's options, which all calls share.

    Args:
        base: the options that the STT was made with.
    """

    def __init__(self, base: Options) -> None:
        self._bases = [base]
        self.profiles: list[Profile] = []
        """The profiles that hold for all calls, including those that have not begun yet."""

    @property
    def base(self) -> Options:
        """The options that the user asked for last, without changes that the server rejected."""
        return self._bases[-1]

    def change(self, options: Options, calls: Iterable[CallOptions]) -> None:
        """Changes the options.

        Args:
            options: all options, both the new ones and those that stay.
            calls: the calls whose profiles must fit the options.

        Raises:
            ValueError: the options do not fit a profile in force. Nothing is changed then.
        """
        for call in calls:
            call.check(options)
        self._bases = [*self._bases[-CHANGES_KEPT:], options]

    def reject(self, rejected: Rejected) -> None:
        """Undoes the change that the server rejected, if it was one of the user's."""
        for index in range(1, len(self._bases)):
            before = settings_of(self._bases[index - 1])
            self._bases[index] = without(self._bases[index], replace(rejected, before=before))


class CallOptions:
    """The options of one call's connections: the user's, the session's keyterms, and profiles on top.

    Args:
        user: the user's options.
    """

    def __init__(self, user: UserOptions) -> None:
        self._user = user
        self._profiles = {profile: profile.settings for profile in user.profiles}
        self._leaving: set[Profile] = set()
        self._rejected: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.session_keyterms: tuple[str, ...] = ()
        """The session's terms, which are added to the user's."""
        self.turns: int = 0
        """How many turns have begun."""

    @property
    def current(self) -> Options:
        """The options with all of this together. Keyterms have no repetitions, and keep to the server's limits."""
        base = self._user.base
        keyterms, _ = self._keyterms()
        return replace(base, turn=self._turn(base), keyterms=self._rejected.get(keyterms, keyterms))

    @property
    def keyterms_left_out(self) -> int:
        """How many keyterms are left out because of the server's limits."""
        return self._keyterms()[1]

    def check(self, base: Options, profile: Profile | None = None) -> Options:
        """Checks that the profiles in force, and `profile` on top of them, fit these options of the user.

        Returns:
            These options with the profiles on top.

        Raises:
            ValueError: they do not fit.
        """
        turn = self._turn(base, without=self._leaving)
        return replace(base, turn=merge(turn, profile.settings) if profile else turn)

    def push(self, profile: Profile) -> None:
        """Puts a profile on top. It replaces any that would leave at the next end of turn.

        Raises:
            ValueError: it does not fit the options in force. Nothing is changed then.
        """
        self.check(self._user.base, profile)
        for leaving in self._leaving:
            del self._profiles[leaving]
        self._leaving.clear()
        self._profiles[profile] = profile.settings

    def remove(self, profile: Profile, *, after_turn: bool) -> None:
        """Takes a profile away: at once, or with `after_turn` when the open turn ends or, without one, the next."""
        if profile not in self._profiles:
            return
        if after_turn:
            self._leaving.add(profile)
        else:
            del self._profiles[profile]

    def hear(self, event: ClientEvent) -> bool:
        """Takes an event of the call's client, and returns whether it changed the options."""
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
        """Removes a change that the server rejected from the options, keyterms or profile that it came from."""
        self._user.reject(rejected)
        if rejected.change.keyterms is not None and rejected.before.keyterms is not None:
            self._rejected[rejected.change.keyterms] = rejected.before.keyterms
        alone = replace(rejected, before=Config())
        self._profiles = {profile: undone(Config(settings), alone).turn for profile, settings in self._profiles.items()}
        try:
            self.check(self._user.base)
        except ValueError:
            # Without the rejected settings the profiles do not fit the options, so they change nothing any more.
            self._profiles = dict.fromkeys(self._profiles, TurnSettings())

    def _turn(self, base: Options, *, without: Iterable[Profile] = ()) -> TurnSettings:
        turn = base.turn
        for profile, settings in self._profiles.items():
            turn = turn if profile in without else merge(turn, settings)
        return turn

    def _keyterms(self) -> tuple[tuple[str, ...], int]:
        return fitting_keyterms((*self._user.base.keyterms, *self.session_keyterms))
