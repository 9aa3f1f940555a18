"""The command line: ``python -m tallyfy_provider check``, and what ``airflow tallyfy check`` runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import IO

from airflow.providers.common.compat.sdk import AirflowException, mask_secret

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Fact
from tallyfy_provider.check.facts.registry import FACTS
from tallyfy_provider.check.finding import Unanswered
from tallyfy_provider.check.options import HELP, OPTIONS
from tallyfy_provider.check.reader import ApiReader, PauseClock
from tallyfy_provider.check.report import build_error, build_json, build_list, build_report
from tallyfy_provider.check.runner import Outcome, run
from tallyfy_provider.check.table import console_for, print_facts, print_outcome
from tallyfy_provider.check.trial import Trial
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.redaction import one_line
from tallyfy_provider.client.settings import build_client
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.hooks.connection import read_connection
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.utils.arguments import checklist_id as read_checklist_id
from tallyfy_provider.utils.suggestions import did_you_mean

#: Bounds of a check, so that it ends soon where Tallyfy does not answer: seconds without a byte, attempts, and seconds
#: that it waits where Tallyfy refuses requests for their rate.
_TIMEOUT, _MAX_ATTEMPTS, _MAX_RATE_LIMIT_WAIT = 10.0, 3, 120.0

DIFFERS, UNUSABLE, INTERRUPTED = 1, 2, 130


class UsageError(Exception):
    """The command cannot do what it was asked for; the text says what is wrong and the way out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m tallyfy_provider``; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tallyfy_provider", description="Work with Tallyfy.")
    command = parser.add_subparsers(dest="command", required=True).add_parser("check", help=HELP, description=HELP)
    for flags, settings in OPTIONS:
        command.add_argument(*flags, **settings)
    return check(parser.parse_args(arguments))


def run_from_airflow(arguments: argparse.Namespace) -> None:
    """Run ``airflow tallyfy check``, and exit with its code."""
    sys.exit(check(arguments))


def check(arguments: argparse.Namespace) -> int:
    """
    Check an organization as the options say.

    :return: 0; 1 if a fact differs; 2 if the options or the connection cannot be used.
    """
    with _output_alone() as output:
        try:
            return _check(arguments, output)
        except UsageError as error:
            return _fail(arguments, output, str(error), UNUSABLE)
        except KeyboardInterrupt:
            return _fail(arguments, output, "The check was interrupted.", INTERRUPTED)


@contextmanager
def _output_alone() -> Iterator[IO[str]]:
    """Let nothing else get into the output: neither what Airflow prints, nor what its loggers write to it."""
    output = sys.stdout
    try:
        number, messages = output.fileno(), sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a test's, or none at all
        with redirect_stdout(sys.stderr):
            yield output
        return
    output.flush()
    with os.fdopen(os.dup(number), "w", encoding=output.encoding, errors=output.errors) as alone:
        os.dup2(messages, number)
        try:
            with redirect_stdout(sys.stderr):
                yield alone
        finally:
            output.flush()
            alone.flush()
            os.dup2(alone.fileno(), number)


def _fail(arguments: argparse.Namespace, output: IO[str], message: str, code: int) -> int:
    text = one_line(message)
    print(text, file=sys.stderr)
    if arguments.json:
        print(json.dumps(build_error(text), indent=2), file=output)
    return code


def _check(arguments: argparse.Namespace, output: IO[str]) -> int:
    if arguments.list:
        _print_list(arguments, output)
        return 0
    facts = _chosen(arguments.only, with_writes=bool(arguments.with_writes))
    report = _report_file(arguments.report)
    with _progress() as on_request:
        outcome, trial = _ask(arguments, facts, on_request)
    if report is not None:
        _write(report, outcome)
    if arguments.json:
        print(json.dumps(build_json(outcome), indent=2), file=output)
    else:
        print_outcome(console_for(output), outcome, _left_out(arguments))
    if trial is not None and trial.is_left:
        print(one_line(trial.describe_what_is_left()), file=sys.stderr)
    return DIFFERS if outcome.count("differs") else 0


def _print_list(arguments: argparse.Namespace, output: IO[str]) -> None:
    if arguments.json:
        print(json.dumps(build_list(FACTS), indent=2), file=output)
    else:
        print_facts(console_for(output), FACTS)


def _chosen(only: str | None, *, with_writes: bool) -> list[Fact]:
    if only is None:
        return [fact for fact in FACTS if with_writes or not fact.writes]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    known = {fact.id for fact in FACTS}
    for name in wanted:
        if name not in known:
            raise UsageError(f"--only: there is no fact {name!r}{did_you_mean(name, known) or '.'} --list has all.")
    if not wanted:
        raise UsageError("--only names no fact. --list has all.")
    return [fact for fact in FACTS if fact.id in wanted]


def _left_out(arguments: argparse.Namespace) -> int:
    if arguments.only is not None or arguments.with_writes:
        return 0
    return sum(fact.writes for fact in FACTS)


def _report_file(name: str | None) -> Path | None:
    if name is None:
        return None
    path = Path(name)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--report: {name!r} cannot be written: give a file in a directory that exists.")
    return path


def _write(path: Path, outcome: Outcome) -> None:
    try:
        path.write_text(json.dumps(build_report(outcome), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report: {str(path)!r} cannot be written: {error.strerror or error}.") from None


def _ask(
    arguments: argparse.Namespace, facts: Sequence[Fact], on_request: Callable[[int], None] | None
) -> tuple[Outcome, Trial | None]:
    pauses = PauseClock()
    hook, client = _connect(arguments.conn_id, pauses)
    trial = None
    try:
        checklist_id = None if arguments.with_writes is None else _checklist_id(arguments.with_writes)
        trial = Trial(client, checklist_id) if checklist_id else None
        reader = ApiReader(client, pauses=pauses, trial=trial, on_request=on_request)
        _check_connection(hook, reader)
        if trial is not None and any(fact.writes for fact in facts):
            print(trial.describe(), file=sys.stderr)
        return run(facts, reader), trial
    except KeyboardInterrupt:
        if trial is not None and trial.is_left:
            print(one_line(trial.describe_what_is_left()), file=sys.stderr)
        raise
    finally:
        client.close()


def _checklist_id(given: str) -> str:
    try:
        return read_checklist_id(given)
    except TallyfyInputError:
        raise UsageError("--with-writes names no checklist: give the id of one, from its address in Tallyfy.") from None


def _connect(conn_id: str, pauses: PauseClock) -> tuple[TallyfyHook, TallyfyClient]:
    hook = TallyfyHook(conn_id)
    try:
        settings = read_connection(hook.find_connection())
    except AirflowException as error:
        raise UsageError(str(error)) from None
    except Exception as error:  # Airflow's database, or a secrets backend
        raise UsageError(f"The connection {conn_id!r} cannot be looked up: {type(error).__name__}: {error}") from None
    bounded = replace(
        settings,
        timeout=min(settings.timeout, _TIMEOUT),
        max_attempts=min(settings.max_attempts, _MAX_ATTEMPTS),
        concurrency=1,
        max_rate_limit_wait=min(settings.max_rate_limit_wait, _MAX_RATE_LIMIT_WAIT),
    )
    hook.client = build_client(bounded, on_secret=mask_secret, sleep=pauses.sleep)
    return hook, hook.client


def _check_connection(hook: TallyfyHook, reader: ApiReader) -> None:
    """End the check with what the Test button says where the connection does not work."""
    try:
        is_working = reader.response("runs", params=samples.OLDEST).is_success
    except Unanswered:
        is_working = False
    if is_working:
        return
    works, message = hook.test_connection()
    if not works:
        raise UsageError(message)


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Show on a terminal how many requests were sent."""
    if not sys.stderr.isatty():
        yield None
        return
    with console_for(sys.stderr).status("Asking Tallyfy") as status:
        yield lambda count: status.update(f"Asking Tallyfy: {count} requests")
