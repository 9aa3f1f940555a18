"""
Apply a template's rules to a run. Pure.

Tallyfy applies them when the kick-off form is completed, at launch or later, and not when an answer is saved. An
unmet rule changes nothing, and none moves a deadline that was set by hand (docs/tallyfy-api.md, "Endpoints").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tallyfy_emulator.model.catalog import Rule, RuleCheck
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_changes import recalculated

_DAY = 86400.0


def with_rules_applied(run: Run, at: float) -> Run:
    """Evaluate the rules of a run's template and change its tasks; without rules, the run stays as it is."""
    if not run.checklist.rules:
        return run
    tasks = list(run.tasks)
    checks: list[RuleCheck] = []
    for rule in run.checklist.rules:
        is_met = _is_met(rule, run.prerun.get(rule.field_id))
        changed = [index for index, task in enumerate(tasks) if is_met and _applies(rule, task)]
        for index in changed:
            tasks[index] = _changed(rule, tasks[index], at)
        checks.append(RuleCheck(rule, at, is_met, tuple(tasks[index].id for index in changed)))
    return recalculated(replace(run, tasks=tuple(tasks), rule_checks=(*run.rule_checks, *checks)), at)


def rules_report(before: Run, after: Run) -> dict[str, Any]:
    """Return what an answer says about the rules that were evaluated between two states of a run."""
    checks = after.rule_checks[len(before.rule_checks) :]
    changed = {task_id: check.rule.verb for check in checks for task_id in check.task_ids}
    return {"tasks_changed_by_rules": changed or [], "rules_evaluated": len(checks)}


def _is_met(rule: Rule, value: Any) -> bool:
    chosen = value if isinstance(value, list) else [value]
    texts = [each.get("text") if isinstance(each, dict) else each for each in chosen]
    return any(text is not None and str(text) == rule.equals for text in texts)


def _applies(rule: Rule, task: Task) -> bool:
    if task.step_id != rule.step_id or task.is_done:
        return False
    return task.auto_skipped if rule.deadline_days is None else not task.deadline_set_by_hand


def _changed(rule: Rule, task: Task, at: float) -> Task:
    if rule.deadline_days is None:
        return replace(task, auto_skipped=False)
    return replace(task, deadline=at + rule.deadline_days * _DAY)
