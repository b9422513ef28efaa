"""The types of fields in mappings, and the fields that all documents of a sort have.

Roots are strict: a field that is not listed is a mistake of this program. Free values are `flattened`, so that no
client can add a field or cause a conflict of types; fields that are only kept are not indexed at all.
"""

from typing import Any, Final

Fields = dict[str, Any]

LONGEST_TERM: Final = 8191  # characters of up to four bytes: Lucene takes 32,766 bytes

WORD: Final[Fields] = {"type": "keyword", "ignore_above": LONGEST_TERM}
FREE: Final[Fields] = {"type": "flattened", "ignore_above": 1024, "depth_limit": 20}
KEPT: Final[Fields] = {"type": "object", "enabled": False}
TIME: Final[Fields] = {"type": "date", "format": "epoch_millis||strict_date_optional_time"}
COUNT: Final[Fields] = {"type": "long"}
FLAG: Final[Fields] = {"type": "boolean"}

# Of documents that may commit a unit.
COMMITTING: Final[Fields] = {"pending": KEPT, "recent": KEPT, "by": KEPT, "unfinished": COUNT}
# Of appended records: the order in which they were committed, and the exact record.
ORDERED: Final[Fields] = {"stamp": COUNT, "nth": {"type": "integer"}, "doc": KEPT}
# Of versioned records.
VERSIONED: Final[Fields] = {**COMMITTING, "on": WORD, "gone": COUNT, "version": COUNT, "doc": KEPT}
