"""Operators on one run: get it, update it, archive it, bring it back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.guest_links import without_guest_links
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.utils.arguments import is_nothing, names

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RunOperator(TallyfyBaseOperator):
    """
    What operators on one run have in common. Returns the run as Tallyfy gave it, without guest links.

    :param run_id: The run's id; templated.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyNotFoundError: There is no such run.
    :raises TallyfyError: Of the kind that fits.
    """

    template_fields: Sequence[str] = ("run_id", "tallyfy_conn_id")
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(self, *, run_id: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Do it.

        :param context: Airflow's task context.
        :return: The run as it is then.
        """
        if is_nothing(self.run_id):
            raise TallyfyInputError("run_id is empty: it says which run. Has the task before handed one on?")
        run_id = str(self.run_id).strip()
        TallyfyRunLink.persist(context, run_id)
        run: dict[str, Any] = without_guest_links(self._act(run_id))
        return run

    @abstractmethod
    def _act(self, run_id: str) -> dict[str, Any]:
        """Do what the operator is for; give the run as it is then."""


class GetRunOperator(RunOperator):
    """
    Get a run (a process of Tallyfy), also an archived one.

    :param include: What to get along with it, such as ``tasks`` or ``ko_form_fields``; templated. Without it an
        archived run is found, too.
    :param fields: Names of the fields to keep, templated; None keeps all.
    """

    template_fields: Sequence[str] = (*RunOperator.template_fields, "include", "fields")

    def __init__(
        self, *, include: Sequence[str] | str = (), fields: Sequence[str] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.include = include
        self.fields = fields

    def _act(self, run_id: str) -> dict[str, Any]:
        kept = names("fields", self.fields)
        include = [] if is_nothing(self.include) or not self.include else names("include", self.include)
        run = self.hook.get_run(run_id, include) if include else self.hook.find_run(run_id)
        return run if kept is None else {name: run.get(name) for name in kept}


class UpdateRunOperator(RunOperator):
    """
    Change a run (a process of Tallyfy); what is not named stays as it is, and nobody is unassigned.

    The line in the summary by which a retry of ``LaunchRunOperator`` finds its run is kept.

    :param name: A new name; templated.
    :param summary: A new summary, text or HTML; templated.
    :param owner_id: The user who owns it from now on; templated.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; the others stay.
    :param add_users: Ids of users to assign beside those who are; templated.
    :param add_groups: Ids of groups to assign beside those that are; templated.
    :param starred: Whether it is starred; templated.
    :param is_public: Whether it is public; templated.
    :raises TallyfyInputError: There is nothing to change, or a value cannot be used; nothing was changed.
    """

    template_fields: Sequence[str] = (
        *RunOperator.template_fields,
        "name",
        "summary",
        "owner_id",
        "kickoff",
        "add_users",
        "add_groups",
        "starred",
        "is_public",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"kickoff": "json"}

    def __init__(
        self,
        *,
        name: str | None = None,
        summary: str | None = None,
        owner_id: int | str | None = None,
        kickoff: Mapping[str, Any] | str | None = None,
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
        self.add_users = add_users
        self.add_groups = add_groups
        self.starred = starred
        self.is_public = is_public

    def _act(self, run_id: str) -> dict[str, Any]:
        from tallyfy_provider.client.runs.update import RunUpdate

        update = RunUpdate.build(
            values={name: getattr(self, name) for name in ("name", "owner_id", "starred", "is_public")},
            summary=self.summary,
            kickoff=self.kickoff,
            add={"users": self.add_users, "groups": self.add_groups},
        )
        run, notes = update.apply(self.hook.client.runs, self.hook.client.checklists, run_id)
        for note in notes:
            self.log.warning(note)
        self.log.info("Changed %s of run %s.", update.named, run_id)
        return run


class ArchiveRunOperator(RunOperator):
    """Archive a run, which is how a process is cancelled; one that is archived already stays so."""

    def _act(self, run_id: str) -> dict[str, Any]:
        run = self.hook.client.runs.archive(run_id)
        self.log.info("Run %s is archived.", run_id)
        return run


class ActivateRunOperator(RunOperator):
    """Bring a run back from the archive; one that is not archived stays as it is."""

    def _act(self, run_id: str) -> dict[str, Any]:
        run = self.hook.client.runs.activate(run_id)
        self.log.info("Run %s is not archived.", run_id)
        return run
