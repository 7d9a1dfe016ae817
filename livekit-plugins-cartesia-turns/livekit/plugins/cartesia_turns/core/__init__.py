"""The state of a call, without any I/O, clock or knowledge of LiveKit.

`client.TurnsClient` is the whole of it; each of the other modules decides one question for it. A shell (`net.driver`)
owns the sockets and the clock. It reports to the client what happens, with the time in monotonic seconds, and does what
the client asks for. The client calls nobody back. The contract of the shell:

- While `wants_link` is true and no socket is open, open one with the present `options`. Report it with `link_opened`,
  or a failure with `attempt_failed`.
- Report each message of the server with `receive`, and each pong with `pong`.
- Call `outgoing` after each report if `may_send` is true, and at `send_at`. Give the socket what it returns, confirm
  that with `sent`, and call it again until it returns None.
- Report the user's audio with `push_audio`. Where nothing waits to be written to the socket, try `push_live` first: if
  it returns True, give the socket these bytes at once and call `live_sent`, in place of `push_audio` and `sent`. Unless
  that returns True, nothing else is to be done.
- Call `tick` at `deadline`.
- Close the socket as soon as `hang_up` or `failure` is set. Report the end of a socket, whoever ended it, with
  `link_lost`.
- After each call that reports something, look again at the properties above, and pass on what `take_events` returns.
  `push_live`, `live_sent`, `book_live`, `outgoing`, `sent` and `pong` add no events.
- Once `finished` is true, nothing more comes. `report_usage` then tells the audio that was not reported yet.

A client outlives its sockets: after `link_lost` it asks for the next one by `wants_link`.
"""
