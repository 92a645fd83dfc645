"""chain: each row of the log holds the hash of the row before, so that a change, a gap or a swap is found.

Without a key the chain cannot tell a log that was written anew as a whole: note its last hash elsewhere, and verify
that the log still holds it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deepfake.base.tables import DIGITS

START = "0" * 64  # what the first row follows
HEADLESS = "the head was changed: the row that says where the log ends"
LINKS = ("previous", "hash")  # the columns that make the chain
Row = dict[str, Any]  # a row of the log by column, as the database's driver reads it


@dataclass(frozen=True)
class Entry:
    """What the log is told of a video."""

    content: str | None  # sha256 of the file; None where it could not be read
    path: str  # absolute, printable
    status: str
    verdict: str | None
    score: float | None  # P(fake)
    prediction: str  # all that was said, tracks included: canonical JSON, floats to the last digit
    detector: str  # sha256 of its card, which holds the hashes of its other files
    version: str  # of this program and of what it computes with
    time: datetime  # when it was said, UTC
    duration: float  # s, that it took


@dataclass(frozen=True)
class Verified:
    """What a walk along the chain found."""

    rows: int  # that are as they were written
    last: str  # hash of the last of them
    fault: str  # of the row after them; "" where there is none


def canonical(value: Any) -> str:
    """JSON that is equal where the values are: ASCII, keys sorted, nothing to spare. What JSON lacks is a string."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def plain(value: Any) -> Any:
    """A column's value alike from each database: UTC to the microsecond as text, floats of DIGITS digits."""
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return naive.isoformat(" ", "microseconds")
    return round(value, DIGITS) if isinstance(value, float) else value


def digest(row: Row) -> str:
    """The hash of a row: sha256 over the previous hash and the canonical JSON of all columns that are no link."""
    values = {name: plain(value) for name, value in row.items() if name not in LINKS}
    return hashlib.sha256(f"{row['previous']}{canonical(values)}".encode()).hexdigest()


def verify(rows: Iterable[Row], last: int, hash: str, noted: str = "") -> Verified:
    """Walk along the rows, by id, to the first fault. `last` and `hash` are those of the row that was written last.

    `noted` is the hash of a row, or its beginning, that was written down before: the chain must still hold it.
    """
    count, previous, held = 0, START, not noted
    if not isinstance(last, int) or not isinstance(hash, str):
        return Verified(count, previous, HEADLESS)
    for row in rows:
        if fault := _fault(row, count + 1, previous, last):
            return Verified(count, previous, fault)
        count, previous = row["id"], row["hash"]
        held = held or previous.startswith(noted)
    if count < last:
        return Verified(count, previous, f"row {count + 1} is missing: the log ended at row {last}")
    if previous != hash:
        return Verified(count, previous, f"row {count} is not the one that was written last")
    return Verified(count, previous, "" if held else f"no row has the hash {noted}: the log was written anew")


def _fault(row: Row, number: int, previous: str, last: int) -> str:
    """What is wrong with a row that should be the one of that number, after the one of that hash; "" for nothing."""
    if isinstance(row["id"], int) and row["id"] > number:
        return f"row {number} is missing"
    if row["id"] != number or number > last:
        return f"row {row['id']} was not written by the log"
    if row["hash"] != digest(row):
        return f"row {number} was changed"
    if row["previous"] != previous:
        return f"row {number} does not follow row {number - 1}: it, or what was before it, was written anew"
    return ""
