"""Asyncio and aiohttp: the sockets, and what opens them, drives them and replaces them."""
