"""Makes the virtual environments that the project is tested in, one for each Airflow and Python.

``python scripts/environment.py 3.3`` makes what is missing and prints the environment's folder; ``docs`` and
``release`` are environments without Airflow, of the dependency group of that name. Only one that was filled to the
end counts: a stamp, written last, holds the hash of all that it was made from. When that was interrupted, or
something has changed since, the environment is made anew.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import interpreters
import processes
from console import say, step
from interpreters import Interpreter, InterpreterError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".environments"
# The newest Python that each supported Airflow runs on.
NEWEST_PYTHON = {"3.3": (3, 14), "3.2": (3, 14), "3.1": (3, 13), "3.0": (3, 12), "2.11": (3, 12)}
# Dependency groups with an environment of their own, in the versions of the newest Airflow.
TOOLS = ("docs", "release")
_STAMP = "made-from"


class EnvironmentProblem(Exception):
    """An environment cannot be made; the message says what to do."""


class Environment(NamedTuple):
    """A virtual environment that may or may not have been made yet.

    :param airflow: its Airflow, for example ``3.3``.
    :param interpreter: the Python it is made with.
    :param purpose: what it is for, if not for the tests.
    :param packages: what it has besides, for that.
    """

    airflow: str
    interpreter: Interpreter
    purpose: str = ""
    packages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of its folder."""
        major, minor = self.interpreter.version
        return f"airflow-{self.airflow}-python-{major}.{minor}" + (f"-{self.purpose}" if self.purpose else "")

    @property
    def folder(self) -> Path:
        """Folder it lives in."""
        return ENVIRONMENTS / self.name

    @property
    def python(self) -> Path:
        """Its Python program."""
        return self.folder / "bin" / "python"

    @property
    def constraints(self) -> Path:
        """File of the versions that go into it."""
        return constraints_of(self.airflow)


def constraints_of(airflow: str) -> Path:
    """Name the constraints file of an Airflow version.

    :param airflow: for example ``3.3``.
    :return: its path.
    """
    return ROOT / "constraints" / f"airflow-{airflow}.txt"


def plan(airflow: str, python: str | None = None) -> Environment:
    """Choose the interpreter for an environment.

    :param airflow: a key of :data:`NEWEST_PYTHON`.
    :param python: a Python version such as ``3.12``, when it must be that one.
    :return: the environment, not yet made.
    :raises InterpreterError: if this machine has no fitting interpreter.
    """
    newest = NEWEST_PYTHON[airflow]
    if python is None:
        return Environment(airflow, interpreters.find(newest=newest))
    major, minor = python.split(".")
    return Environment(airflow, interpreters.find(newest=newest, wanted=(int(major), int(minor))))


def made_for(purpose: str, packages: tuple[str, ...]) -> Path:
    """Make the environment of a program that needs more than the newest Airflow, if it is missing or out of date.

    :param purpose: what is done in it; part of its name.
    :param packages: what it has beside the newest Airflow.
    :return: its Python.
    """
    environment = plan("3.3")._replace(purpose=purpose, packages=packages)
    make(environment)
    return environment.python


def make(environment: Environment) -> None:
    """Make an environment if it is missing, unfinished or out of date; wait if another program is making it.

    :param environment: which.
    :raises EnvironmentProblem: if that fails.
    """
    sources = _sources(environment)
    with _locked(environment.name):
        if _stamp(environment.folder) == sources:
            return
        say(f"Making the environment {environment.folder.relative_to(ROOT)}, once:")
        log = ENVIRONMENTS / f"{environment.name}.log"
        log.unlink(missing_ok=True)
        uv = ensure_uv(environment.interpreter)
        _empty_environment(environment.folder, environment.interpreter, log)
        with step("  installing Airflow, this project and its tools"):
            _install(environment, uv, log)
        (environment.folder / _STAMP).write_text(sources)


def is_made(environment: Environment) -> bool:
    """Tell whether an environment is there, whole and up to date.

    :param environment: which.
    :return: whether :func:`make` has nothing to do.
    """
    return _stamp(environment.folder) == _sources(environment)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"  waiting for another program that is making {name}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_tools(group: str) -> Path:
    """Make the environment of a dependency group if it is missing or out of date: neither Airflow nor this project.

    :param group: one of :data:`TOOLS`.
    :return: its folder.
    :raises EnvironmentProblem: if that fails.
    """
    interpreter = interpreters.find(newest=NEWEST_PYTHON["3.3"])
    constraints = constraints_of("3.3")
    folder = ENVIRONMENTS / group
    packages: list[str] = _project()["dependency-groups"][group]
    sources = f"{packages}, {interpreter.release}, {folder}, {hashlib.sha256(constraints.read_bytes()).hexdigest()}"
    with _locked(group):
        if _stamp(folder) != sources:
            log = ENVIRONMENTS / f"{group}.log"
            log.unlink(missing_ok=True)
            uv = ensure_uv(interpreter)
            _empty_environment(folder, interpreter, log)
            with step(f"  installing the tools of '{group}'"):
                _run([uv, "pip", "install", "--python", folder / "bin" / "python", "-c", constraints, *packages], log)
            (folder / _STAMP).write_text(sources)
    return folder


def _empty_environment(folder: Path, interpreter: Interpreter, log: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with step(f"  creating it with Python {interpreter.release} ({interpreter.path})"):
        _run([interpreter.path, "-m", "venv", "--without-pip", folder], log)


def _install(environment: Environment, uv: Path, log: Path) -> None:
    arguments: list[str | Path] = [
        "-c",
        environment.constraints,
        f"--editable={ROOT}[emulator]",
        *_development_tools(),
        *environment.packages,
    ]
    # Compiled once here: where Python may not write caches, each of the many processes would do it again.
    command: list[str | Path] = [uv, "pip", "install", "--python", environment.python, "--compile-bytecode"]
    command += ["--build-constraints", environment.constraints]
    try:
        _run([*command, *arguments], log)
    except EnvironmentProblem:
        # uv does not read pip's settings: where only pip knows the way to a package index, pip has to go.
        say("  uv could not install them; trying once more with pip, which takes minutes")
        _run([environment.python, "-m", "ensurepip"], log)
        _run([environment.python, "-m", "pip", "install", *arguments], log)


def ensure_uv(interpreter: Interpreter) -> Path:
    """Make the small environment that holds uv, which fills all the others.

    :param interpreter: Python to make it with.
    :return: the uv program.
    :raises EnvironmentProblem: if pip cannot install it.
    """
    folder = ENVIRONMENTS / "uv"
    constraints = constraints_of("3.3")
    pin = re.search(r"^uv==\S+", constraints.read_text(), re.MULTILINE)
    # Not the interpreter: uv is a program that runs without one, and each Python of the matrix would fetch it anew.
    sources = f"{pin[0] if pin else 'uv'}, {folder}"
    with _locked("uv"):
        if _stamp(folder) != sources:
            log = ENVIRONMENTS / "uv.log"
            log.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            with step("  fetching uv, which installs packages fast"):
                _run([interpreter.path, "-m", "venv", folder], log)
                _run([folder / "bin" / "python", "-m", "pip", "install", "-c", constraints, "uv"], log)
            (folder / _STAMP).write_text(sources)
    return folder / "bin" / "uv"


def _run(command: list[str | Path], log: Path) -> None:
    # A PYTHONPATH or an active environment of the caller would leak its packages into this one.
    leaking = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    variables = {name: value for name, value in os.environ.items() if name not in leaking}
    try:
        processes.run(command, log=log, environment=variables, folder=ROOT)
    except processes.CommandError as error:
        raise EnvironmentProblem(
            f"{error}\nIf the package index could not be reached, check the network and pip's settings "
            "(`pip config list`), then run the same command again."
        ) from error


def _stamp(folder: Path) -> str | None:
    try:
        return (folder / _STAMP).read_text()
    except FileNotFoundError:
        return None


def _project() -> dict[str, Any]:
    # Not imported above: this file must load on an older Python, which then hands over to a newer one.
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def dependency_groups() -> list[str]:
    """Name the dependency groups of the project.

    :return: the names, as pyproject.toml has them.
    """
    return list(_project()["dependency-groups"])


def _development_tools() -> list[str]:
    tools: list[str] = _project()["dependency-groups"]["dev"]
    return tools


def _sources(environment: Environment) -> str:
    """Hash all that an environment is made from; tools' settings are not among it."""
    project = _project()
    parts = {name: project[name] for name in ("build-system", "project", "dependency-groups")}
    parts["folder"] = str(environment.folder)  # an environment that was moved or copied does not work
    if environment.packages:
        parts["packages"] = list(environment.packages)
    parts["python"] = environment.interpreter.release
    parts["constraints"] = environment.constraints.read_text()
    package = (ROOT / "tallyfy_provider" / "__init__.py").read_text()
    version = re.search(r"^__version__.*$", package, re.MULTILINE)
    parts["version"] = version[0] if version else ""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def main() -> None:
    """Make the environment that the command line names and print its folder."""
    parser = argparse.ArgumentParser(description="Make one of the project's environments and print its folder.")
    parser.add_argument("airflow", choices=[*NEWEST_PYTHON, *TOOLS], help="Airflow version, or group of tools")
    parser.add_argument("--python", help="Python version, for example 3.12; the best one found when left out")
    options = parser.parse_args()
    if options.airflow in TOOLS:
        print(make_tools(options.airflow))
        return
    environment = plan(options.airflow, options.python)
    make(environment)
    print(environment.folder)


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        interpreters.continue_on_supported_interpreter()
        main()
    except (EnvironmentProblem, InterpreterError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
