"""Faults that a test orders: what goes wrong, for which requests, and how often."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

FaultKind = Literal["status", "delay", "reset", "truncate", "unreadable", "html", "redirect", "expired_token"]
FaultMoment = Literal["before", "after"]

_DEFAULT_STATUS = {"status": 503, "redirect": 302}


@dataclass(frozen=True)
class Fault:
    """
    Something that goes wrong with requests, until it has happened ``times`` times.

    :param kind: ``status`` = answers with ``status`` (503 unless given); ``delay`` = answers properly, but
        ``delay`` seconds late; ``reset`` = resets the TCP connection without any answer; ``truncate`` =
        announces a Content-Length, sends half of the body and closes; ``unreadable`` = broken JSON, complete,
        with a JSON content type; ``html`` = a 200 page of HTML; ``redirect`` = 302 to ``location``;
        ``expired_token`` = the token that the request carries is expired from now on, so the request gets the
        usual 401 and so does every later one with that token.
    :param status: HTTP status of the answer, 200 to 599; None = the kind's own.
    :param delay: seconds to wait before anything is answered; goes with every kind.
    :param headers: headers to add to the fault's answer, such as ``{"Retry-After": "2"}``; unused where the
        real answer or none is given (``delay``, ``expired_token``, ``reset``).
    :param body: body of the answer in place of the kind's own: text, or an object that is sent as JSON.
    :param location: where a ``redirect`` points to.
    :param times: how many requests are hit; None = all.
    :param after: how many matching requests pass unharmed first.
    :param path: which requests: those whose path (with its query) contains this text, or matches it as a
        regular expression; empty = all.
    :param method: which requests: only those with this HTTP method; empty = all.
    :param when: ``before`` = the request has no effect; ``after`` = it has its full effect, and then the
        fault strikes. ``truncate`` and ``unreadable`` spoil the real answer, so they are always ``after``
        unless ``body`` is given.
    :raises ValueError: if a value can't be used; the message names it.
    """

    kind: FaultKind
    status: int | None = None
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | Mapping[str, Any] | list[Any] | None = None
    location: str = ""
    times: int | None = None
    after: int = 0
    path: str = ""
    method: str = ""
    when: FaultMoment = "before"

    def __post_init__(self) -> None:
        _check(self.kind in get_args(FaultKind), "kind", self.kind, f"one of {', '.join(get_args(FaultKind))}")
        _check(self.when in get_args(FaultMoment), "when", self.when, "'before' or 'after'")
        _check(
            self.status is None or _is_int(self.status, 200, 599),
            "status",
            self.status,
            "a status of 200 to 599",
        )
        _check(_is_duration(self.delay), "delay", self.delay, "zero or more seconds, not endless")
        _check(
            self.kind != "delay" or self.delay > 0,
            "delay",
            self.delay,
            "more than zero seconds for kind 'delay'",
        )
        _check(self.times is None or _is_int(self.times, 1), "times", self.times, "1 or more, or None for all")
        _check(_is_int(self.after, 0), "after", self.after, "zero or more requests")
        _check(self.kind != "redirect" or bool(self.location), "location", self.location, "where to redirect to")
        _check(isinstance(self.method, str), "method", self.method, "an HTTP method, or '' for all")
        _check(
            isinstance(self.path, str) and _compiles(self.path),
            "path",
            self.path,
            "text or a regular expression",
        )
        _check(_is_text_map(self.headers), "headers", self.headers, "names and values, both text")

    @property
    def effective_status(self) -> int:
        """The status of the answer, the kind's own if none was given."""
        return self.status if self.status is not None else _DEFAULT_STATUS.get(self.kind, 200)

    @property
    def needs_real_response(self) -> bool:
        """Whether the request must reach the application before the fault strikes."""
        return self.when == "after" or (self.kind in ("truncate", "unreadable") and self.body is None)

    def body_bytes(self) -> bytes | None:
        """
        Return the ordered body as it is sent.

        :return: the bytes, or None if no body was ordered.
        """
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    def matches(self, method: str, path: str, query: str) -> bool:
        """
        Return whether this fault is meant for a request.

        :param method: the request's HTTP method.
        :param path: its path.
        :param query: its query, without the question mark; may be empty.
        :return: whether both method and path fit.
        """
        if self.method and self.method.upper() != method.upper():
            return False
        target = f"{path}?{query}" if query else path
        return self.path in target or any(re.search(self.path, text) for text in (path, target))

    @classmethod
    def from_json(cls, values: object) -> Fault:
        """
        Parse a fault from the JSON that the control endpoint was sent.

        :param values: the decoded JSON.
        :return: the fault.
        :raises ValueError: if it is no object, has unknown keys or a value that can't be used.
        """
        if not isinstance(values, dict):
            raise ValueError('A fault is a JSON object such as {"kind": "status", "status": 503, "times": 1}.')
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"A fault has no {', '.join(map(repr, unknown))}. It has: {', '.join(known)}.")
        if "kind" not in values:
            raise ValueError(f"A fault needs a 'kind': one of {', '.join(get_args(FaultKind))}.")
        return cls(**values)


class FaultQueue:
    """The ordered faults, in order, and how often each has struck. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[_QueuedFault] = []

    def order(self, fault: Fault) -> None:
        """Add a fault behind those ordered before."""
        with self._lock:
            self._ordered.append(_QueuedFault(fault))

    def clear(self) -> None:
        """Forget every fault."""
        with self._lock:
            self._ordered.clear()

    def pending(self) -> list[Fault]:
        """List the faults that can still strike."""
        with self._lock:
            return [each.fault for each in self._ordered if not each.spent]

    def take(self, method: str, path: str, query: str) -> Fault | None:
        """
        Find the fault that strikes a request, and count it.

        Faults are asked in the order in which they were ordered; the first one that is due strikes, alone,
        and those behind it do not count the request.
        """
        with self._lock:
            for each in self._ordered:
                if not each.spent and each.fault.matches(method, path, query) and each.is_due():
                    return each.fault
        return None


@dataclass
class _QueuedFault:
    fault: Fault
    passed: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.hits >= self.fault.times

    def is_due(self) -> bool:
        if self.passed < self.fault.after:
            self.passed += 1
            return False
        self.hits += 1
        return True


def _check(fits: bool, name: str, value: object, wanted: str) -> None:
    if not fits:
        raise ValueError(f"Fault.{name} is {value!r}: give {wanted}.")


def _is_int(value: object, least: int, most: int | None = None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= least and (most is None or value <= most)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_text_map(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(key, str) and isinstance(text, str) for key, text in value.items())


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
