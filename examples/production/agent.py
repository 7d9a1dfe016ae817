"""A worker for production: Cartesia hears and speaks, OpenAI answers.

    python -m livekit.agents start agent.py

It needs livekit-plugins-openai and livekit-plugins-cartesia, LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET,
CARTESIA_API_KEY and OPENAI_API_KEY.
"""

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, room_io
from livekit.plugins import cartesia, cartesia_turns, openai

HEALTH_PORT = 8081

# Any address, since the probe of a container comes from outside it. A second worker on this machine needs another port.
server = AgentServer(host="", port=HEALTH_PORT, drain_timeout=600)


@server.rtc_session()
async def converse(ctx: JobContext) -> None:
    """One job: the conversation in one room."""
    stt = cartesia_turns.STT()
    session: AgentSession[None] = AgentSession(
        stt=stt,
        vad=None,
        turn_handling=cartesia_turns.turn_handling(),
        llm=openai.LLM(),
        tts=cartesia.TTS(),
    )
    cartesia_turns.interrupt_on_turn_start(session, stt)
    agent = Agent(instructions="You are a friendly voice assistant. Answer in one or two short sentences.")
    options = room_io.RoomOptions(delete_room_on_close=True)
    await session.start(agent, room=ctx.room, room_options=options)
