"""Ask for facts, one after the other. Whatever happens to one, the others are asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tallyfy_provider.check.fact import Fact
from tallyfy_provider.check.finding import Answer, Finding, Unanswered, cannot_tell
from tallyfy_provider.check.reader import ApiReader
from tallyfy_provider.exceptions import TallyfyError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """
    What came of a check.

    :param findings: Facts and what was found of them, in order.
    :param requests: Requests that were sent.
    :param seconds: Seconds that it took.
    :param with_writes: Whether changes were tried.
    """

    findings: tuple[tuple[Fact, Finding], ...]
    requests: int
    seconds: float
    with_writes: bool

    def count(self, answer: Answer) -> int:
        """Return how many facts have an answer."""
        return sum(finding.answer == answer for _, finding in self.findings)


def run(facts: Iterable[Fact], reader: ApiReader) -> Outcome:
    """Ask for facts."""
    started = time.monotonic()
    findings = tuple((fact, _find(fact, reader)) for fact in facts)
    return Outcome(findings, reader.requests, time.monotonic() - started, reader.trial is not None)


def _find(fact: Fact, reader: ApiReader) -> Finding:
    try:
        return fact.find(reader)
    except Unanswered as early:
        return early.finding
    except TallyfyError as error:
        return cannot_tell(str(error))
    except Exception as error:  # a shape that nobody foresaw
        log.debug("The fact %s failed", fact.id, exc_info=True)
        return cannot_tell(f"The answer has a shape that was not foreseen ({type(error).__name__}): please report it.")
