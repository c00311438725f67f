"""`logging`, `warnings` and `structlog` as events; what is written to files goes there as before."""

import logging
import logging.config
import sys
import threading
from typing import Any

from flexconnect_worker.worker.journal import Journal
from flexconnect_worker.worker.output import Output
from flexconnect_worker.worker.text import dumps, trace

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "structlog"}
_LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50, "off": 60}


class Handler(logging.Handler):
    """Makes events of log records, with what was said in `extra` as fields."""

    def __init__(self, journal: Journal, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record."""
        try:
            self._take(record)
        except Exception:  # noqa: BLE001 - as every handler of `logging` does
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        structured: dict[str, Any] | None = getattr(record, "structlog", None)
        if structured is not None:
            fields = dict(structured)
            event = str(fields.pop("event", ""))
        else:
            event = record.getMessage()
            fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = trace(record.exc_info[1])
        if record.stack_info:
            fields["stack"] = record.stack_info
        self._journal.add(record.levelno, record.name, event, fields, record.created)


class _Line:
    """A structlog event as the line that the vendor's server would write; made only where somebody wants it."""

    __slots__ = ("_fields", "_name")

    def __init__(self, fields: dict[str, Any], name: str) -> None:
        self._fields = fields
        self._name = name

    def __str__(self) -> str:
        fields = dict(self._fields)
        event = fields.pop("event", None)
        return dumps({**fields, self._name: event}).decode()


def set_up(journal: Journal, level: str, ini: str | None) -> None:
    """Has everything that is logged become events, with the levels of the INI file, or else one level for all."""
    root = logging.getLogger()
    if ini:
        logging.config.fileConfig(ini, disable_existing_loggers=False)
    else:
        root.setLevel(_LEVELS.get(str(level).lower(), logging.INFO))
    loggers = [root, *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    for logger in loggers:
        for handler in list(logger.handlers):
            if _writes_output(handler):
                logger.removeHandler(handler)
                logger.addHandler(_instead_of(handler, journal))
    if not root.handlers:
        root.addHandler(Handler(journal))
    logging.captureWarnings(True)
    threading.excepthook = _thread_ended


def set_up_structlog(event_key: str) -> None:
    """Configures structlog as the vendor's server does, but for the last step: events are handed over as they are."""
    import structlog  # noqa: PLC0415

    def hand_over(_logger: Any, _method: str, event: Any) -> Any:
        return (_Line(event, event_key),), {"extra": {"structlog": event}}

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            hand_over,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _writes_output(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return type(handler) is logging.StreamHandler and (
        isinstance(stream, Output) or stream in (sys.__stdout__, sys.__stderr__)
    )


def _instead_of(handler: logging.Handler, journal: Journal) -> Handler:
    ours = Handler(journal, handler.level)
    for each in handler.filters:
        ours.addFilter(each)
    return ours


def _thread_ended(about: threading.ExceptHookArgs) -> None:
    if about.exc_value is None or isinstance(about.exc_value, SystemExit):
        return
    name = about.thread.name if about.thread is not None else "a thread"
    logging.getLogger("threading").error("%s ended with an exception", name, exc_info=about.exc_value)
