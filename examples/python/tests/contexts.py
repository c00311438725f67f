"""What GoodData tells functions about the report."""

from typing import Any


def report(*filters: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The context of a report with these filters."""
    return {
        "executionType": "REPORT",
        "organizationId": "acme",
        "workspaceId": "demo",
        "userId": "tests",
        "timestamp": "2013-03-15T10:00:00Z",
        "timezone": "Etc/UTC",
        "weekStart": "monday",
        "attributes": [],
        "filters": list(filters),
        "reportExecutionRequest": {"attributes": [], "measures": [], "filters": []},
        **others,
    }


def one_of(label: str, *values: str | None) -> dict[str, Any]:
    """A filter that lets these values pass."""
    return {"filterType": "positiveAttributeFilter", "labelIdentifier": label, "values": list(values)}


def none_of(label: str, *values: str | None) -> dict[str, Any]:
    """A filter that lets all other values pass."""
    return {"filterType": "negativeAttributeFilter", "labelIdentifier": label, "values": list(values)}


def like(label: str, kind: str, literal: str, **others: bool) -> dict[str, Any]:
    """A filter on a part of the text."""
    return {
        "filterType": "matchAttributeFilter",
        "labelIdentifier": label,
        "matchType": kind,
        "literal": literal,
        **others,
    }


def between(first: str, last: str) -> dict[str, Any]:
    """A filter on days."""
    return {"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": first, "to": last}


def relative(granularity: str, first: int, last: int) -> dict[str, Any]:
    """A filter on days that is counted from the time of the report."""
    return {
        "filterType": "relativeDateFilter",
        "datasetIdentifier": "date",
        "granularity": granularity,
        "from": first,
        "to": last,
    }
