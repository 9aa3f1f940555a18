"""Start a Dag by an event in ``dag.test()``: what its asset watcher reports, in place of nothing (Airflow 3)."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The watcher sees what happens within seconds; one that does not hangs.
_SECONDS_FOR_AN_EVENT = 60.0
# How long the watcher needs to notice what was there before it began.
_SECONDS_TO_BEGIN = 2.0


def watcher_of(dag: Any) -> tuple[Any, Any] | None:
    """Find the asset watcher that a Dag is started by.

    :param dag: the Dag.
    :return: its asset and the watcher's trigger; None where the Dag has none.
    """
    schedule = getattr(dag, "schedule", None)
    for asset in schedule if isinstance(schedule, list) else [schedule]:
        for watcher in getattr(asset, "watchers", ()):
            return asset, watcher.trigger
    return None


def watch(trigger: Any, act: Callable[[], object]) -> dict[str, Any]:
    """Run a watcher's trigger until it reports an event, and let something happen meanwhile.

    :param trigger: the trigger.
    :param act: called when the trigger watches.
    :return: the event's payload.
    :raises TimeoutError: if nothing is reported.
    """

    async def first_event() -> Any:
        async for event in trigger.run():
            return event.payload

    async def watch_and_act() -> Any:
        watching = asyncio.create_task(first_event())
        await asyncio.sleep(_SECONDS_TO_BEGIN)
        act()
        return await asyncio.wait_for(watching, _SECONDS_FOR_AN_EVENT)

    payload: dict[str, Any] = asyncio.run(watch_and_act())
    return payload


@contextmanager
def triggering(asset: Any, payload: dict[str, Any]) -> Iterator[None]:
    """Let the run that ``dag.test()`` makes be one that an event started.

    :param asset: the asset that the event is about.
    :param payload: what the trigger reported.
    """
    models: Any = importlib.import_module("airflow.models.dagrun")
    create = models.get_or_create_dagrun

    def create_with_event(*, session: Any, **arguments: Any) -> Any:
        run = create(session=session, **arguments)
        run.consumed_asset_events.append(_event_of(asset, payload, session))
        session.commit()
        return run

    models.get_or_create_dagrun = create_with_event
    try:
        yield
    finally:
        models.get_or_create_dagrun = create


def _event_of(asset: Any, payload: dict[str, Any], session: Any) -> Any:
    models: Any = importlib.import_module("airflow.models.asset")
    known = session.query(models.AssetModel).filter_by(name=asset.name, uri=asset.uri).one()
    event = models.AssetEvent(asset_id=known.id, extra={"from_trigger": True, "payload": payload})
    session.add(event)
    return event
