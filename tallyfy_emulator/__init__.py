"""
A Tallyfy to try things against, with no account.

Run ``python -m tallyfy_emulator``, or use :class:`Emulator` in tests. It needs Starlette, uvicorn and
Jinja, which the extra ``emulator`` brings: ``airflow-provider-tallyfy[emulator]``.
"""

from __future__ import annotations

try:
    import jinja2  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "The Tallyfy emulator needs Starlette, uvicorn and Jinja. Install them with: "
        "pip install 'airflow-provider-tallyfy[emulator]', or from the source tree with: pip install '.[emulator]'"
    ) from error

from tallyfy_emulator.emulator import Emulator
from tallyfy_emulator.middleware.faults import Fault
from tallyfy_emulator.middleware.rate_limit import RateLimit
from tallyfy_emulator.middleware.recorder import RequestRecord
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.store.clock import Clock, ManualClock, SystemClock

__all__ = [
    "Clock",
    "Emulator",
    "Fault",
    "ManualClock",
    "Quirks",
    "RateLimit",
    "RequestRecord",
    "SystemClock",
]
