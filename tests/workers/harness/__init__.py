"""Plays the server: the other end of the protocol of docs/design/2026-11-21-python-workers.md."""
