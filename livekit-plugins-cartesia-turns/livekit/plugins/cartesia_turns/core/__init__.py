"""The state of a call, without any I/O, clock or knowledge of LiveKit.

`client.TurnsClient` is the whole of it; the other modules each decide one question for it.
"""
