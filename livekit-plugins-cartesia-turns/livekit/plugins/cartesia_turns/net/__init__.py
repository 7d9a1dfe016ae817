"""Asyncio and aiohttp: connections, and what opens, serves and follows them."""
