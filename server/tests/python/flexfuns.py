"""Functions of gooddata-flexfun that the tests of the server call."""

import pyarrow as pa
from gooddata_flexfun import FlexFun

_N = pa.schema([("n", pa.int64()), ("region", pa.string())])


class Old(FlexFun):
    """As many rows as it is told."""

    Name = "Old"
    Schema = _N
    Metadata = {"description": "from before"}
    region = None

    @staticmethod
    def on_load(ctx):
        """Learns where it is."""
        Old.region = ctx.settings.get("old.region")

    def call(self, parameters, columns, headers):
        """A table, or a stream."""
        if parameters.get("wrong"):
            raise ValueError("there is no such region")
        count = parameters.get("rows", 3)
        table = pa.table({"n": range(count), "region": [self.region] * count}, schema=_N)
        return table.to_reader() if parameters.get("stream") else table
