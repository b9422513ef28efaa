"""Reads the rows of a file in any format. It reads in blocks, so memory does not grow with the file."""

from collections.abc import Iterator
from typing import Final

from effects.rows.csv_rows import csv_rows
from effects.rows.json_rows import json_rows, ndjson_rows
from effects.rows.stream import RowStream
from engine.ports.rows import BadRow, Row, UnreadableFile
from engine.project.row_format import Format, RowFormat

AVRO: Final = b"Obj\x01"
FOREIGN: Final = {  # how files begin that cannot be read -> what they are, and what to do
    b"PK\x03\x04": "a ZIP archive, or an Excel file: unpack it, or save it as CSV",
    b"\xff\xfe": "text in UTF-16: save it in UTF-8",
    b"\xfe\xff": "text in UTF-16: save it in UTF-8",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: decompress it, or compress it by gzip",
    b"BZh91AY&SY": "compressed by bzip2: decompress it, or compress it by gzip",
    b"\xfd7zXZ\x00": "compressed by xz: decompress it, or compress it by gzip",
    b"PAR1\x15": "a Parquet file: write it as Avro, CSV or NDJSON",
}
ENDINGS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".avro": "avro",
}


def read_rows(stream: RowStream, format: RowFormat, name: str = "") -> Iterator[Row | BadRow]:
    """Return the rows of a stream, in order; `name` is the file's. Raises `UnreadableFile` where it cannot go on.

    Blocks while it waits for bytes: call it in a thread.
    """
    beginning = stream.peek(4_096)
    for known, what in FOREIGN.items():
        if beginning.startswith(known):
            raise UnreadableFile(f"the file is {what}")
    kind = format.type or format_of(name, beginning)
    if kind == "csv":
        yield from csv_rows(stream, format)
    elif kind == "ndjson":
        yield from ndjson_rows(stream)
    elif kind == "avro":
        from effects.rows.avro_rows import avro_rows

        yield from avro_rows(stream)
    else:
        yield from json_rows(stream)


def format_of(name: str, beginning: bytes) -> Format:
    """Return the format of a file by its name, or else by its first bytes.

    A file that begins with `[`, or with an object of more than a line, is JSON; with another object, lines of JSON.
    """
    if beginning.startswith(AVRO):
        return "avro"
    plain = name.lower().removesuffix(".gz")
    for ending, format in ENDINGS.items():
        if plain.endswith(ending):
            return format
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        first, newline, _ = text.partition(b"\n")
        return "json" if newline and not first.rstrip().endswith(b"}") else "ndjson"
    return "csv"
