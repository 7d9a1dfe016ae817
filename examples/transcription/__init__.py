"""What `transcribe.py` needs around the plugin: audio in, a model of the call, ways to show it."""
