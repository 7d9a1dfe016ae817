"""A voice agent whose turns come from the speech-to-text, as a LiveKit worker.

    python examples/agent.py console           talk to it in this terminal (needs PortAudio: apt install libportaudio2)
    python examples/agent.py console --text    type to it
    python examples/agent.py dev               serve rooms; needs LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET
    python examples/agent.py start             the same in production

It runs without any vendor's key: speech is then recognized by a local server that each job starts, and answers come
from a few rules, as text. It uses better parts where their keys are set (`uv sync --extra vendors` installs their
plugins):

    CARTESIA_API_KEY      Cartesia hears and speaks
    OPENAI_API_KEY        OpenAI answers
    CARTESIA_TURNS_URL    another server of the turn protocol hears, e.g. one local server for many workers;
                          CARTESIA_API_KEY is then its key, and Cartesia does not speak
"""

from __future__ import annotations

import os

from livekit.agents import (
    NOT_GIVEN,
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobProcess,
    NotGivenOr,
    cli,
    llm,
    room_io,
    tts,
)
from livekit.plugins import cartesia_turns
from offline import OfflineLLM

server = AgentServer()


class Assistant(Agent):
    """What the agent is told to be."""

    def __init__(self) -> None:
        super().__init__(
            instructions="You are a friendly voice assistant. Answer in one or two short sentences, without formatting."
        )


def warm_up(_: JobProcess) -> None:
    """Runs in a new process before it has a job: imports what the first caller should not wait for."""
    if needs_local_server():
        import livekit.plugins.cartesia_turns.server  # noqa: F401, PLC0415  # an extra: may be missing


server.setup_fnc = warm_up


@server.rtc_session()
async def converse(ctx: JobContext) -> None:
    """One job: the conversation in one room."""
    session = build_session(await open_stt(ctx))
    options = room_io.RoomOptions(audio_output=session.tts is not None)
    await session.start(Assistant(), room=ctx.room, room_options=options)


def build_session(stt: cartesia_turns.STT) -> AgentSession[None]:
    """A session in which the STT alone says when the user's turn starts and ends.

    Both settings are needed: without `turn_detection` the session ignores what the STT says about turns, and a VAD
    would interrupt the agent by rules of its own.
    """
    return AgentSession(
        stt=stt,
        vad=None,
        turn_handling={"turn_detection": "stt"},
        llm=choose_llm(),
        tts=choose_tts(),
    )


async def open_stt(ctx: JobContext) -> cartesia_turns.STT:
    """Cartesia, the server at CARTESIA_TURNS_URL, or a local server that lives as long as the job."""
    if not needs_local_server():
        return cartesia_turns.STT(base_url=os.environ.get("CARTESIA_TURNS_URL", "https://api.cartesia.ai"))
    from livekit.plugins.cartesia_turns.server import LocalServer  # noqa: PLC0415  # an extra: may be missing

    local = await LocalServer().__aenter__()
    ctx.add_shutdown_callback(local.aclose)
    return cartesia_turns.STT(api_key=local.key, base_url=local.url)


def needs_local_server() -> bool:
    return not os.environ.get("CARTESIA_TURNS_URL") and not os.environ.get("CARTESIA_API_KEY")


def choose_llm() -> llm.LLM[str]:
    if not os.environ.get("OPENAI_API_KEY"):
        return OfflineLLM()
    from livekit.plugins.openai import LLM  # noqa: PLC0415  # an extra: may be missing

    model: llm.LLM[str] = LLM()
    return model


def choose_tts() -> NotGivenOr[tts.TTS[str]]:
    if not os.environ.get("CARTESIA_API_KEY") or os.environ.get("CARTESIA_TURNS_URL"):
        return NOT_GIVEN
    from livekit.plugins.cartesia import TTS  # noqa: PLC0415  # an extra: may be missing

    voice: tts.TTS[str] = TTS()
    return voice


if __name__ == "__main__":
    cli.run_app(server)
