"""What a client and a server say to each other in one case: a call, or a call that is asked for again and cancelled."""

import json

from harness import wire
from harness.caller import POLLABLE, Caller
from harness.server import Server

from matrix.access import OWN_RIGHT, RIGHT
from matrix.axes import Case, Mode, Request
from matrix.clients import ask
from matrix.seen import Seen

# What opens the servers of a fixture to whoever prepares a question.
_KEYS = {access.on: access.headers for access in (RIGHT, OWN_RIGHT)}


def converse(server: Server, case: Case) -> tuple[Seen, ...]:
    """All answers of the conversation, of which the last is the one that the question is about."""
    request = case.question.request(server, Caller(server, *_KEYS.get(case.on, ())))
    match case.mode:
        case Mode.PLAIN:
            return (_await_end(server, case, _ask(server, case, request)),)
        case Mode.POLLED:
            return _poll(server, case, request)
        case Mode.CANCELLED:
            return _cancel(server, case, request)


def _poll(server: Server, case: Case, request: Request) -> tuple[Seen, ...]:
    """The answer to the question, behind that of the first wait where the call is known to outlast it."""
    first = _ask(server, case, request)
    assert first.again or not case.question.slow, "the call did not take its time"
    last = _await_end(server, case, first)
    return (first, last) if case.question.slow else (last,)


def _cancel(server: Server, case: Case, request: Request) -> tuple[Seen, ...]:
    """The answers to a cancellation, to reading what was cancelled, and to asking for it."""
    begun = _ask(server, case, request)
    if not case.question.slow:
        begun = _await_end(server, case, begun)
    cancelled = _ask(server, case, wire.descriptor(f"c:{begun.task}".encode()))
    ended = _await_end(server, case, _ask(server, case, wire.descriptor(f"r:{begun.task}".encode())))
    ticket = wire.ticket(json.dumps({"task_id": begun.task}).encode())
    return begun, cancelled, ask(case.client, server, "DoGet", ticket, *case.access.headers), ended


def _await_end(server: Server, case: Case, seen: Seen) -> Seen:
    """The answer once the task has ended."""
    while seen.again:
        seen = _ask(server, case, seen.again)
    return seen


def _ask(server: Server, case: Case, request: Request) -> Seen:
    polls = () if case.mode is Mode.PLAIN else (POLLABLE,)
    return ask(case.client, server, case.question.rpc, request, *case.access.headers, *polls)
