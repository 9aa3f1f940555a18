"""UpdateRunOperator: change one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tallyfy_provider.operators.runs.base import RunOperator
from tallyfy_provider.utils import arguments

#: Fields of a run that are sent as they are given.
_PLAIN_FIELDS = ("name", "owner_id", "starred", "is_public")


class UpdateRunOperator(RunOperator):
    """
    Change a run (a process of Tallyfy). What is not named stays as it is, and nobody is unassigned.

    The line in the summary by which a retry of ``LaunchRunOperator`` finds its run is kept.

    Where ``kickoff`` changes a completed kick-off form, the form is reopened, saved and completed again, since Tallyfy
    applies the template's rules only then. ``tasks_changed_by_rules`` and ``rules_evaluated`` of the returned run are
    what Tallyfy says about it. If that fails, the form is completed again as it is, and the task fails.

    :param name: A new name; templated.
    :param summary: A new summary, text or HTML; templated.
    :param owner_id: Id of the new owner; templated.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; the others stay.
    :param reapply_rules: Whether the template's rules are applied to the changed form; False only saves the values. A
        form that is still open is saved and stays open.
    :param add_users: Ids of users to assign in addition to those who are; templated.
    :param add_groups: Ids of groups to assign in addition to those that are; templated.
    :param starred: Whether it is starred; templated.
    :param is_public: Whether it is public; templated.
    :raises TallyfyInputError: There is nothing to change, or a value cannot be used; nothing was changed.
    """

    template_fields: Sequence[str] = (
        *RunOperator.template_fields,
        *_PLAIN_FIELDS,
        "summary",
        "kickoff",
        "add_users",
        "add_groups",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"kickoff": "json"}

    def __init__(
        self,
        *,
        name: str | None = None,
        summary: str | None = None,
        owner_id: int | str | None = None,
        kickoff: Mapping[str, Any] | str | None = None,
        reapply_rules: bool = True,
        add_users: Sequence[int | str] | str | None = None,
        add_groups: Sequence[str] | str | None = None,
        starred: bool | str | None = None,
        is_public: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.summary = summary
        self.owner_id = owner_id
        self.kickoff = kickoff
        self.reapply_rules = reapply_rules
        with arguments.checking_literals(self):
            arguments.boolean("reapply_rules", reapply_rules)
        self.add_users = add_users
        self.add_groups = add_groups
        self.starred = starred
        self.is_public = is_public

    def _act(self, run_id: str) -> dict[str, Any]:
        from tallyfy_provider.client.runs.update import RunUpdate

        update = RunUpdate.build(
            values={name: getattr(self, name) for name in _PLAIN_FIELDS},
            summary=self.summary,
            kickoff=self.kickoff,
            add={"users": self.add_users, "groups": self.add_groups},
            reapply_rules=self.reapply_rules,
        )
        run, notes = update.apply(self.hook.client.runs, self.hook.client.checklists, run_id)
        for note in notes:
            self.log.warning(note)
        self.log.info("Changed %s of run %s.", update.named, run_id)
        return run
