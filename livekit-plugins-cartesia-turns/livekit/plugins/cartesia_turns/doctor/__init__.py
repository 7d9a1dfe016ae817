"""Says in plain words whether everything is there that a call needs, and what to do where something is not.

`python -m livekit.plugins.cartesia_turns doctor` runs it. Each kind of check is a module; all of them answer with
verdicts. Importing the plugin imports nothing of this.
"""
