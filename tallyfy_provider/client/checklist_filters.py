"""The filters of the list of checklists (docs/tallyfy-api.md, "Filters of other lists"). Pure."""

from __future__ import annotations

from tallyfy_provider.client.filter_values import flag, ids, numbers, text, whole_number
from tallyfy_provider.client.filtering import FilterTable
from tallyfy_provider.client.runs.filters import LARGEST_PAGE

#: The filters of ``GET /organizations/{org}/checklists``. What ``status``, ``type``, ``archived`` and ``sort_by`` take
#: is not documented, so they are sent as they are.
OF_THE_ORGANIZATION = FilterTable(
    {
        "q": text,
        "status": text,
        "type": text,
        "starred": flag,
        "folder": ids,
        "tag": ids,
        "owner_id": numbers,
        "archived": lambda name, value: flag(name, value) if isinstance(value, bool) else text(name, value),
        "with": ids,
        "sort_by": text,
        "page": whole_number(None),
        "per_page": whole_number(LARGEST_PAGE),
    },
    {
        "limit": "per_page",
        "page_size": "per_page",
        "name": "q",
        "title": "q",
        "search": "q",
        "sort": "sort_by",
        "owner": "owner_id",
        "owners": "owner_id",
        "include": "with",
    },
)
