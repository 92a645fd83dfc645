"""command: `deepfake log`: lists what was said of which video, filters, exports and verifies it."""

import csv
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepfake.app.log import door
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable

if TYPE_CHECKING:
    from deepfake.app.log.chain import Row

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


def log(
    verify: Annotated[bool, typer.Option("--verify", help="was a row changed, removed, put in or moved?")] = False,
    noted: Annotated[str, typer.Option(help="with --verify: a hash of before, which the log must still hold")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="all columns, one JSON object a line")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="all columns, as a table")] = False,
    path: Annotated[str, typer.Option(help="a part of the file's path")] = "",
    verdict: Annotated[str, typer.Option(help="fake, real, inconclusive ...")] = "",
    status: Annotated[str, typer.Option(help="ok, no_face, decode_error ...")] = "",
    detector: Annotated[str, typer.Option(help="sha256 of its bundle.json, or its beginning")] = "",
    content: Annotated[str, typer.Option(help="sha256 of the video, or its beginning")] = "",
    since: Annotated[datetime | None, typer.Option(formats=MOMENTS, help="UTC, inclusive")] = None,
    until: Annotated[datetime | None, typer.Option(formats=MOMENTS, help="UTC, exclusive")] = None,
    last: Annotated[int, typer.Option(min=0, help="the last so many rows; 0 = all")] = 0,
) -> None:
    """What was said of which video, when and by which detector: a row each, as `deepfake predict --log` wrote them.

    It lies in a file of yours, or where DEEPFAKE_DB_URL says. With --verify the exit code is 1 where a row is not as it
    was written; note the last hash elsewhere, and the whole cannot be written anew unnoticed.
    """
    if (noted and not verify) or verify + as_json + as_csv > 1:
        raise UserError("--verify, --json and --csv go one at a time, --noted with --verify", "deepfake log --help")
    book = door.opened(create=False)
    if verify:
        checked = book.verify(noted)
        if checked.fault:
            print(f"log: {book}: {printable(checked.fault)}; {checked.rows} rows before are as they were written")
            raise typer.Exit(1)
        print(f"log: {book}: {checked.rows} rows, all as they were written; the last hash: {checked.last}")
        return
    from deepfake.app.log.book import COLUMNS, such

    rows = book.rows(such(path, verdict, status, detector, content, since, until), last)
    if as_csv:
        table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows({name: shown(value) for name, value in row.items()} for row in rows)
    elif as_json:
        for row in rows:
            print(json.dumps(row | {"prediction": nested(row)}, default=str))
    else:
        for row in rows:
            score = f"{row['score']:.3f}" if isinstance(row["score"], float) else "-"
            number, path = shown(row["id"]), shown(row["path"])
            outcome, moment = shown(row["verdict"] or row["status"]), shown(row["time"])[:19]
            print(f"{number:>6}  {moment}  {outcome:<14}  {score:>5}  {path}")


def shown(value: Any) -> str:
    """A value for a table, of whatever kind somebody made it."""
    return "" if value is None else printable(str(value))


def nested(row: "Row") -> Any:
    """All that was said of a video, from the text that the chain holds. Raises UserError where that was changed."""
    try:
        return json.loads(row["prediction"])
    except (TypeError, ValueError, RecursionError):
        raise UserError(f"row {shown(row['id'])} of the log was changed: no JSON", "deepfake log --verify") from None
