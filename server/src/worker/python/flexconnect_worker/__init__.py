"""Runs people's Python functions for the server: the host starts worker processes, workers run calls.

The contract between the server and this package is docs/design/2026-11-21-python-workers.md.
"""

PROTOCOL = 1
