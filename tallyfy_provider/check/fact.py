"""What a fact is, and how facts are put together to subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tallyfy_provider.check.finding import Finding
from tallyfy_provider.check.reader import ApiReader


@dataclass(frozen=True)
class Fact:
    """
    One thing that the provider relies on.

    :param id: Its name in options and reports.
    :param title: What is relied on.
    :param section: The section of docs/tallyfy-api.md that says so.
    :param asks: What is requested.
    :param find: Asks an organization.
    :param subject: The subject that it belongs to.
    :param writes: Whether it needs the marked run that ``--with-writes`` launches.
    """

    id: str
    title: str
    section: str
    asks: str
    find: Callable[[ApiReader], Finding]
    subject: str
    writes: bool = False


@dataclass
class Subject:
    """The facts of one subject, in the order in which they are asked."""

    name: str
    section: str
    writes: bool = False
    facts: list[Fact] = field(default_factory=list)

    def fact(
        self, fact_id: str, title: str, asks: str, *, section: str | None = None
    ) -> Callable[[Callable[[ApiReader], Finding]], Callable[[ApiReader], Finding]]:
        """Add the decorated function as a fact."""

        def add(find: Callable[[ApiReader], Finding]) -> Callable[[ApiReader], Finding]:
            self.facts.append(Fact(fact_id, title, section or self.section, asks, find, self.name, self.writes))
            return find

        return add
