"""What is built and installed: the wheel, the source archive, the entry point and the version."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from airflow.providers.common.compat.module_loading import import_string

import release_check
import tallyfy_provider
from tallyfy_provider.get_provider_info import get_provider_info

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTION = "airflow-provider-tallyfy"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build wheel and source archive as a release does; the folder that holds them."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel_names(built: Path) -> set[str]:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist_names(built: Path) -> set[str]:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_wheel_is_for_any_python_3_and_has_the_version_in_its_name(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"airflow_provider_tallyfy-{tallyfy_provider.__version__}-py3-none-any.whl"


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel_names: set[str]) -> None:
    expected = {
        str(path.relative_to(ROOT))
        for package in ("tallyfy_provider", "tallyfy_emulator")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    information = f"airflow_provider_tallyfy-{tallyfy_provider.__version__}.dist-info/"
    assert {name for name in wheel_names if not name.startswith(information)} == expected
    assert f"{information}licenses/LICENSE" in wheel_names


@pytest.mark.parametrize(
    "name",
    [
        "tallyfy_provider/py.typed",
        "tallyfy_provider/get_provider_info.py",
        "tallyfy_emulator/__main__.py",
    ],
)
def test_wheel_holds_what_is_found_by_name(wheel_names: set[str], name: str) -> None:
    assert name in wheel_names


def test_wheel_holds_nothing_of_tests_benchmarks_or_scripts(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert release_check.check_content(wheel)


def test_a_wheel_with_foreign_files_is_refused(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    foreign = tmp_path / wheel.name
    foreign.write_bytes(wheel.read_bytes())
    with zipfile.ZipFile(foreign, "a") as archive:
        archive.writestr("tests/conftest.py", "")
    with pytest.raises(release_check.ReleaseProblem, match=r"tests/conftest\.py"):
        release_check.check_content(foreign)


def test_sbom_names_the_wheel_its_hash_and_what_it_needs(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    document = release_check.sbom(wheel, [{"name": "requests", "version": "2.32.0"}])
    assert document["metadata"]["component"]["hashes"][0]["content"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert [each["purl"] for each in document["components"]] == ["pkg:pypi/requests@2.32.0"]
    known = {document["metadata"]["component"]["bom-ref"], *(each["bom-ref"] for each in document["components"])}
    assert {ref for each in document["dependencies"] for ref in (each["ref"], *each["dependsOn"])} <= known


def test_description_on_pypi_has_no_relative_link(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        text = archive.read(name).decode()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_airflows_registry_finds_each_class() -> None:
    listed = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    information = get_provider_info()
    assert listed["package-name"] == DISTRIBUTION
    names = {kind: {each["module"] for each in listed[kind]} for kind in ("operators", "hooks", "sensors", "triggers")}
    for kind, paths in names.items():
        modules = {module for each in information[kind] for module in each["python-modules"]}
        assert {path.rpartition(".")[0] for path in paths} == modules
        assert all(isinstance(import_string(path), type) for path in paths)
    assert [each["module"] for each in listed["notifications"]] == information["notifications"]
    assert {each["module"].rpartition(".")[0] for each in listed["transfers"]} == {
        each["python-module"] for each in information["transfers"]
    }


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_workflows_can_be_read_and_run_targets_that_there_are(path: Path) -> None:
    text = path.read_text()
    assert yaml.safe_load(text)["jobs"]
    targets = set(re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"run: make ([\w.-]+)", text)) <= targets


def test_the_release_uses_actions_by_their_hash() -> None:
    used = re.findall(r"uses: (\S+)", (ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize("folder", ["docs", "example_dags", "tests", "tallyfy_provider", "constraints"])
def test_source_archive_holds_what_a_packager_needs(sdist_names: set[str], folder: str) -> None:
    assert any(name.startswith(f"{folder}/") for name in sdist_names)


def test_source_archive_holds_no_leftovers(sdist_names: set[str]) -> None:
    leftovers = {".environments", ".cache", ".run", "__pycache__", "dist"}
    assert [name for name in sdist_names if leftovers.intersection(Path(name).parts)] == []


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    entry_points = metadata.distribution(DISTRIBUTION).entry_points
    (entry_point,) = entry_points.select(group="apache_airflow_provider")
    assert entry_point.name == "provider_info"
    information = entry_point.load()()
    assert information["package-name"] == DISTRIBUTION


def test_airflow_lists_the_provider_with_its_version() -> None:
    from airflow.providers_manager import ProvidersManager

    provider = ProvidersManager().providers[DISTRIBUTION]
    assert provider.version == tallyfy_provider.__version__


def test_version_is_the_same_everywhere() -> None:
    assert metadata.version(DISTRIBUTION) == tallyfy_provider.__version__


def test_metadata_names_licence_classifiers_extras_and_requirements() -> None:
    information = metadata.metadata(DISTRIBUTION)
    classifiers = information.get_all("Classifier")
    assert information["License-Expression"] == "Apache-2.0"
    assert information["Requires-Python"] == ">=3.11"
    assert {
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Typing :: Typed",
    } <= set(classifiers)
    assert sorted(information.get_all("Provides-Extra")) == ["dlt", "emulator", "parquet", "redis"]
    needed = [requirement for requirement in metadata.requires(DISTRIBUTION) or [] if "extra ==" not in requirement]
    assert sorted(needed) == [
        "apache-airflow-providers-common-compat>=1.23",
        "apache-airflow>=2.11",
        "requests>=2.31",
    ]


@pytest.mark.parametrize("path", sorted(ROOT.glob("constraints/airflow-*.txt")), ids=lambda path: path.name)
def test_constraints_hold_pins_and_no_addresses(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if "==" not in line or "://" in line or line.startswith("-")] == []
