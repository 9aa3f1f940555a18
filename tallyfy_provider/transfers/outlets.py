"""What an export tells Airflow beside its XCom: events of assets, and where the next export begins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

#: Key under which the state store of an asset holds where the next export begins.
WATERMARK = "tallyfy_next_updated_after"


def fill_events(context: Context, outlets: Sequence[Any] | None, written: dict[str, Any]) -> None:
    """
    Give each outlet that is an asset an event with what was written.

    An asset whose name, or the end of whose URI, is a table's name gets what is said of that table. An alias gets an
    event for each table, of an asset with the URI of the table's folder.
    """
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    for outlet in outlets or ():
        if isinstance(outlet, AssetAlias):
            for name, table in written.get("tables", {}).items():
                extra = extra_of(written, name)
                context["outlet_events"][outlet].add(Asset(uri_of(table["path"])), extra=extra)
        elif isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra = extra_of(written, _table_of(outlet, written))


def extra_of(written: dict[str, Any], table: str | None) -> dict[str, Any]:
    """Return what an event says: of one table, or of all."""
    if table is None:
        return dict(written)
    shared = ("schema_version", "updated_after", "last_updated", "next_updated_after")
    return {"table": table, **written["tables"][table], **{name: written[name] for name in shared}}


def _table_of(asset: Any, written: dict[str, Any]) -> str | None:
    names = [str(getattr(asset, "name", "") or ""), str(asset.uri).rstrip("/").rpartition("/")[2]]
    return next((name for name in names if name in written.get("tables", {})), None)


def uri_of(path: str) -> str:
    """Return the URI of a file or a folder without the id of its connection; a local path as a URI."""
    protocol, separator, rest = path.partition("://")
    if not separator:
        return f"file://{path}"
    bucket, slash, key = rest.partition("/")
    return f"{protocol}://{bucket.rpartition('@')[2]}{slash}{key}"


def read_watermark(context: Context, outlets: Sequence[Any] | None) -> str | None:
    """
    Return where the export before this one ended.

    Airflow 3.3 and later keep it in the state store of the first outlet that is an asset. Elsewhere, or where that
    store knows nothing, it is in the XCom of the task in the Dag run before.
    """
    for state in _state_of_assets(context, outlets):
        found = state.get(WATERMARK)
        if found:
            return str(found)
    task_instance: Any = context["ti"]
    before = task_instance.xcom_pull(task_ids=task_instance.task_id, include_prior_dates=True)
    return (before.get("next_updated_after") or None) if isinstance(before, dict) else None


def keep_watermark(context: Context, outlets: Sequence[Any] | None, next_updated_after: str | None) -> None:
    """Remember where the next export begins; an error here costs a longer next export, not this one."""
    if next_updated_after is None:
        return
    for state in _state_of_assets(context, outlets):
        try:
            state.set(WATERMARK, next_updated_after)
        except Exception as error:
            log.warning("Where the next export begins is in the XCom alone, since the state store failed: %r", error)


def _state_of_assets(context: Context, outlets: Sequence[Any] | None) -> Iterator[Any]:
    """Yield the state store of the first outlet that is an asset, where Airflow has one."""
    from airflow.providers.common.compat.sdk import Asset, AssetAlias

    store: Any = context.get("asset_state_store")
    asset = next((each for each in outlets or () if isinstance(each, Asset) and not isinstance(each, AssetAlias)), None)
    if store is None or asset is None:
        return
    try:
        yield store[asset]
    except KeyError as error:
        log.warning("The state store of asset %s cannot be used: %r", asset, error)
