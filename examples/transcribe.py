"""Watch speech become turns: a recording, or your microphone, through the plugin and onto the terminal.

    python examples/transcribe.py                     the recorded sentences beside this file, in real time
    python examples/transcribe.py talk.mp3 --fast     a file of yours, as fast as the server takes it
    python examples/transcribe.py --mic --cartesia    you, transcribed by Cartesia (needs CARTESIA_API_KEY)

Without `--cartesia` the speech goes to a local server that this script starts: no key, no internet.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from livekit.agents import APIError
from livekit.plugins import cartesia_turns
from livekit.plugins.cartesia_turns.server import LocalServer, RecognizerMissingError
from printable import visible
from rich.console import Console
from transcription.audio import SAMPLE_RATE, Player, Samples, UserError, load
from transcription.call import Call, Turn, summarize
from transcription.demo import demo_call, demo_script
from transcription.microphone import Microphone
from transcription.screen import Screen
from transcription.views import JsonLines, PlainLines, Source, View

BACKLOG_S = 1.0
"""Audio that may wait in the plugin with --fast."""
PICTURES = (".png", ".svg", ".pdf")


async def transcribe(stream: cartesia_turns.SpeechStream, source: Source, call: Call, view: View) -> None:
    """Pushes the audio and shows what comes back: all it takes to use the plugin without an AgentSession."""
    async with stream:
        pushing = asyncio.create_task(push(source, stream, view))
        try:
            async for event in stream:
                for moment in call.add(event):
                    view.show(moment)
            await pushing
        finally:
            pushing.cancel()
            # It may have met the end of the stream first; the stream says why it ended.
            await asyncio.gather(pushing, return_exceptions=True)


async def push(source: Source, stream: cartesia_turns.SpeechStream, view: View) -> None:
    """Gives the audio to the plugin, which never blocks and keeps a minute at most: what is not live waits here."""
    async for frame in source.frames():
        while not source.clock.is_live and stream.stats.backlog_s > BACKLOG_S:  # noqa: ASYNC110  # there is no event
            await asyncio.sleep(0.01)
        stream.push_frame(frame)
        view.heard(source.played_s)
    stream.end_input()  # what the last audio brings still comes


@contextlib.asynccontextmanager
async def open_stt(options: argparse.Namespace) -> AsyncIterator[tuple[cartesia_turns.STT, str]]:
    """An STT that talks to Cartesia or to a local server of its own, and a name for that side.

    Raises:
        RecognizerMissingError: other speech than the recorded sentences needs a recognizer, and this machine has none.
    """
    if options.cartesia:
        yield cartesia_turns.STT(), "Cartesia Ink-2"
        return
    server, side = LocalServer(), "local server"
    try:
        await server.start()
    except RecognizerMissingError as error:
        if options.mic or options.file:
            raise
        complain(f"{error} Instead, a script plays the turns of the recorded sentences.")
        server, side = LocalServer(script=demo_script()), "scripted local server"
        await server.start()
    try:
        yield cartesia_turns.STT(api_key=server.key, base_url=server.url), side
    finally:
        await server.aclose()


async def run(options: argparse.Namespace) -> int:
    """One call from end to end. Returns the exit code."""
    source = open_source(options)
    call = Call(source.clock)
    failure: APIError | None = None
    async with open_stt(options) as (stt, side):
        with open_view(options, source, side, call) as view, interrupt(source.stop):
            stt.on("connection_error", lambda _: view.notice("the connection failed: retrying"))
            stream = stt.stream()
            try:
                await transcribe(stream, source, call, view)
            except APIError as error:
                failure = error
            summary = summarize(call.turns, audio_s=source.played_s, silence_sent_s=stream.stats.silent_s)
            view.finish(call.turns, summary)
    if failure is not None:
        complain(f"{side}: {failure.message}")
    if options.timeline:
        heard = source.samples[: round(source.played_s * SAMPLE_RATE)]
        draw(options.timeline, f"{source.name} → {side}", heard, call.turns)
    return 1 if failure else 0


def draw(path: Path, title: str, heard: Samples, turns: Sequence[Turn]) -> None:
    """Draws the timeline.

    Raises:
        UserError: the disk does not take it.
    """
    from transcription import timeline  # noqa: PLC0415  # drawing takes a second to import

    try:
        timeline.draw(path, title, heard, turns)
    except OSError as error:
        raise UserError(f"--timeline {path}: {error.strerror}") from None


def open_source(options: argparse.Namespace) -> Source:
    if options.mic:
        return Microphone()
    recording = load(options.file) if options.file else demo_call()
    return Player(recording, is_live=not options.fast)


@contextlib.contextmanager
def open_view(options: argparse.Namespace, source: Source, side: str, call: Call) -> Iterator[View]:
    """JSON where asked for, the live screen on a terminal, else plain lines."""
    console = Console(highlight=False)
    if options.json:
        yield JsonLines()
    elif console.is_terminal and not console.is_dumb_terminal:
        with Screen(console, source, side, call) as screen:
            yield screen
    else:
        yield PlainLines(source, side)


@contextlib.contextmanager
def interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Makes the first Ctrl-C call `stop`, so that the turn under way is still finished; the second is the usual one."""
    loop = asyncio.get_running_loop()

    def on_interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop.call_soon_threadsafe(stop)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line.

    Raises:
        UserError: options that make no sense together, or no key for `--cartesia`.
    """
    parser = argparse.ArgumentParser("transcribe.py", description="Watch speech become turns.")
    parser.add_argument("file", nargs="?", type=Path, help="audio file in any format (default: recorded sentences)")
    parser.add_argument("--mic", action="store_true", help="listen to the default microphone instead")
    parser.add_argument("--cartesia", action="store_true", help="use Cartesia, with the key in CARTESIA_API_KEY")
    parser.add_argument("--fast", action="store_true", help="send audio faster than real time; delays are not measured")
    parser.add_argument("--json", action="store_true", help="write the events to stdout, one JSON object a line")
    parser.add_argument("--timeline", type=Path, metavar="OUT.PNG", help="draw a timeline of the call at its end")
    options = parser.parse_args(arguments)
    if options.mic and (options.file or options.fast):
        raise UserError("--mic can't be combined with a file or --fast")
    if options.timeline:
        if options.fast:
            raise UserError("--timeline needs real time: leave out --fast")
        check_picture(options.timeline)
    if options.cartesia and not os.environ.get("CARTESIA_API_KEY"):
        raise UserError("--cartesia needs a key: set CARTESIA_API_KEY")
    return options


def check_picture(path: Path) -> None:
    """Checks before a long call that the picture can be written.

    Raises:
        UserError: it can't.
    """
    if path.suffix.lower() not in PICTURES:
        raise UserError(f"--timeline {path}: the name must end in one of {', '.join(PICTURES)}")
    if not path.parent.is_dir():
        raise UserError(f"--timeline {path}: no such directory")
    if path.is_dir():
        raise UserError(f"--timeline {path}: this is a directory, not a file to write")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"--timeline {path}: this may not be written")


def complain(text: str) -> None:
    print(f"transcribe.py: {visible(text)}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns the exit code: 2 where there is something for the user to put right."""
    logging.getLogger("livekit").addHandler(logging.NullHandler())  # what matters is shown by the view
    try:
        return asyncio.run(run(parse(arguments)))
    except (UserError, RecognizerMissingError) as error:
        complain(str(error))
        return 2
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # such as a disk without room for the output
        complain(error.strerror or str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
