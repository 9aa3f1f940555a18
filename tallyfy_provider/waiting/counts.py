"""How many runs are enough. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tallyfy_provider.exceptions import TallyfyInputError


@dataclass(frozen=True)
class CountRule:
    """
    A range for a number of runs, both ends included.

    :param at_least: The smallest number, or None.
    :param at_most: The largest number, or None.
    """

    at_least: int | None = None
    at_most: int | None = None

    @classmethod
    def build(
        cls,
        *,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        exactly: int | str | None = None,
    ) -> CountRule:
        """
        Check what a user wrote, or a template rendered, and make a rule of it.

        :param at_least: At least so many.
        :param at_most: At most so many.
        :param exactly: Exactly so many; excludes the other two.
        :return: The rule.
        :raises TallyfyInputError: Nothing is asked for, too much, or something that is no number.
        """
        low, high, both = (
            _count("at_least", at_least),
            _count("at_most", at_most),
            _count("exactly", exactly),
        )
        if both is not None:
            if low is not None or high is not None:
                raise TallyfyInputError("exactly stands alone: leave out at_least and at_most.")
            return cls(both, both)
        if low is None and high is None:
            raise TallyfyInputError("Say how many runs to wait for: at_least, at_most or exactly.")
        if low is not None and high is not None and low > high:
            raise TallyfyInputError(f"at_least is {low} and at_most is {high}: no number is both.")
        return cls(low, high)

    def holds_for(self, count: int) -> bool:
        """
        Tell whether a number is what is waited for.

        :param count: The number.
        :return: Whether it is.
        """
        return (self.at_least is None or count >= self.at_least) and (self.at_most is None or count <= self.at_most)

    def __str__(self) -> str:
        """Say it in words."""
        if self.at_least == self.at_most:
            return f"exactly {self.at_least} runs"
        parts = [
            f"{words} {number}"
            for words, number in (("at least", self.at_least), ("at most", self.at_most))
            if number is not None
        ]
        return f"{' and '.join(parts)} runs"


def _count(name: str, value: int | str | None) -> int | None:
    text = str(value).strip()
    if value is None or text in {"", "None"}:
        return None
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        raise TallyfyInputError(f"{name} takes a whole number from 0, not {value!r}.")
    return int(text)
