"""Cartesia Ink-2 turn events for LiveKit Agents: streaming speech-to-text that tells when a turn starts and ends."""
