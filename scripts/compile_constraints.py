"""Writes constraints/airflow-*.txt: the exact versions that each Airflow is tested with.

``make constraints`` keeps what is pinned already and still fits; with ``UPGRADE=1`` it takes the newest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import environment
import interpreters
import processes
from console import say, step

# The release of each supported Airflow that the pins are made for.
RELEASES = {"3.3": "3.3.2", "3.2": "3.2.2", "3.1": "3.1.8", "3.0": "3.0.6", "2.11": "2.11.2"}
# What a release needs beyond its own requirements, since packages that it uses have changed after it.
BOUNDS: dict[str, list[str]] = {
    "3.2": [
        # From 0.137 on the API server does not start: "Prefix and path cannot be both empty" (the route of /health).
        # With 0.165, it is "Model 'TITerminalStatePayload' needs a discriminator field".
        "fastapi<0.137",
        # That of the day 3.2.2 was released. With 26.2.0 the API server starts; more was not tried.
        "svcs==25.1.0",
    ],
    "3.0": [
        # Airflow 3.1 requires the same (apache/airflow, pull request 56386), and cadwyn breaks with later ones time and
        # again (issues 57752 and 59856).
        "fastapi<0.118",
        # That of the day 3.0.6 was released: 2.11 checks the issuer of tokens more strictly (issue 61270).
        "pyjwt==2.10.1",
        # Airflow 3.1 requires the same. With 0.3, each ObjectStoragePath raises "detected protocol file which is
        # incompatible", so nothing can be exported.
        "universal-pathlib<0.3",
    ],
}
_HEADER = (
    "# The versions that this project is tested with on Airflow {release}. "
    "Written by `make constraints`; do not edit.\n"
)


def compile_for(airflow: str, uv: Path, *, upgrade: bool) -> None:
    """Write the constraints file of one Airflow version.

    :param airflow: for example ``3.3``.
    :param uv: the uv program.
    :param upgrade: take the newest versions instead of keeping those that are pinned.
    :raises processes.CommandError: if no set of versions fits.
    :raises ValueError: if an address got into the result.
    """
    target = environment.constraints_of(airflow)
    release = RELEASES[airflow]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "airflow.in")
        wanted.write_text("\n".join([f"apache-airflow=={release}", *BOUNDS.get(airflow, [])]) + "\n")
        compiled = Path(folder, "compiled.txt")
        if target.exists() and not upgrade:
            compiled.write_text(target.read_text())
        command: list[str | Path] = [uv, "pip", "compile", "--quiet"]
        command += ["--universal", "--python-version", "3.11", "--all-extras"]
        command += [f"--group={group}" for group in environment.dependency_groups()]
        command += ["--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--output-file", compiled, environment.ROOT / "pyproject.toml", wanted]
        processes.run(command, log=Path(folder, "log"), folder=environment.ROOT)
        pins = compiled.read_text()
    if "://" in pins:
        raise ValueError(f"An address got into the pins for Airflow {release}; {target} was left as it was.")
    # Written whole or not at all: an interrupt must not leave half a file.
    draft = target.with_suffix(".draft")
    draft.write_text(_HEADER.format(release=release) + pins)
    draft.replace(target)
    say(f"{target.relative_to(environment.ROOT)}: {len(pins.splitlines())} packages")


def main() -> None:
    """Write all constraints files."""
    parser = argparse.ArgumentParser(description="Pin the versions that each Airflow is tested with.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    interpreter = interpreters.find()
    uv = environment.ensure_uv(interpreter)
    for airflow in RELEASES:
        with step(f"resolving for Airflow {airflow}"):
            compile_for(airflow, uv, upgrade=options.upgrade)


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        interpreters.continue_on_supported_interpreter()
        main()
    except (environment.EnvironmentProblem, interpreters.InterpreterError, processes.CommandError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
