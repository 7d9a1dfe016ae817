"""The calls of an STT: whose session each one is, and the options that are in force for it."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .agent_session import keyterms_of, may_be_in_session
from .live import CallOptions, Profile, UserOptions
from .wire.options import Options

if TYPE_CHECKING:
    from livekit.agents import AgentSession


class Calls:
    """The options of all calls of one STT. A call is forgotten when its session and its streams are gone.

    Args:
        options: what the STT was made with.
    """

    def __init__(self, options: Options) -> None:
        self._user = UserOptions(options)
        self._all: weakref.WeakSet[CallOptions] = weakref.WeakSet()
        self._of_some_session: weakref.WeakSet[CallOptions] = weakref.WeakSet()
        self._sessions: weakref.WeakKeyDictionary[AgentSession[Any], CallOptions] = weakref.WeakKeyDictionary()
        self._session_keyterms: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[CallOptions]:
        return iter(list(self._all))

    @property
    def base(self) -> Options:
        """The options that the user asked for last, without changes that the server rejected."""
        return self._user.base

    def of(self, session: AgentSession[Any] | None) -> CallOptions:
        """The options of this session's call; without a session, those of a call that begins now."""
        if session is None:
            call = CallOptions(self._user)
            if may_be_in_session():
                # The session can't be told, so the call gets the keyterms that the framework set last.
                self._of_some_session.add(call)
                call.session_keyterms = self._session_keyterms
        else:
            call = self._sessions.setdefault(session, CallOptions(self._user))
            call.session_keyterms = keyterms_of(session)
            # These keyterms were for the connection that this session prewarmed. The next session has its own.
            self._session_keyterms = ()
        self._all.add(call)
        return call

    def to_come(self) -> CallOptions:
        """The options of the session's call that is expected next, for a connection that is opened before it."""
        call = CallOptions(self._user)
        call.session_keyterms = self._session_keyterms
        return call

    def change(self, options: Options) -> None:
        """Changes the user's options for all calls.

        Raises:
            ValueError: the options do not fit a profile in force. Nothing is changed then.
        """
        self._user.change(options, [CallOptions(self._user), *self._all])

    def set_keyterms(self, keyterms: Iterable[str]) -> None:
        """Sets the keyterms of a session that the framework does not name."""
        self._session_keyterms = tuple(keyterms)
        for call in self._of_some_session:
            call.session_keyterms = self._session_keyterms
        for session, call in self._sessions.items():
            call.session_keyterms = keyterms_of(session)

    def with_profile(self, profile: Profile, calls: Iterable[CallOptions] | None) -> list[Options]:
        """The options with a profile on top: of these calls, or of all, and of a call that has not begun.

        Such a call is checked too, since its beginning would be too late for an error.

        Raises:
            ValueError: the profile does not fit.
        """
        calls = self._all if calls is None else calls
        return [call.check(self._user.base, profile) for call in (CallOptions(self._user), *calls)]

    def push(self, profile: Profile, calls: Iterable[CallOptions] | None) -> dict[CallOptions, int]:
        """Puts a profile on top of the options of these calls. None means all, and those that begin meanwhile.

        Returns:
            Each call that has the profile now, and how many turns it had before.
        """
        begun = {call: call.turns for call in (self._all if calls is None else calls)}
        for call in begun:
            call.push(profile)
        if calls is None:
            self._user.profiles.append(profile)
        return begun

    def remove(self, profile: Profile, begun: Mapping[CallOptions, int], *, in_turn: Collection[CallOptions]) -> None:
        """Takes a profile from each call that has it, once the turn that answers the question is over.

        Args:
            profile: the profile.
            begun: what `push` returned.
            in_turn: the calls in which a turn is open.
        """
        if profile in self._user.profiles:
            self._user.profiles.remove(profile)
        for call in self._all:
            call.remove(profile, after_turn=call in in_turn or call.turns == begun.get(call, 0))
