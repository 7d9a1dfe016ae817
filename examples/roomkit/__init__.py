"""What stands around an agent in a room on this machine: livekit-server, the page, tokens, the worker."""
