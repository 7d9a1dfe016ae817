"""The letters of a line of `steps` in `call.jsonl`, each for something that happened, in order.

The other columns have what belongs to the letters, in their order:

    times     when each happened: monotonic seconds as float64, little endian, in base64
    pushed    how many bytes each LIVE and PUSHED has; one number if it is that of all
    sent      the first sample and the bytes of each OFFERED and SILENCE
    pongs     the payloads of ANSWERED, with commas between them; a list of them if one has a comma
    updates   the request id, the turn id and the text of each UPDATED
    heard     numbers as in `times`: the `heard_at` and the `usage_s` of each HEARD; when speech began and ended by the
              wall clock, and the usage in seconds of audio, of each SPOKE (nan where it does not say)
    speech    the label of each TOLD; the label ("" without a text) and the type of each SPOKE

In schema 2, `times` has none of NOTED, CAME and TOLD are of the last UPDATED, and the labels are in `languages`. In
schema 1, `pushed` has one number for each push, `pongs` are numbers, and `silent` tells which pieces in `sent` are
silence.
"""

from __future__ import annotations

from ..wire.messages import TurnEagerEnd, TurnEnd, TurnUpdate

LIVE, BOOKED, PUSHED, ASKED, OFFERED, SILENCE, PINGED, PING_SENT, SENT, ANSWERED, TICKED = "lbpoaziqsgt"
UPDATED, CAME, HEARD, TOLD, SPOKE, NOTED = "uehwkn"
STEPS = {
    LIVE: "live.take, which let the audio out",
    BOOKED: "live_sent",
    PUSHED: "push_audio",
    ASKED: "outgoing, with nothing to send",
    OFFERED: "outgoing, with audio to send",
    SILENCE: "outgoing, with silence of the client's own to send",
    PINGED: "outgoing, with a ping to send",
    PING_SENT: "both PINGED and SENT",
    SENT: "sent, with what was to send before it",
    ANSWERED: "pong",
    TICKED: "tick",
    UPDATED: "receive, with a TurnUpdate that names no languages",
    CAME: "the client's event of the last message, which says nothing else",
    HEARD: "the same with when speech began or ended, and the usage",
    TOLD: "the transcript of that event, which the framework got",
    SPOKE: "another speech event of that turn, which the framework got, with or without that text",
    NOTED: "the next of the lines that follow",
}
"""The letters of `steps`."""
TOLD_OF = {
    TurnUpdate.TYPE: "interim_transcript",
    TurnEagerEnd.TYPE: "preflight_transcript",
    TurnEnd.TYPE: "final_transcript",
}
"""The type of the speech event of TOLD by that of the message."""
