"""A voice agent whose turns come from the speech-to-text, as a LiveKit worker.

    python examples/agent.py console                       talk to it in this terminal
    python examples/agent.py console --text                type to it; both need PortAudio (libportaudio2)
    python -m livekit.agents start examples/agent.py       serve rooms; needs LIVEKIT_URL, LIVEKIT_API_KEY and
                                                           LIVEKIT_API_SECRET; --dev while you develop

It runs without any key of a vendor: each job then starts a local server that recognizes speech, a few rules answer, and
espeak-ng speaks where it is installed; else the answers are text. It uses better parts where their keys are set and
their plugins installed (`make vendors`):

    CARTESIA_API_KEY      Cartesia hears and speaks
    OPENAI_API_KEY        OpenAI answers
    CARTESIA_TURNS_URL    another server of the turn protocol hears, e.g. one local server for many workers;
                          CARTESIA_API_KEY is then its key, and Cartesia does not speak
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, AsyncIterator
from importlib.util import find_spec

import espeak
from espeak import EspeakTTS
from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    ModelSettings,
    NotGivenOr,
    RunContext,
    cli,
    llm,
    room_io,
    stt,
    tts,
)
from livekit.plugins import cartesia_turns
from newest_guest import NewestGuest
from offline import OfflineLLM
from printable import visible
from turn_feed import TurnFeed

ROOMS = 12
"""How many rooms one worker serves at once."""
FULL = 0.7
"""The load from which a worker gets no more rooms, by default, in production and from livekit-server."""


def fullness(worker: AgentServer) -> float:
    """How much of the worker is taken, 0 to FULL: LiveKit prefers workers that have more left.

    The default, the machine's CPU load, turns visitors away whenever the machine is busy with something else.
    """
    return FULL * min(len(worker.active_jobs) / ROOMS, 1.0)


# Two processes stand ready, so that a visitor does not wait for one to start. An empty worker takes no more than two
# visitors at one moment. The health endpoint is for this machine alone, at any free port, so that a second worker can
# run beside this one: a container probe needs host="" and a port.
server = AgentServer(host="127.0.0.1", port=0, num_idle_processes=2, load_fnc=fullness)

KEYTERMS = ("LiveKit", "Cartesia", "Ink")
"""Words the speech-to-text would hardly guess by itself."""


class Assistant(Agent):
    """What the agent is told to be."""

    def __init__(self, ears: cartesia_turns.STT) -> None:
        super().__init__(
            instructions="You are a friendly voice assistant. Answer in one or two short sentences, without formatting."
        )
        self._ears = ears

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterator[stt.SpeechEvent]:
        """What the user said, made safe for a terminal: the console shows it in its log, and answers may quote it."""
        async for event in Agent.default.stt_node(self, audio, model_settings):
            for heard in event.alternatives:
                heard.text = visible(heard.text)
            yield event

    @llm.function_tool
    async def ask_for_number(self, context: RunContext[None], question: str) -> None:
        """Ask the user for a number of many digits, such as a phone number or an order number.

        Args:
            question: What to ask, in one sentence.
        """
        # People pause within a number, so until it is said only a longer pause ends the turn. The question is not
        # awaited, since it is asked only after this tool has returned; the profile stays until the answer is over.
        with self._ears.turn_profile("digits"):
            context.session.say(question)


def warm_up(_: JobProcess) -> None:
    """Runs in a new process before it has a job: imports what the first caller should not wait for."""
    if needs_local_server():
        import livekit.plugins.cartesia_turns.server  # noqa: F401, PLC0415  # an extra: may be missing


server.setup_fnc = warm_up


@server.rtc_session()
async def converse(ctx: JobContext) -> None:
    """One job: the conversation in one room."""
    ears = await open_stt(ctx)
    session = build_session(ears)
    # The session by itself would wait for the user's first words before it silences the agent.
    cartesia_turns.interrupt_on_turn_start(session, ears)
    has_room = not ctx.is_fake_job()  # the console has none
    if has_room:
        ctx.add_shutdown_callback(TurnFeed(ears, session, ctx.room).aclose)
    options = room_io.RoomOptions(
        # The user's words and the agent's go to the room as text; with a voice, the agent's as it speaks them.
        text_output=True,
        audio_output=session.tts is not None,
        # A user who leaves may come back, but nobody is left alone with an agent whose session is over.
        close_on_disconnect=False,
        delete_room_on_close=True,
    )
    await session.start(Assistant(ears), room=ctx.room, room_options=options)
    if has_room:
        ctx.add_shutdown_callback(NewestGuest(session, ctx.room).aclose)


def build_session(ears: cartesia_turns.STT) -> AgentSession[None]:
    """A session in which the STT alone says when the user's turn starts and ends.

    Both settings are needed: without `turn_detection` the session ignores what the STT says about turns, and a VAD
    would interrupt the agent by rules of its own.
    """
    return AgentSession(
        stt=ears,
        vad=None,
        # The server has waited long enough when it says that a turn is over: no more waiting here.
        turn_handling=cartesia_turns.turn_handling(endpointing={"min_delay": 0.0}),
        # Browsers cancel echo from the first moment, so the user may interrupt from the first moment too.
        aec_warmup_duration=None,
        llm=choose_llm(),
        tts=choose_tts(),
    )


async def open_stt(ctx: JobContext) -> cartesia_turns.STT:
    """Cartesia, the server at CARTESIA_TURNS_URL, or a local server that lives as long as the job."""
    if not needs_local_server():
        url = os.environ.get("CARTESIA_TURNS_URL", "https://api.cartesia.ai")
        return cartesia_turns.STT(base_url=url, keyterm=KEYTERMS)
    from livekit.plugins.cartesia_turns.server import LocalServer  # noqa: PLC0415  # an extra: may be missing

    local = LocalServer()
    await local.start()
    ctx.add_shutdown_callback(local.aclose)
    return cartesia_turns.STT(api_key=local.key, base_url=local.url, keyterm=KEYTERMS)


def needs_local_server() -> bool:
    return not os.environ.get("CARTESIA_TURNS_URL") and not os.environ.get("CARTESIA_API_KEY")


def uses_openai() -> bool:
    return bool(os.environ.get("OPENAI_API_KEY"))


def speaks_with_cartesia() -> bool:
    return bool(os.environ.get("CARTESIA_API_KEY")) and not os.environ.get("CARTESIA_TURNS_URL")


def missing_plugins() -> list[str]:
    """What the keys that are set ask for and this environment lacks."""
    wanted = {"livekit-plugins-openai": uses_openai(), "livekit-plugins-cartesia": speaks_with_cartesia()}
    return [name for name, used in wanted.items() if used and not find_spec(name.replace("-", "."))]


def choose_llm() -> llm.LLM[str]:
    if not uses_openai():
        return OfflineLLM()
    from livekit.plugins.openai import LLM  # noqa: PLC0415  # an extra: may be missing

    model: llm.LLM[str] = LLM()
    return model


def choose_tts() -> NotGivenOr[tts.TTS[str]]:
    if not speaks_with_cartesia():
        return EspeakTTS() if espeak.is_installed() else NOT_GIVEN
    from livekit.plugins.cartesia import TTS  # noqa: PLC0415  # an extra: may be missing

    voice: tts.TTS[str] = TTS()
    return voice


if __name__ == "__main__":
    if missing := missing_plugins():
        sys.exit(f"a key is set, but its plugin is missing: {', '.join(missing)}; `make vendors` installs it")
    cli.run_app(server)
