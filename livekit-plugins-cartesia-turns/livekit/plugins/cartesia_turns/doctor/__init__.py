"""Says in plain words whether a call has everything that it needs, and what to do if something is missing.

`python -m livekit.plugins.cartesia_turns doctor` runs it. Each kind of check is a module; all of them answer with
verdicts. Importing the plugin imports nothing of this.
"""
