"""The state of a call, without any I/O, clock or knowledge of LiveKit.

`client.TurnsClient` is the whole of it; each of the other modules decides one question for it. A shell (`net.driver`)
owns the sockets and the clock. It reports to the client what happens, with the time in monotonic seconds, and does what
the client and its `sockets` ask for. The client calls nobody back. The contract of the shell:

- While `sockets.wants_link` is true and no socket is open, open one with the present `sockets.options`. Report it with
  `link_opened`, or a failure with `attempt_failed`.
- Report each message of the server with `receive`, and each pong with `pong`.
- Call `outgoing` after each report if `sockets.may_send` is true, and at `sockets.send_at`. Give the socket what it
  returns, confirm that with `sent`, and call it again until it returns None.
- Report the user's audio with `push_audio`. Where nothing waits to be written to the socket, try `live.take` first: if
  it returns True, give the socket these bytes at once, in place of `push_audio` and `sent`. If `live.wants_ping` then,
  call `outgoing`, and if `live.is_full`, call `live_sent`; otherwise nothing else is to be done.
- Call `tick` at `deadline`. If the process was held up until later, report first what came meanwhile.
- Close the socket as soon as `sockets.hang_up` or `sockets.failure` is set. Report the end of a socket, whoever ended
  it, with `link_lost`.
- After each call that reports something, look again at the properties above, and pass on what `take_events` returns.
  `live.take`, `live_sent`, `book_live`, `outgoing`, `sent` and `pong` add no events. If all events of a `receive` are
  steps inside a turn (`are_inside_turn`) and `live.is_open`, the properties need no look.
- Once `sockets.finished` is true, nothing more comes. `report_usage` then tells the audio that was not reported yet.

A client outlives its sockets: after `link_lost` it asks for the next one by `sockets.wants_link`.

Where to read on: `client` has the order of things, and `hearing` what the server says. `sockets` and `link` are about
sockets, `feed` and `audio_queue` about the audio, `turn` and `turns` about turns, and `hangs` and `mending` about what
hangs.
"""
