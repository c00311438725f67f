"""Where the tables are, and how they are read."""

from pathlib import Path

import pyarrow as pa
from gooddata_flight_server import ServerContext
from pyarrow import csv

_SETTING = "weather.data"


def read(ctx: ServerContext, file: str, schema: pa.Schema) -> pa.Table:
    """Reads a CSV file with a header line. A missing one stops the start of the server, which says why."""
    path = Path(ctx.settings.get(_SETTING, "data")) / file
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: `make data` fetches it, the setting {_SETTING} names its folder.")
    # Dates of this form are read as timestamps only.
    types = {field.name: pa.timestamp("s") if pa.types.is_date(field.type) else field.type for field in schema}
    options = csv.ConvertOptions(column_types=types, timestamp_parsers=["%Y/%m/%d"])
    return csv.read_csv(path, convert_options=options).cast(schema)
