"""Child processes that never outlive the program that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

_TAIL_LINES = 40
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CommandError(Exception):
    """A command that this program needed has failed."""


def end_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end this program through its ``finally`` blocks.

    SIGINT is set explicitly because a shell that starts a program with ``&`` makes it ignore that signal.
    """
    for number in _ENDING_SIGNALS:
        signal.signal(number, _leave)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # `make` passes on a signal that the terminal has sent already: a second one must not cut the tidying short.
    for other in _ENDING_SIGNALS:
        signal.signal(other, lambda *_: None)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def start_group(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command as the leader of a session of its own, its output going to a file.

    :param command: program and arguments.
    :param log: file that the output is appended to.
    :param environment: its environment variables; this program's own when None.
    :param folder: its working folder; this program's own when None.
    :return: the started process, to be ended with :func:`stop_group`.
    :raises OSError: if the program cannot be started.
    """
    with log.open("ab") as output:
        # No input: a program that asks for something ends at once instead of waiting for ever.
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
            preexec_fn=_listen_to_interrupts,
        )


def _listen_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Run a command to its end, its output going to a file; end it if this program is interrupted.

    :param command: program and arguments.
    :param log: file that the output is appended to.
    :param environment: its environment variables; this program's own when None.
    :param folder: its working folder; this program's own when None.
    :param timeout: seconds it may take; without limit when None.
    :raises CommandError: if it ends with a code other than 0 or takes too long; the message has the log.
    """
    started_at = log.stat().st_size if log.exists() else 0
    process = start_group(command, log=log, environment=environment, folder=folder)
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{_name(command)} was ended after {timeout:.0f} s.\n{tail(log)}") from error
    finally:
        stop_group(process)
    if code != 0:
        raise CommandError(f"{_name(command)} ended with code {code}.\n{tail(log, skip=started_at)}")


def _name(command: Sequence[str | Path]) -> str:
    return " ".join(str(word) for word in command[:4])


def tail(log: Path, lines: int = _TAIL_LINES, *, skip: int = 0) -> str:
    """Read the end of a log file.

    :param log: the file; one that does not exist reads as empty.
    :param lines: how many lines at most.
    :param skip: bytes at the file's beginning that are left out.
    :return: the last lines, each indented, under a line that names the file.
    """
    if not log.exists():
        return f"(no log at {log})"
    with log.open("rb") as stream:
        stream.seek(skip)
        text = stream.read().decode(errors="replace")
    shown = text.splitlines()[-lines:]
    return "\n".join([f"The end of {log}:", *(f"  | {line}" for line in shown)])


def stop_group(process: subprocess.Popen[bytes], *, first: int = signal.SIGTERM, grace: float = 10.0) -> None:
    """End a process started by :func:`start_group` and everything left in its session.

    :param process: the process; one that has ended is fine, what it left behind is ended too.
    :param first: the signal that asks it to end.
    :param grace: seconds that it gets before it is killed.
    """
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    members = session_members(process.pid)
    _signal_all(members, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while members and time.monotonic() < deadline:
        time.sleep(0.05)
        members = session_members(process.pid)
    _signal_all(members, signal.SIGKILL)


def session_members(session: int) -> list[int]:
    """Find the living processes of a session.

    :param session: its id, which is the id of the process that leads it.
    :return: their process ids.
    """
    members = []
    for process, state, group_session in _process_table():
        if group_session == session and not state.startswith("Z"):
            members.append(process)
    return members


def stop_all_in(folder: Path) -> None:
    """Kill what still runs with a folder of ours among its environment variables; for what escaped all else.

    It needs /proc; where there is none, nothing is done.

    :param folder: a folder that no other program knows of, such as a temporary AIRFLOW_HOME.
    """
    mark = str(folder).encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = mark in (entry / "environ").read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        if is_ours and int(entry.name) != os.getpid():
            _signal_all([int(entry.name)], signal.SIGKILL)


def _process_table() -> list[tuple[int, str, int]]:
    proc = Path("/proc")
    if (proc / "self" / "stat").exists():
        return [row for entry in proc.iterdir() if entry.name.isdigit() and (row := _read_stat(entry))]
    # macOS has no /proc, and its `ps` shows no session: the process group has to serve.
    listing = subprocess.run(["ps", "-axo", "pid=,stat=,pgid="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [(int(pid), state, int(group)) for pid, state, group in rows]


def _read_stat(entry: Path) -> tuple[int, str, int] | None:
    try:
        text = (entry / "stat").read_text()
    except OSError:
        return None  # it ended meanwhile
    # The second field is the program's name in brackets and may hold anything.
    state, _parent, _group, session = text.rpartition(")")[2].split()[:4]
    return int(entry.name), state, int(session)


def _signal_all(members: list[int], number: int) -> None:
    for member in members:
        try:
            os.kill(member, number)
        except ProcessLookupError:
            continue
