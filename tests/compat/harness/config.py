"""Configurations of the servers under test, written as files and environment variables."""

import json
import random
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Table = dict[str, dict[str, Any]]

# Below the range that the kernel hands out, so that no client's own port is in the way.
_PORTS = range(20_000, 30_000)


@dataclass(frozen=True)
class Config:
    """What a server is started with: settings per section, environment, and further files."""

    server: dict[str, Any] = field(default_factory=dict)
    flexconnect: dict[str, Any] = field(default_factory=dict)
    sections: Table = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Files by name, given after the main one, in this order; a `.local.` file only lies beside them."""

    def render(self, functions: list[str], stage: Path, ports: tuple[int, int, int]) -> str:
        """The main file as TOML; `functions` are the Python modules, empty for a server that has its own."""
        flight, health, metrics = ports
        server = {
            "listen_host": "127.0.0.1",
            "listen_port": flight,
            "advertise_host": "localhost",
            "health_check_host": "127.0.0.1",
            "health_check_port": health,
            "metrics_host": "127.0.0.1",
            "metrics_port": metrics,
            # Ours only: tests do not wait for callers and readers that never come.
            "propagation_delay_sec": 1,
            "drain_timeout_sec": 1,
        }
        flexconnect = {"functions": functions} if functions else {}
        return to_toml(
            {
                "server": server | self.server,
                "flexconnect": flexconnect | self.flexconnect,
                **self.sections,
                "compat": {"stage": str(stage)} | self.sections.get("compat", {}),
            }
        )


def to_toml(tables: Table) -> str:
    """TOML text of flat tables; their values are what JSON and TOML write alike."""
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def free_ports() -> tuple[int, int, int]:
    """Ports that nobody listens on now: for Flight, health and metrics."""
    found: list[int] = []
    while len(found) < 3:
        port = random.choice(_PORTS)  # noqa: S311
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found[0], found[1], found[2]
