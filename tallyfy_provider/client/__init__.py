"""
Client of Tallyfy's API. It knows nothing of Dags, hooks or triggers.

What others use is imported when it is asked for: parsing a Dag imports this package and must not load ``requests``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.client.settings import ClientSettings, build_client

__all__ = ["ClientSettings", "TallyfyClient", "build_client"]

_MODULES = {"ClientSettings": "settings", "TallyfyClient": "client", "build_client": "settings"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
