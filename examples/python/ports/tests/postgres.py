"""A PostgreSQL of the tests' own: in a folder that goes away, on a Unix socket in it, with a password."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest

_PATIENCE_SECONDS = 30
_ADVICE = "install it with `apt-get install postgresql`, or put the folder of its programs in the PATH"


def _program(name: str) -> str:
    # Debian does not put the programs of its versions in the PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, reversed(folders))]))
    if found is None:
        pytest.fail(f"{name} of PostgreSQL is missing: {_ADVICE}", pytrace=False)
    return found


class Postgres:
    """A running server; the `with` that holds it ends it."""

    def __init__(self) -> None:
        # It refuses to run as root, and then runs as nobody.
        self._as: dict[str, Any] = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        self._password = secrets.token_hex()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres:{self._password}@/postgres?host={self._folder}"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        try:
            password = self._folder / "password"
            password.write_text(self._password)
            if self._as:
                for path in (self._folder, password):
                    shutil.chown(path, self._as["user"], self._as["group"])
            self._start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        shutil.rmtree(self._folder)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the tests' own."""
        return psycopg.connect(
            host=str(self._folder), user="postgres", password=self._password, dbname="postgres", autocommit=True
        )

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements; returns the rows of the last one."""
        with self.connect() as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _start(self) -> None:
        initialise = [_program("initdb"), "--pgdata", "data", "--username=postgres", "--pwfile=password"]
        initialise += ["--auth=scram-sha-256", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"]
        subprocess.run(initialise, cwd=self._folder, check=True, stdout=subprocess.DEVNULL, **self._as)
        self._log = self._folder / "log"
        # Only on the socket.
        serve = [_program("postgres"), "-D", "data", "-k", str(self._folder), "-c", "listen_addresses=", "-F"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                serve, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._end()
                    pytest.fail(f"PostgreSQL did not start:\n{self._log.read_text()}", pytrace=False)
                time.sleep(0.05)
            else:
                return

    def _end(self) -> None:
        # Its connections are closed, whoever holds them.
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_PATIENCE_SECONDS)
