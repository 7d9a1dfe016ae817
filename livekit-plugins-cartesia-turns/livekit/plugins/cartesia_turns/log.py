"""The plugin's logger, passed to the framework at registration so that it takes the worker's log level."""

import logging

logger: logging.Logger = logging.getLogger("livekit.plugins.cartesia_turns")
