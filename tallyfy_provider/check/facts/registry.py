"""All facts, in the order in which they are asked."""

from __future__ import annotations

from tallyfy_provider.check.facts.access import ACCESS
from tallyfy_provider.check.facts.changes import CHANGES
from tallyfy_provider.check.facts.comments import COMMENTS
from tallyfy_provider.check.facts.errors import ERRORS
from tallyfy_provider.check.facts.feed import FEED
from tallyfy_provider.check.facts.forms import FORMS
from tallyfy_provider.check.facts.includes import INCLUDES
from tallyfy_provider.check.facts.lists import LISTS
from tallyfy_provider.check.facts.run_filters import RUN_FILTERS
from tallyfy_provider.check.facts.runs import RUNS
from tallyfy_provider.check.facts.tasks import TASKS

SUBJECTS = (ACCESS, LISTS, RUN_FILTERS, RUNS, INCLUDES, TASKS, FORMS, COMMENTS, FEED, ERRORS, CHANGES)
FACTS = tuple(fact for subject in SUBJECTS for fact in subject.facts)
