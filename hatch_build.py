"""Hatch's metadata hook: PyPI shows the README by itself, so its links and pictures lead to the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE_LINK = re.compile(r"(?P<start>!?\[[^\]]*\]\()(?!https?://|#)(?P<target>[^)\s]+)\)")


def for_pypi(text: str, repository: str) -> str:
    """Make the relative links of a README absolute.

    :param text: the README.
    :param repository: address of the repository.
    :return: the same with absolute links.
    """

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link["start"].startswith("!") else "blob"
        return f"{link['start']}{repository}/{kind}/main/{link['target']})"

    return _RELATIVE_LINK.sub(absolute, text)


class ReadmeForPyPI(MetadataHookInterface):
    """Gives the README as the project's description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``.

        :param metadata: the project's metadata, changed in place.
        """
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": for_pypi(text, metadata["urls"]["Repository"]),
        }
