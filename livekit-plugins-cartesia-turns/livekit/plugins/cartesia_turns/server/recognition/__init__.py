"""What the local server hears with: a speech detector, a transcriber, and how their findings become a turn's text."""
