import time

from livekit import rtc
from livekit.agents import llm
from livekit.plugins.cartesia_turns.testing import FakeLLM, FakeTTS, Microphone, Speaker
from support.waiting import until


def frame(seconds: float, rate: int = 24000) -> rtc.AudioFrame:
    samples = round(seconds * rate)
    return rtc.AudioFrame(bytes(2 * samples), rate, 1, samples)


async def answer(model: FakeLLM, *said: str) -> str:
    context = llm.ChatContext.empty()
    for text in said:
        context.add_message(role="user", content=text)
    async with model.chat(chat_ctx=context) as stream:
        return "".join([chunk.delta.content or "" async for chunk in stream if chunk.delta])


async def test_the_model_says_its_reply_or_makes_one_of_the_last_words() -> None:
    model = FakeLLM()
    assert await answer(model, "first", "last") == "Certainly."
    model.reply = lambda said: f"You said {said}."
    assert await answer(model, "first", "last") == "You said last."
    assert await answer(model) == "You said ."
    assert model.heard == ["last", "last", ""]
    assert len(model.asked_at) == 3


async def test_the_voice_takes_as_long_as_it_is_told() -> None:
    voice = FakeTTS(0.3)
    async with voice.synthesize("hello") as stream:
        seconds = sum([event.frame.duration async for event in stream])
    assert abs(seconds - 0.3) < 0.02


async def test_the_microphone_lets_out_what_is_pushed() -> None:
    microphone, pushed = Microphone(), frame(0.02)
    microphone.push(pushed)
    assert await microphone.__anext__() is pushed


async def test_the_speaker_plays_in_real_time_and_can_be_silenced() -> None:
    speaker, begun = Speaker(), time.monotonic()
    await speaker.capture_frame(frame(0.1))
    speaker.flush()
    assert speaker.is_audible
    await until(lambda: speaker.stopped_at)
    assert time.monotonic() - begun >= 0.09
    await speaker.capture_frame(frame(5.0))
    speaker.flush()
    speaker.clear_buffer()
    assert not speaker.is_audible
    assert speaker.played_s[1] < 1.0


async def test_a_speaker_that_is_paused_goes_on_where_it_was() -> None:
    speaker = Speaker()
    await speaker.capture_frame(frame(0.1))
    speaker.flush()
    speaker.pause()
    speaker.pause()
    assert speaker.is_audible
    assert len(speaker.paused_at) == 1
    speaker.resume()
    speaker.resume()
    assert len(speaker.resumed_at) == 1
    await until(lambda: speaker.stopped_at)
    assert abs(speaker.played_s[0] - 0.1) < 0.02
