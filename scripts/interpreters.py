"""Which Python a machine has. An interpreter counts only when it runs: not every pyenv shim does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST = (3, 11)
NEWEST = (3, 14)
_PROBE = "import ensurepip, sqlite3, ssl, sys, venv; print(*sys.version_info[:3])"


class InterpreterError(Exception):
    """No Python interpreter fits; the message says what was looked for and how to give one."""


class Interpreter(NamedTuple):
    """A Python interpreter that has been run.

    :param path: its program file.
    :param version: major and minor version, for example ``(3, 11)``.
    :param release: the full version, for example ``3.11.7``.
    """

    path: Path
    version: tuple[int, int]
    release: str


def probe(candidate: str | Path) -> Interpreter | None:
    """Run an interpreter and ask for its version and for the modules that an environment needs.

    :param candidate: a program file or a name on the PATH.
    :return: what it is, or None if it does not run or lacks ensurepip, sqlite3, ssl or venv.
    """
    path = shutil.which(str(candidate))
    if path is None:
        return None
    try:
        answer = subprocess.run([path, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    major, minor, micro = answer.stdout.split()
    return Interpreter(Path(path), (int(major), int(minor)), f"{major}.{minor}.{micro}")


def _candidates() -> Iterator[str | Path]:
    yield sys.executable
    yield from ("python3", "python")
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        yield f"python3.{minor}"
    for versions in sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*")):
        yield versions / "bin" / "python"


def find(*, newest: tuple[int, int] = NEWEST, wanted: tuple[int, int] | None = None) -> Interpreter:
    """Find an interpreter: what the variable PYTHON names, else the running one, else the first that fits.

    :param newest: the newest version that will do.
    :param wanted: one version and no other; PYTHON is then not asked.
    :return: the interpreter.
    :raises InterpreterError: if there is none.
    """
    named = os.environ.get("PYTHON")
    if named and wanted is None:
        return _named(named, newest)
    for candidate in _candidates():
        interpreter = probe(candidate)
        if interpreter is None or not OLDEST <= interpreter.version <= newest:
            continue
        if wanted in (None, interpreter.version):
            return interpreter
    searched = _text(wanted) if wanted else f"{_text(OLDEST)} to {_text(newest)}"
    raise InterpreterError(
        f"No Python {searched} with venv, ensurepip, sqlite3 and ssl was found on the PATH or under pyenv. "
        "Install one (on Debian and Ubuntu with the package python3-venv), "
        "or name one: make PYTHON=/path/to/python"
    )


def _named(named: str, newest: tuple[int, int]) -> Interpreter:
    interpreter = probe(named)
    if interpreter is None:
        raise InterpreterError(
            f"PYTHON={named} does not run, or lacks venv, ensurepip, sqlite3 or ssl. "
            "Name the program file of a complete Python, or leave PYTHON out."
        )
    if not OLDEST <= interpreter.version <= newest:
        raise InterpreterError(
            f"PYTHON={named} is Python {interpreter.release}; this needs {_text(OLDEST)} to {_text(newest)}."
        )
    return interpreter


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def continue_on_supported_interpreter() -> None:
    """Start this program again on a Python that the project supports, if the running one is not.

    :raises InterpreterError: if there is none.
    """
    running = sys.version_info[:2]
    if OLDEST <= running <= NEWEST:
        return
    interpreter = find()
    os.execv(interpreter.path, [str(interpreter.path), *sys.argv])  # noqa: S606 - the same program, no shell
