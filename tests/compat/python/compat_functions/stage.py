"""Where functions and tests meet: a folder with the journal of what happened, and with files that release who waits."""

import time
from pathlib import Path

from gooddata_flight_server import ServerContext

_POLL_SECONDS = 0.02


class Stage:
    """The folder named by the setting `compat.stage`; the same for every function of a server."""

    folder: Path | None = None

    @classmethod
    def load(cls, context: ServerContext) -> None:
        """Learns the folder when a function is loaded."""
        folder = context.settings.get("compat.stage")
        cls.folder = None if folder is None else Path(folder)

    @classmethod
    def note(cls, key: str, event: str) -> None:
        """Appends one line to the journal."""
        if cls.folder is not None:
            with (cls.folder / "journal").open("a") as journal:
                journal.write(f"{key} {event}\n")

    @classmethod
    def wait_for(cls, name: str, seconds: float) -> bool:
        """Blocks until the file exists; false when it does not within that time."""
        deadline = time.monotonic() + seconds
        while cls.folder is not None and not (cls.folder / name).exists():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True
