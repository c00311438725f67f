"""A function without a name."""

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction


class Nameless(FlexConnectFunction):
    """Has none."""

    Schema = pa.schema([("x", pa.int64())])
