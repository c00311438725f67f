"""Functions that the tests of the server call."""

import logging
import os
import time

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction

_N = pa.schema([("n", pa.int64())])
_kept: list[bytearray] = []


def _numbers(count: int) -> pa.Table:
    return pa.table({"n": pa.array(range(count), pa.int64())}, schema=_N)


class Tiny(FlexConnectFunction):
    """A few rows."""

    Name = "Tiny"
    Schema = _N
    Metadata = {"description": "a few rows"}

    def call(self, parameters, columns, headers):
        """Logs that it was called, and by what."""
        logging.getLogger("tiny").warning("called with %s", parameters.get("word"), extra={"rows": 3})
        logging.getLogger("tiny").info("of no interest")
        print("three rows")
        return _numbers(3)


class Wide(FlexConnectFunction):
    """Rows that do not fit into a packet."""

    Name = "Wide"
    Schema = _N

    def call(self, parameters, columns, headers):
        """A megabyte of them."""
        return _numbers(131_072)


class Stream(FlexConnectFunction):
    """Rows that are made while they are read."""

    Name = "Stream"
    Schema = _N

    def call(self, parameters, columns, headers):
        """Two hundred batches."""
        batches = (pa.record_batch([pa.array([n], pa.int64())], schema=_N) for n in range(200))
        return pa.RecordBatchReader.from_batches(_N, batches)


class Wrong(FlexConnectFunction):
    """Nothing but an error."""

    Name = "Wrong"
    Schema = _N

    def call(self, parameters, columns, headers):
        """What is raised is the caller's fault."""
        raise ValueError("there is no such region")


class UnprintableError(Exception):
    """Has no text."""

    def __str__(self):
        """Not even when it is asked."""
        raise ValueError("no text")

    __repr__ = __str__


class GoesWrong(FlexConnectFunction):
    """Goes wrong as it is told."""

    Name = "GoesWrong"
    Schema = _N

    def call(self, parameters, columns, headers):
        """Raises, or returns what is no table."""
        match parameters["how"]:
            case "large":
                raise ValueError("x" * 200_000)
            case "odd":
                raise RuntimeError("\udcff\x00\u202e\r\n" + "ů" * 100)
            case "unprintable":
                raise UnprintableError
            case "endless":
                return self.call(parameters, columns, headers)
            case "exit":
                raise SystemExit(3)
            case "caused":
                raise RuntimeError("it failed") from ValueError("c" * 100_000)
            case "text":
                return "rows"
            case _:
                return None


class Sleep(FlexConnectFunction):
    """Takes its time."""

    Name = "Sleep"
    Schema = _N

    def call(self, parameters, columns, headers):
        """Half a minute."""
        time.sleep(30)
        return _numbers(1)


class Exit(FlexConnectFunction):
    """Ends the process."""

    Name = "Exit"
    Schema = _N

    def call(self, parameters, columns, headers):
        """At once."""
        os._exit(3)


class Greedy(FlexConnectFunction):
    """Keeps memory."""

    Name = "Greedy"
    Schema = _N

    def call(self, parameters, columns, headers):
        """Thirty megabytes more each time."""
        _kept.append(bytearray(os.urandom(30 << 20)))
        return _numbers(len(_kept))


class Blob(FlexConnectFunction):
    """As many rows as are asked for."""

    Name = "Blob"
    Schema = _N

    def call(self, parameters, columns, headers):
        """Eight bytes each."""
        return _numbers(parameters["rows"])
