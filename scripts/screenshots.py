"""``make screenshots``: take the pictures of the documentation, in Chromium, from the real UI and the emulator's pages.

It starts what ``make ui`` starts, does what a new user does, and writes PNG files into ``docs/images/``. That takes a
quarter of an hour, since the log of a wait covers ten minutes. Playwright has an environment of its own, which is made
once; a Chromium must be there.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import airflow_home
import environment
import processes
import ui
from airflow_rest import AirflowRest, fetch
from airflow_runner import PASSWORD, USERNAME, Standalone
from console import say, step
from interpreters import InterpreterError
from tallyfy_emulator import Emulator

IMAGES = ui.ROOT / "docs" / "images"
#: Bytes of a picture, which everybody who opens the documentation loads.
LARGEST = 200_000
_WIDTH, _HEIGHT = 1280, 800
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: What takes pictures, and makes the files small.
PACKAGES = ("playwright", "pillow")
_NO_BROWSER = "No Chromium was found: install one, for example with `apt-get install chromium`."
#: Milliseconds until a page has drawn what it has, and until it has it on a machine that is busy.
_DRAWN, _SLOW = 2000, 240_000
APPROVAL, REVIEWS = "tallyfy_approve_before_payment", "tallyfy_wait_for_each_run"
#: Processes that nobody but this script works on.
AWAITED = tuple(f"Contract review – framework with {name}" for name in ("Ibis Travel", "Globex", "Hooli"))
#: Seconds until the first of them changes, and to what: ten minutes in all.
CHANGES = ((110, "delayed"), (170, "problem"), (125, "active"), (195, "complete"))


class Camera:
    """A browser that takes pictures.

    :param context: Playwright's browser context.
    :param airflow: Airflow's address.
    :param folder: where the pictures go.
    """

    def __init__(self, context: Any, airflow: str, folder: Path) -> None:
        self.page = context.new_page()
        self._airflow = airflow
        self._folder = folder

    def log_in(self) -> None:
        """Log in to Airflow."""
        self.page.goto(self._airflow, timeout=_SLOW)
        self.page.wait_for_selector("input[type=password]", timeout=_SLOW)
        self.page.fill("input[name=username]", USERNAME)
        self.page.fill("input[type=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.get_by_text("Dags").first.wait_for(timeout=_SLOW)

    def open(self, path: str, awaited: str) -> None:
        """Open a page.

        :param path: of a page of Airflow, or a whole address.
        :param awaited: a text that is on the page when it is drawn.
        """
        self.page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
        self.page.goto(path if path.startswith("http") else self._airflow + path, timeout=_SLOW)
        self.page.get_by_text(awaited).filter(visible=True).first.wait_for(timeout=_SLOW)
        self.wait()

    def wait(self) -> None:
        """Wait until nothing on the page is a placeholder."""
        self.page.wait_for_function("() => !document.querySelector('.chakra-skeleton')", timeout=_SLOW)
        self.page.wait_for_timeout(_DRAWN)

    def take(self, name: str, *, height: int = _HEIGHT) -> None:
        """Take a picture.

        :param name: the file's name, without ending.
        :param height: pixels.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self.page.set_viewport_size({"width": _WIDTH, "height": height})
        self.page.mouse.move(0, 0)  # no tooltip
        self.page.wait_for_timeout(500)
        file = self._folder / f"{name}.png"
        self.page.screenshot(path=file)
        shrink(file)
        size = file.stat().st_size
        say(f"  {name}.png, {size / 1000:.0f} kB")
        if size > LARGEST:
            raise ValueError(f"{file} has {size} bytes, and {LARGEST} are the limit: take less of the page.")


def shrink(file: Path) -> None:
    """Write a picture with a palette, which takes a third of the bytes.

    :param file: a PNG file.
    """
    image = importlib.import_module("PIL.Image")
    with image.open(file) as picture:
        # Of 256 colours, the rare ones too: what tells the states of tasks apart is a few pixels.
        small = picture.convert("RGB").quantize(256, image.Quantize.MAXCOVERAGE, kmeans=1, dither=image.Dither.NONE)
    small.save(file, optimize=True)


def run(airflow: AirflowRest, dag_id: str, params: dict[str, Any] | None = None) -> str:
    """Start a run of a Dag.

    :param airflow: the Airflow.
    :param dag_id: the Dag; it is switched on.
    :param params: what is filled into the form.
    :return: the run's id.
    """
    airflow.unpause(dag_id, timeout=300)
    return airflow.trigger(dag_id, params)


def task_page(dag_id: str, run_id: str, task_id: str, rest: str = "") -> str:
    """Return the path of a task's page.

    :param dag_id: the Dag.
    :param run_id: the run.
    :param task_id: the task.
    :param rest: what follows, such as ``/details``.
    :return: the path.
    """
    return f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{rest}"


def take_home(camera: Camera) -> None:
    """Take what Airflow greets with, when all its parts run and nothing has been started.

    :param camera: logged in.
    """
    camera.open("/", "Triggerer")
    camera.take("ui-home", height=440)


def take_connection(camera: Camera) -> None:
    """Take the form of the connection.

    :param camera: logged in.
    """
    camera.open("/connections", ui.CONNECTION_ID)
    camera.page.get_by_label("Edit Connection").first.click(timeout=_SLOW)
    camera.page.get_by_text("Organization").first.wait_for(timeout=_SLOW)
    camera.wait()
    camera.take("ui-connection", height=930)


def take_docs(camera: Camera) -> None:
    """Take a Dag's docs.

    :param camera: logged in.
    """
    camera.open(f"/dags/{APPROVAL}", APPROVAL)
    camera.page.get_by_role("button", name="Dag Docs").first.click(timeout=_SLOW)
    camera.page.get_by_text("What to press").first.wait_for(timeout=_SLOW)
    camera.wait()
    camera.take("ui-dag-docs", height=500)


def take_approval(camera: Camera, airflow: AirflowRest) -> None:
    """Launch a process and approve it in the browser.

    :param camera: logged in.
    :param airflow: the Airflow, logged in.
    """
    run_id = run(airflow, APPROVAL)
    task_id = "wait_for_approval"
    airflow.wait_for_task_state(APPROVAL, run_id, task_id, "deferred", timeout=600)
    camera.open(task_page(APPROVAL, run_id, task_id), "Polling every")
    camera.take("waiting-dag", height=560)
    camera.open(task_page(APPROVAL, run_id, task_id, "/details"), "Tallyfy process")
    camera.take("ui-link", height=420)
    process = airflow.links(APPROVAL, run_id, task_id)["Tallyfy process"]
    camera.open(str(process), "Approve the expense")
    camera.take("process-before-approval", height=910)
    camera.page.get_by_label("Note").fill("Within the budget.")
    camera.page.get_by_label("payroll").check()
    camera.page.get_by_role("button", name="Approve").click()
    camera.page.get_by_text("approved").first.wait_for(timeout=_SLOW)
    camera.open(str(process), "approved")
    camera.page.get_by_text("1. Approve the expense").click()  # shows what was written into the form
    camera.take("process-after-approval", height=910)
    if (state := airflow.wait_for_dag_run(APPROVAL, run_id, timeout=600)["state"]) != "success":
        raise ValueError(f"The run {run_id} of {APPROVAL} is {state}: no picture for the documentation.")
    camera.open(f"/dags/{APPROVAL}/runs/{run_id}", task_id)
    camera.take("ui-approved", height=830)


def take_waits(camera: Camera, airflow: AirflowRest, tallyfy: str) -> None:
    """Wait for several processes, one of which changes in the course of ten minutes.

    :param camera: logged in.
    :param airflow: the Airflow, logged in.
    :param tallyfy: the emulator's address.
    """
    (first, *_) = [fetch("POST", f"{tallyfy}/_emulator/runs", {"name": name})["data"]["id"] for name in AWAITED]
    run_id = run(airflow, REVIEWS, {"process": "framework with"})
    task_id = "wait_for_review"
    airflow.wait_for_task_state(REVIEWS, run_id, task_id, "deferred", timeout=600)
    camera.open(task_page(REVIEWS, run_id, task_id, "/mapped"), AWAITED[-1])
    camera.take("ui-mapped-waits", height=640)
    for seconds, status in CHANGES:
        time.sleep(seconds)
        fetch("PATCH", f"{tallyfy}/_emulator/runs/{first}", {"status": status})
    time.sleep(30)  # the Dag looks every five seconds
    camera.open(task_page(REVIEWS, run_id, task_id, "/mapped/0"), "Waited for")
    camera.take("ui-log", height=1080)


def serve(resources: ExitStack) -> tuple[AirflowRest, str]:
    """Start what ``make ui`` starts.

    :param resources: what has to be stopped goes here.
    :return: the Airflow, and the emulator's address.
    """
    home = resources.enter_context(airflow_home.temporary_home("tallyfy-screenshots-"))
    emulator = resources.enter_context(Emulator(colleagues=True))
    airflow = Standalone(dags_folder=ui.ROOT / "example_dags", environment=ui.settings(emulator), home=home)
    resources.callback(airflow.stop)
    airflow.prepare()
    ui.start(airflow, emulator)
    return airflow, emulator.base_url


def connected(url: str) -> AirflowRest:
    """Use an Airflow that runs already, that of ``make ui``.

    :param url: its address.
    :return: the Airflow, logged in.
    """
    airflow = AirflowRest(url, 3)
    airflow.log_in(USERNAME, PASSWORD)
    return airflow


def main(start_browser: Callable[[], Any]) -> None:
    """Take the pictures.

    :param start_browser: Playwright's ``sync_playwright``.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airflow", help="address of an Airflow that runs already, that of `make ui`")
    parser.add_argument("--tallyfy", help="address of its emulator")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the pictures go (default: %(default)s)")
    parser.add_argument("--only", nargs="*", help="home, connection, docs, approval, waits (default: all)")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise ValueError(_NO_BROWSER)
    with ExitStack() as resources:
        if options.airflow:
            airflow, tallyfy = connected(options.airflow), options.tallyfy
        else:
            airflow, tallyfy = serve(resources)
        playwright = resources.enter_context(start_browser())
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        resources.callback(browser.close)
        context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        camera = Camera(context, airflow.url, options.folder)
        pictures: dict[str, Callable[[], None]] = {
            "home": lambda: take_home(camera),
            "connection": lambda: take_connection(camera),
            "docs": lambda: take_docs(camera),
            "approval": lambda: take_approval(camera, airflow),
            "waits": lambda: take_waits(camera, airflow, tallyfy),
        }
        with step("taking pictures"):
            camera.log_in()
            for name in options.only or pictures:
                pictures[name]()


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        sync_playwright = importlib.import_module("playwright.sync_api").sync_playwright
    except ImportError:
        try:
            python = str(environment.made_for("screenshots", PACKAGES))
        except (environment.EnvironmentProblem, InterpreterError) as problem:
            sys.exit(f"\n{problem}")
        os.execv(python, [python, *sys.argv])  # noqa: S606 - this script, where Playwright is
    try:
        main(sync_playwright)
    except (processes.CommandError, TimeoutError, ValueError) as problem:
        sys.exit(f"\n{problem}")
