"""A client as people write them with pyarrow, which decodes what it gets.

Reads one request a line, `{"work": "wide" | "tiny", "threads": N, "seconds": S}`, and answers each with a line,
`{"calls_per_second": N, "bytes_per_second": N}`; an error ends it.
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path

import pyarrow.flight as flight

_WIDE_ROWS = 39 * 65_536
_TINY_ROWS = 10


class Client:
    """One thread's connection."""

    def __init__(self, url: str, authority: Path | None, token: str) -> None:
        options = {"tls_root_certs": authority.read_bytes()} if authority else {}
        self._client = flight.FlightClient(url, **options)
        self._options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())])

    def ask(self, function: str) -> flight.Ticket:
        """The ticket of a call."""
        command = json.dumps({"functionName": function, "parameters": {}})
        info = self._client.get_flight_info(flight.FlightDescriptor.for_command(command), self._options)
        return info.endpoints[0].ticket

    def read(self, ticket: flight.Ticket, rows: int) -> int:
        """Reads a result of so many rows; its bytes."""
        table = self._client.do_get(ticket, self._options).read_all()
        if table.num_rows != rows:
            raise ValueError(f"{table.num_rows} rows instead of {rows}")
        return table.nbytes


class Share:
    """What one thread did."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0
        self.seconds = 0.0
        self.error: BaseException | None = None

    def run(self, client: Client, ticket: flight.Ticket | None, seconds: float) -> None:
        """Calls until the time is up, and notes what came of it."""
        try:
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                if ticket is None:
                    self.bytes += client.read(client.ask("Tiny"), _TINY_ROWS)
                else:
                    self.bytes += client.read(ticket, _WIDE_ROWS)
                self.calls += 1
            self.seconds = time.perf_counter() - began
        except BaseException as error:  # noqa: BLE001
            self.error = error


def main() -> None:
    """Answers requests until there are no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--authority", type=Path)
    arguments = parser.parse_args()
    clients: list[Client] = []
    ticket = None
    for line in sys.stdin:
        request = json.loads(line)
        while len(clients) < request["threads"]:
            clients.append(Client(arguments.url, arguments.authority, arguments.token))
        if request["work"] == "wide" and ticket is None:
            ticket = clients[0].ask("Wide")
        wanted = ticket if request["work"] == "wide" else None
        shares = [Share() for _ in range(request["threads"])]
        threads = [
            threading.Thread(target=share.run, args=(client, wanted, request["seconds"]))
            for share, client in zip(shares, clients, strict=False)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for share in shares:
            if share.error is not None:
                raise share.error
        # Each thread ends with its last call, so its rate is of its own time.
        answer = {
            "calls_per_second": sum(share.calls / share.seconds for share in shares),
            "bytes_per_second": sum(share.bytes / share.seconds for share in shares),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
