"""The filters of one list: names and values checked, put into Tallyfy's form. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.filter_values import Reader, plain, shown
from tallyfy_provider.exceptions import TallyfyInputError


@dataclass(frozen=True)
class FilterTable:
    """
    What a list can be filtered by.

    Tallyfy ignores a filter that it does not know, by name or by value, and returns everything (docs/tallyfy-api.md,
    "Filters"): so both are checked before anything is asked.

    :param readers: Filters by name to what reads their values.
    :param other_names: What people write instead, to the right name.
    """

    readers: Mapping[str, Reader]
    other_names: Mapping[str, str] = field(default_factory=dict)

    def check_names(self, filters: Mapping[Any, Any]) -> None:
        """
        Refuse a filter that Tallyfy does not know.

        :param filters: Filters by name; values are not looked at.
        :raises TallyfyInputError: Naming the filter and the nearest right one.
        """
        for name in filters:
            if name not in self.readers:
                raise TallyfyInputError(
                    f"filters[{name!r}] is not a Tallyfy filter of this list; {self._nearest(name)}"
                )

    def encode(self, filters: Mapping[str, Any] | None) -> dict[str, str]:
        """
        Check filters and put them into Tallyfy's form.

        :param filters: Filters by the API's names, rendered; None means none.
        :return: The query. What renders to nothing is not in it.
        :raises TallyfyInputError: A name or a value is wrong; it says which, and what is allowed.
        """
        filters = {} if filters is None else filters
        if not isinstance(filters, Mapping):
            raise TallyfyInputError(f"filters must be a dict of filter names to values, not {shown(filters)}.")
        self.check_names(filters)
        read = {name: self.readers[name](name, plain(value)) for name, value in filters.items()}
        return {name: ",".join(elements) for name, elements in read.items() if elements}

    def _nearest(self, name: object) -> str:
        written = str(name).strip().lower()
        close = difflib.get_close_matches(written, list(self.readers), n=1, cutoff=0.5)
        nearest = self.other_names.get(written) or next(iter(close), None)
        return f"did you mean {nearest!r}?" if nearest else f"the filters are {', '.join(self.readers)}."
