"""What else the machine was doing meanwhile: a benchmark on a shared one says little without it."""

from __future__ import annotations

import os
import threading
import time

import psutil

_PAUSE = 0.002


class Machine:
    """
    Watches the machine from this process, which must have little to do.

    :param processes: Names to ids of the processes that are measured.
    """

    def __init__(self, **processes: int) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()} | {"this": psutil.Process()}
        self._watching = False

    def begin(self) -> None:
        """Begin to watch."""
        self._began, self._busy, self._used = time.monotonic(), _busy(), self._cpu()
        self._longest_gap = 0.0
        self._watching = True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> dict[str, float]:
        """
        End it.

        :return: ``load`` (of the last minute), cores used by each process and by ``others``, and ``longest_gap``: the
            longest time, in seconds, that a process which only sleeps was kept from running.
        """
        self._watching = False
        self._thread.join()
        seconds = time.monotonic() - self._began
        used = {name: (cpu - self._used[name]) / seconds for name, cpu in self._cpu().items()}
        others = max(0.0, (_busy() - self._busy) / seconds - sum(used.values()))
        return {"load": os.getloadavg()[0], **used, "others": others, "longest_gap": self._longest_gap}

    def _cpu(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: each.user + each.system for name, each in times.items()}

    def _watch(self) -> None:
        while self._watching:
            before = time.monotonic()
            time.sleep(_PAUSE)
            self._longest_gap = max(self._longest_gap, time.monotonic() - before)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
