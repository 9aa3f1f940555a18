"""Encode request bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import refuse_undefined


def json_body(value: Any) -> Any:
    """
    Convert a body into dicts, lists, text, numbers, booleans and None, so that nothing fails while it is sent.

    Values that cannot be converted are not shown in the error.
    """
    try:
        text = json.dumps(value, allow_nan=False, default=_convert)
        body = json.loads(text)
        if "\\ud" in text:  # an escaped surrogate, which may have lost its other half
            json.dumps(body, ensure_ascii=False).encode()
        return body
    except TallyfyInputError:
        raise
    except TypeError as error:
        reason = str(error)
    except UnicodeEncodeError:
        reason = "it holds text with half of a surrogate pair, which is no character"
    except (ValueError, RecursionError):
        reason = "it holds a number that is none, or itself"
    raise TallyfyInputError(
        f"The body cannot be written as JSON ({reason}); nothing was sent. Give text, numbers, true or false, lists "
        "and dicts."
    )


def _convert(value: Any) -> Any:
    refuse_undefined(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"it holds a {type(value).__name__}")
