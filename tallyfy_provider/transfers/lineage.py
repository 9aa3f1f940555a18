"""Tables as OpenLineage's datasets, with their columns and row counts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tallyfy_provider.tables.tables import TABLES
from tallyfy_provider.tables.values import Kind
from tallyfy_provider.transfers.outlets import uri_of

#: Names of types as OpenLineage's users know them from warehouses.
_TYPES: Mapping[Kind, str] = {
    "text": "string",
    "json": "string",
    "list": "array<string>",
    "integer": "int64",
    "number": "double",
    "decimal": "string",
    "boolean": "boolean",
    "timestamp": "timestamp",
}


def operator_lineage(written: Mapping[str, Any]) -> Any:
    """Return what OpenLineage's provider takes from an operator; None where it is not installed."""
    try:
        from airflow.providers.common.compat.openlineage.facet import (
            OutputDataset,
            OutputStatisticsOutputDatasetFacet,
            SchemaDatasetFacet,
            SchemaDatasetFacetFields,
        )

        lineage_class = import_module("airflow.providers.openlineage.extractors").OperatorLineage
    except ImportError:
        return None
    outputs = []
    for name, table in written["tables"].items():
        fields = [
            SchemaDatasetFacetFields(name=each.name, type=_TYPES[each.kind], description=each.description)
            for each in TABLES[name].columns
        ]
        namespace, path = namespace_and_name(table["path"])
        outputs.append(
            OutputDataset(
                namespace=namespace,
                name=path,
                facets={"schema": SchemaDatasetFacet(fields=fields)},
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=table["rows"], size=table["bytes"])
                },
            )
        )
    return lineage_class(outputs=outputs)


def namespace_and_name(path: str) -> tuple[str, str]:
    """Return the dataset of a folder by OpenLineage's naming: ``s3://bucket`` and the key, or ``file`` and the path."""
    protocol, _, rest = uri_of(path).partition("://")
    if protocol == "file":
        return protocol, rest
    bucket, _, key = rest.partition("/")
    return f"{protocol}://{bucket}", key or "/"
