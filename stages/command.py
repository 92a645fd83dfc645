"""command: what a stage's signature is made of, and how a user's mistake ends."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deepfake.base import cache, items
from deepfake.base.errors import UserError

# The kinds of a stage's paths. They are what dvc.yaml declares: a test compares the two.
In = Annotated[Path, typer.Option(help="read: a dependency")]
Out = Annotated[Path, typer.Option(help="written: an output")]
Metric = Annotated[Path, typer.Option(help="written: metrics, in git")]
Plot = Annotated[Path, typer.Option(help="written: data or a picture to look at, in git")]

ENVIRONMENT = (
    "JOBS=n, ENGINE=dask, DASK_SCHEDULER=address, ITEM_CACHE=folder and ITEM_CACHE_GB=n "
    "change the speed, never the result."
)


def main(run: Callable[..., None]) -> None:
    """Run a stage from the command line: a UserError is one message and exit code 2; a bug shows its traceback."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(epilog=ENVIRONMENT)(run)
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def done(stage: str, sentence: str, out: Path) -> None:
    """The one line that a stage ends in; then the store is brought back to its bound."""
    print(f"{stage}: {sentence} -> {out}")
    if removed := items.tidy():
        freed = sum(entry.own for entry in removed) / cache.GB
        print(f"store: {len(removed)} results, {freed:.1f} GB, were unused longest and went", file=sys.stderr)
