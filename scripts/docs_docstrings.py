"""A Griffe extension: the docstrings' reStructuredText as the Markdown that mkdocstrings wants."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|data|attr|mod|exc|obj):`(?P<short>~)?(?P<name>[^`]+)`")
_LINK = re.compile(r"`(?P<text>[^`<]+) <(?P<address>https?://[^>]+)>`__?")
_PAGE = re.compile(r"``docs/(?P<page>[\w/-]+\.md)``|(?<![\w/`])docs/(?P<bare>[\w/-]+\.md)")
_CODE_BLOCK = re.compile(r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n\n", re.MULTILINE)
_DOCS = Path(__file__).resolve().parent.parent / "docs"


def markdown(text: str, scope: str) -> str:
    """Translate a docstring.

    :param text: reStructuredText as the project's docstrings use it: roles, literals, links, code blocks.
    :param scope: path of the class or module in which a name without a dot is looked up.
    :return: Markdown; fields such as ``:param:`` stay, Griffe reads them.
    """
    text = _CODE_BLOCK.sub("", text)  # what is indented is code in Markdown, too
    text = _ROLE.sub(lambda role: _reference(role, scope), text)
    text = _PAGE.sub(_page, text)
    text = _LINK.sub(r"[\g<text>](\g<address>)", text)
    return re.sub(r"``([^`\n]+)``", r"`\1`", text)


def _reference(role: re.Match[str], scope: str) -> str:
    name = role["name"]
    text = name.rpartition(".")[2] if role["short"] else name
    target = name if "." in name else f"{scope}.{name}"
    # Optional: a name that has no page stays plain code.
    return f'<autoref identifier="{target}" optional><code>{text}</code></autoref>'


def _page(reference: re.Match[str]) -> str:
    page = reference["page"] or reference["bare"]
    title = (_DOCS / page).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return f"[{title}](../../{page.removesuffix('.md')}/)"  # docstrings are shown below reference/


class DocstringsAsMarkdown(griffe.Extension):
    """Translates every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Translate the docstring of an object.

        :param obj: module, class, function or attribute.
        """
        if obj.docstring is None:
            return
        scope = obj if obj.is_class or obj.is_module or obj.parent is None else obj.parent
        obj.docstring.value = markdown(obj.docstring.value, scope.path)
