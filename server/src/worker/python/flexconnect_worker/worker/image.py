"""The configuration files of the image that a worker runs in: modules see them, below what the server was told.

What concerns the server itself (addresses, TLS, tokens, deadlines) is its own business, wherever else it is written.
"""

from pathlib import Path

from dynaconf import Dynaconf

from flexconnect_worker.packet import Head

PREFIX = "GOODDATA_FLIGHT"
_SERVERS = ("server", "enumerated_tokens", "jwt", "python")


class Image:
    """What files and environment of this image say."""

    def __init__(self, files: list[str], *, optional: bool) -> None:
        there = [file for file in files if Path(file).is_file()]
        missing = [file for file in files if file not in there]
        if missing and not optional:
            where = "files of python.config_files are read where the functions run"
            raise ValueError(f"the configuration file {missing[0]} is not there: {where}")
        self.settings = Dynaconf(
            settings_files=there, envvar_prefix=PREFIX, environments=False, loaders=["dynaconf.loaders.env_loader"]
        )
        self.modules: list[str] = []
        self.ignored: list[str] = []
        """Names of settings that are the server's business."""
        for name, value in self.settings.as_dict().items():
            section = name.lower()
            if section in _SERVERS:
                self.settings.unset(name, force=True)
                self.ignored.append(section)
            elif section == "flexconnect" and isinstance(value, dict):
                self._read_ours(value)

    def _read_ours(self, section: Head) -> None:
        for key, value in section.items():
            if key.lower() != "functions":
                self.ignored.append(f"flexconnect.{key.lower()}")
            elif isinstance(value, list):
                self.modules = [str(module) for module in value]
            else:
                raise ValueError("flexconnect.functions must be a list of names of Python modules")


def of(load: Head) -> Image | None:
    """The image, where the server says that the functions run in one of their own."""
    files = [str(file) for file in load.get("files") or []]
    return Image(files, optional=bool(load.get("optional"))) if files else None
