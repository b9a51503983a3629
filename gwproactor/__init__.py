"""Monitored MQTT links, events that are never lost, and actors, native on asyncio."""
