"""entries: rows for the log, and a process that writes them; light to import, for there are several."""

import os
from dataclasses import replace
from datetime import UTC, datetime

from deepfake.app.log import book
from deepfake.app.log.chain import Entry

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, UTC)


def entry(**columns) -> Entry:
    """What is said of a video, but for the columns given."""
    usual = Entry("c" * 64, "/films/a.mp4", "ok", "fake", 0.9, '{"score":0.9}', "d" * 64, "0.1.0+x", NOON, 1.5)
    return replace(usual, **columns)


def write(place: str, writer: int, rows: int) -> None:
    """What each of several processes does."""
    os.environ["DEEPFAKE_DB_URL"] = place
    log = book.opened()
    for row in range(rows):
        log.add(entry(path=f"/films/{writer}/{row}.mp4", score=row / 100))
