"""ArchiveRunOperator and ActivateRunOperator: archive one run, and bring it back."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.operators.runs.base import RunOperator


class ArchiveRunOperator(RunOperator):
    """Archive a run, which is how a process is cancelled; succeed if it is archived already."""

    def _act(self, run_id: str) -> dict[str, Any]:
        run = self.hook.client.runs.archive(run_id)
        self.log.info("Run %s is archived.", run_id)
        return run


class ActivateRunOperator(RunOperator):
    """Bring a run back from the archive; succeed if it is not archived."""

    def _act(self, run_id: str) -> dict[str, Any]:
        run = self.hook.client.runs.activate(run_id)
        self.log.info("Run %s is not archived.", run_id)
        return run
