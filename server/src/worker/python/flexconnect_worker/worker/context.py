"""The vendor's `ServerContext` as functions get it in `on_load`, made of what the server sent."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from dynaconf import Dynaconf
from gooddata_flight_server.config.config import AuthenticationMethod, OtelConfig, OtelExporterType, ServerConfig
from gooddata_flight_server.health.server_health_monitor import ModuleHealthStatus, ServerHealthMonitor
from gooddata_flight_server.server.base import ServerContext
from gooddata_flight_server.tasks.task_executor import TaskExecutor
from gooddata_flight_server.tasks.thread_task_executor import ThreadTaskExecutor
from pyarrow import flight

from flexconnect_worker.packet import Head
from flexconnect_worker.worker.image import PREFIX, Image


class Health(ServerHealthMonitor):
    """Tells the server what modules say about themselves."""

    def __init__(self, interval: int, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        super().__init__(trim_interval=interval)

    def set_module_status(self, name: str, status: ModuleHealthStatus) -> None:
        """Sets it, here and in the server."""
        super().set_module_status(name, status)
        self._tell(name, status.value)


class Executor(TaskExecutor):
    """Runs tasks of a module's own in this process, as the vendor's server does; made when it is first used.

    Calls of functions do not come here: they are the server's tasks.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._made: ThreadTaskExecutor | None = None

    def submit(self, task: Any) -> None:
        """See the vendor's interface."""
        self._vendors().submit(task)

    def get_task_submitted_timestamp(self, task_id: str) -> float | None:
        """See the vendor's interface."""
        return self._vendors().get_task_submitted_timestamp(task_id)

    def wait_for_result(self, task_id: str, timeout: float | None = None) -> Any:
        """See the vendor's interface."""
        return self._vendors().wait_for_result(task_id, timeout)

    def cancel(self, task_id: str) -> bool:
        """See the vendor's interface."""
        return self._vendors().cancel(task_id)

    def close_result(self, task_id: str) -> bool:
        """See the vendor's interface."""
        return self._vendors().close_result(task_id)

    def _vendors(self) -> ThreadTaskExecutor:
        if self._made is None:
            self._made = ThreadTaskExecutor(
                metric_prefix="gdfs",
                task_threads=self._config.task_threads or 4,
                result_close_threads=self._config.task_close_threads or 2,
                keep_results_for=self._config.task_result_ttl_sec or 60,
            )
        return self._made


def make(load: Head, image: Image | None, tell: Callable[[str, str], None]) -> ServerContext:
    """The context for what a `load` packet says; `tell` is called with a module's name and its health."""
    config = _config(load.get("server") or {})
    settings = _settings(image, load.get("settings") or {})
    parts = {
        "settings": settings,
        "config": config,
        "location": flight.Location(load.get("location") or "grpc://127.0.0.1:17001"),
        "health": Health(int(config.malloc_trim_interval_sec or 30), tell),
        "task_executor": Executor(config),
    }
    known = inspect.signature(ServerContext).parameters
    return ServerContext(**{name: part for name, part in parts.items() if name in known})


def _settings(image: Image | None, sent: dict[str, Any]) -> Dynaconf:
    # Without an image of its own, what was sent is all there is: the server read files and environment already, by
    # rules that do not stop at what the vendor's reader stumbles over.
    settings = (
        image.settings if image else Dynaconf(settings_files=[], envvar_prefix=PREFIX, environments=False, loaders=[])
    )
    for section, value in sent.items():
        here = settings.get(section)
        merged = _merged(here, value) if isinstance(value, dict) and isinstance(here, dict) else value
        settings.set(section, merged, merge=False)
    return settings


def _merged(here: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """What is here with what was sent above it; names differ by more than their case."""
    result = {str(name): value for name, value in here.items()}
    names = {name.lower(): name for name in result}
    for name, value in sent.items():
        known = names.get(name.lower(), name)
        before = result.get(known)
        result[known] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def _config(sent: dict[str, Any]) -> ServerConfig:
    """The vendor's configuration; a field that this version of it does not know is left out, a missing one is none."""
    values = dict(sent)
    values["authentication_method"] = AuthenticationMethod(values.get("authentication_method") or "none")
    values["log_trace_keys"] = values.get("log_trace_keys") or {}
    values["log_event_key_name"] = values.get("log_event_key_name") or "event"
    tracing = dict(values.get("otel_config") or {})
    exporter = tracing.get("exporter_type")
    tracing["exporter_type"] = OtelExporterType(exporter) if exporter not in (None, "none") else None
    tracing["extract_context_from_headers"] = bool(tracing.get("extract_context_from_headers"))
    values["otel_config"] = OtelConfig(**_known(OtelConfig, tracing))
    return ServerConfig(**_known(ServerConfig, values))


def _known(type_: Any, values: dict[str, Any]) -> dict[str, Any]:
    return {field.name: values.get(field.name) for field in dataclasses.fields(type_)}
