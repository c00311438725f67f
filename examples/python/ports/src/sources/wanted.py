"""What a source is asked for, so that no more than that has to leave it."""

from typing import Any

import gooddata_flexconnect as gf
import pyarrow as pa


def values(parameters: dict[str, Any], column: str) -> list[str | None] | None:
    """The values of a label that the report is about; nothing when it does not say.

    Other filters are left to GoodData, which filters again: more rows than the report has may be returned, not fewer.
    """
    if not parameters.get("executionContext"):
        return None
    context = gf.ExecutionContext.from_parameters(parameters)
    for one in context.filters if context else []:
        match one:
            case gf.ExecutionContextPositiveAttributeFilter() if one.label_identifier.rpartition(".")[2] == column:
                return one.values
    return None


def columns(schema: pa.Schema, wanted: tuple[str, ...] | None) -> pa.Schema:
    """The columns that will be read, in the order of the schema; all of them when nobody says which."""
    return pa.schema([field for field in schema if field.name in wanted]) if wanted else schema
