"""Numbers of JSON whose digits a float does not keep."""

from __future__ import annotations


class GivenNumber(float):
    """A float that remembers the digits that it was given in, such as ``12.50`` or more than a float holds."""

    digits: str
    #: Whether there was any in this process: most never have one.
    exists = False


def read_given(digits: str) -> float:
    """Return a number of JSON, with its digits where a float would be written in others; for ``parse_float``."""
    number = float(digits)
    if repr(number) == digits or "e" in digits.lower():
        return number
    given = GivenNumber(number)
    given.digits = digits
    GivenNumber.exists = True
    return given
