"""Finds the turn settings that suit your own callers, by running recorded calls again under many settings.

`python -m livekit.plugins.cartesia_turns tune` runs it. An endpoint does not show how likely it holds a turn to be
over, so nothing is computed from one run for another: each setting is tried with each call. Importing the plugin
imports nothing of this.
"""
