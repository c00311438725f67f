"""What a report asks of a function: some of the rows, some of the columns.

GoodData filters and cuts again, so nothing of this has to be done. Done early, less is computed and travels.
"""

import operator
from functools import reduce
from typing import Any

import gooddata_flexconnect as gf
import pyarrow as pa
import pyarrow.acero  # the first filter imports it otherwise, and its call pays for it: most of a second
import pyarrow.compute as pc

from functions import periods


def rows(table: pa.Table, parameters: dict[str, Any]) -> pa.Table:
    """The rows that pass the filters of the report.

    Labels (`Function.column`) and date data sets are named after columns; a filter that is about none of them lets
    everything pass.
    """
    # `from_parameters` takes a context that is missing; other callers than GoodData send null.
    context = gf.ExecutionContext.from_parameters(parameters) if parameters.get("executionContext") else None
    if context is None:
        return table
    conditions = [condition(one, context, table.schema) for one in context.filters]
    conditions = [one for one in conditions if one is not None]
    return table.filter(reduce(operator.and_, conditions)) if conditions else table


def columns(table: pa.Table, wanted: tuple[str, ...] | None) -> pa.Table:
    """The columns that will be read, in the order of the schema; all of them when nobody says which."""
    return table.select([name for name in table.column_names if name in wanted]) if wanted else table


def condition(one: gf.ExecutionContextFilter, context: gf.ExecutionContext, schema: pa.Schema) -> pc.Expression | None:
    """A filter as a condition on rows, if it is about one of the columns."""
    match one:
        case gf.ExecutionContextAbsoluteDateFilter() | gf.ExecutionContextRelativeDateFilter():
            name = one.dataset_identifier.rpartition(".")[2]
            if name not in schema.names or not pa.types.is_date(schema.field(name).type):
                return None
            days = periods.days(one, context)
            if days is None:
                return None
            first, last = (pa.scalar(day, pa.date32()) for day in days)
            return (pc.field(name) >= first) & (pc.field(name) <= last)
        case _:
            name = one.label_identifier.rpartition(".")[2]
            if name not in schema.names or not pa.types.is_string(schema.field(name).type):
                return None
            return _label(one, pc.field(name))


def _label(one: gf.ExecutionContextFilter, column: pc.Expression) -> pc.Expression:
    match one:
        case gf.ExecutionContextPositiveAttributeFilter(values=values):
            return column.isin(pa.array(values, pa.string()))
        case gf.ExecutionContextNegativeAttributeFilter(values=values):
            return ~column.isin(pa.array(values, pa.string()))
        case gf.ExecutionContextMatchAttributeFilter(literal=literal, match_type=kind, negate=negate):
            ignore_case = not one.case_sensitive
            match kind:
                case "STARTS_WITH":
                    found = pc.starts_with(column, literal, ignore_case=ignore_case)
                case "ENDS_WITH":
                    found = pc.ends_with(column, literal, ignore_case=ignore_case)
                case _:
                    found = pc.match_substring(column, literal, ignore_case=ignore_case)
            found = pc.if_else(pc.is_valid(column), found, pa.scalar(False))
            return ~found if negate else found
        case _:
            raise ValueError(f"There is no way yet to filter labels by a {type(one).__name__}.")
