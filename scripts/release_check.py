"""Builds what a release uploads and checks it as its users get it: installed from the wheel in a clean environment.

Leaves the wheel, the source archive and the wheel's SBOM (CycloneDX) in dist/.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
import zipfile
from pathlib import Path
from typing import Any

import airflow_home
import environment
import interpreters
import processes
from console import say, step

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
DISTRIBUTION = "airflow-provider-tallyfy"
PACKAGES = ("tallyfy_provider", "tallyfy_emulator")
#: Imported in the clean environment: all that users name, and nothing that only the extra ``parquet`` brings.
MODULES = (
    "tallyfy_provider.hooks.tallyfy",
    "tallyfy_provider.operators.runs",
    "tallyfy_provider.operators.tasks",
    "tallyfy_provider.operators.api",
    "tallyfy_provider.sensors.runs",
    "tallyfy_provider.sensors.tasks",
    "tallyfy_provider.transfers.object_storage",
    "tallyfy_provider.triggers.events",
    "tallyfy_provider.notifications.tallyfy",
    "tallyfy_provider.policies.retry",
    "tallyfy_provider.client",
)


class ReleaseProblem(Exception):
    """What was built should not be released; the message says why."""


def build(python: Path, log: Path) -> tuple[Path, Path]:
    """Build wheel and source archive anew.

    :param python: Python of an environment that has hatchling.
    :param log: file for its output.
    :return: the two files.
    """
    shutil.rmtree(DIST, ignore_errors=True)
    processes.run([python, "-m", "hatchling", "build", "--directory", DIST], log=log, folder=ROOT)
    (wheel,), (archive,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, archive


def check_content(wheel: Path) -> list[str]:
    """List what the wheel holds; it must be the two packages and the metadata.

    :param wheel: the wheel.
    :return: names of its files.
    :raises ReleaseProblem: if it holds anything else.
    """
    names = sorted(zipfile.ZipFile(wheel).namelist())
    allowed = (*(f"{package}/" for package in PACKAGES), f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/")
    foreign = [name for name in names if not name.startswith(allowed) or "test" in Path(name).stem.split("_")]
    if foreign:
        raise ReleaseProblem(f"The wheel holds what users do not run: {', '.join(foreign)}.")
    return names


def install(wheel: Path, folder: Path, log: Path) -> Path:
    """Install the wheel in a new environment, in the versions of the newest Airflow that is tested.

    :param wheel: the wheel.
    :param folder: where to make the environment.
    :param log: file for the output.
    :return: its Python.
    """
    interpreter = interpreters.find(newest=environment.NEWEST_PYTHON["3.3"])
    uv = environment.ensure_uv(interpreter)
    processes.run([interpreter.path, "-m", "venv", "--without-pip", folder], log=log, folder=ROOT)
    python = folder / "bin" / "python"
    constraints = environment.constraints_of("3.3")
    processes.run([uv, "pip", "install", "--python", python, "-c", constraints, wheel], log=log, folder=ROOT)
    return python


def run_airflow(python: Path, home: Path, *arguments: str) -> str:
    """Run an Airflow command of the clean environment, away from the source tree.

    :param python: Python of the environment.
    :param home: its AIRFLOW_HOME.
    :param arguments: of the command ``airflow``.
    :return: what it printed.
    :raises ReleaseProblem: if it fails.
    """
    variables = airflow_home.variables(home, python=python)
    variables.pop("PYTHONPATH", None)
    command = [str(python.with_name("airflow")), *arguments]
    done = subprocess.run(command, env=variables, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise ReleaseProblem(f"airflow {' '.join(arguments)} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def check_imports(python: Path, home: Path) -> None:
    """Import every module that users name.

    :param python: Python of the clean environment.
    :param home: its AIRFLOW_HOME.
    :raises ReleaseProblem: if one cannot be imported.
    """
    _run_code(python, home, "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)", *MODULES)


def check_example_dags(python: Path, home: Path) -> None:
    """Parse the example Dags as Airflow does.

    :param python: Python of the clean environment.
    :param home: its AIRFLOW_HOME.
    :raises ReleaseProblem: if there are none, or one has an import error.
    """
    code = (
        "import sys\nfrom airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag(dag_folder=sys.argv[1])\nassert bag.dags and not bag.import_errors, bag.import_errors"
    )
    _run_code(python, home, code, str(ROOT / "example_dags"))


def _run_code(python: Path, home: Path, code: str, *arguments: str) -> None:
    variables = airflow_home.variables(home, python=python)
    variables.pop("PYTHONPATH", None)  # away from the source tree
    command = [str(python), "-c", code, *arguments]
    done = subprocess.run(command, env=variables, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise ReleaseProblem(f"This failed in the clean environment:\n{done.stderr[-2000:]}")


def sbom(wheel: Path, installed: list[dict[str, str]]) -> dict[str, Any]:
    """Describe the wheel and what it was installed with, as CycloneDX 1.6.

    :param wheel: the wheel.
    :param installed: name and version of each distribution of the clean environment.
    :return: the document.
    """
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    version = wheel.name.split("-")[1]

    def component(name: str, number: str) -> dict[str, Any]:
        address = f"pkg:pypi/{name.lower()}@{number}"
        return {"type": "library", "bom-ref": address, "name": name, "version": number, "purl": address}

    main = component(DISTRIBUTION, version) | {
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    others = [component(each["name"], each["version"]) for each in installed if each["name"] != DISTRIBUTION]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {"component": main},
        "components": others,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": [each["bom-ref"] for each in others]}],
    }


def write_sbom(wheel: Path, python: Path) -> Path:
    """Write the SBOM beside the wheel.

    :param wheel: the wheel.
    :param python: Python of the clean environment.
    :return: the file.
    """
    uv = environment.ensure_uv(interpreters.find(newest=environment.NEWEST_PYTHON["3.3"]))
    command = [str(uv), "pip", "list", "--python", str(python), "--format", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    path = wheel.with_name(f"{wheel.name}.cdx.json")
    path.write_text(json.dumps(sbom(wheel, json.loads(listed)), indent=2) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Build and check."""
    work = Path(tempfile.mkdtemp(prefix="tallyfy-release-"))
    log = work / "log"
    try:
        developing = environment.plan("3.3")
        environment.make(developing)
        twine = environment.make_tools("release") / "bin" / "twine"
        with step("building"):
            wheel, archive = build(developing.python, log)
        names = check_content(wheel)
        with step("twine check --strict"):
            processes.run([twine, "check", "--strict", wheel, archive], log=log, folder=ROOT)
        with step("installing the wheel in a clean environment"):
            python = install(wheel, work / "environment", log)
        home = work / "home"
        home.mkdir()
        with step("importing"):
            check_imports(python, home)
        with step("airflow providers get"):
            provider = run_airflow(python, home, "providers", "get", DISTRIBUTION, "--output", "json")
        with step("example Dags"):
            check_example_dags(python, home)
        document = write_sbom(wheel, python)
        _report(wheel, archive, document, names, provider)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _report(wheel: Path, archive: Path, document: Path, names: list[str], provider: str) -> None:
    folders: dict[str, int] = {}
    for name in names:
        folder = "/".join(name.split("/")[:2]) if name.count("/") > 1 else name.split("/")[0]
        folders[folder] = folders.get(folder, 0) + 1
    say("\nThe wheel holds:")
    for folder, count in folders.items():
        say(f"  {count:4} {folder}")
    say(f"\nairflow providers get: {provider.strip()}")
    for path in (wheel, archive, document):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")
    say("\nReady to be released.")


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        interpreters.continue_on_supported_interpreter()
        main()
    except (
        ReleaseProblem,
        environment.EnvironmentProblem,
        processes.CommandError,
        interpreters.InterpreterError,
    ) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
