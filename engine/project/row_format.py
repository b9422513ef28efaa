"""The formats of files that are imported."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Format = Literal["csv", "json", "ndjson", "avro"]


class RowFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a file is written. Without `type`, its name or its first bytes decide."""

    type: Annotated[Format | None, Meta(description="csv, json, ndjson or avro")] = None
    delimiter: Annotated[
        Annotated[str, Meta(pattern=r'^[^"\r\n\x00]$')] | None,
        Meta(description="Of CSV; by default the one that the first line has most of: , ; | or a tab"),
    ] = None
    header: Annotated[
        Annotated[tuple[str, ...], Meta(min_length=1)] | None,
        Meta(description="The names of the columns, where the first line of CSV has none"),
    ] = None
