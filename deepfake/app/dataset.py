"""dataset: the commands `deepfake dataset`: what a folder holds, whether it is whole, and which params take it."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at a dataset on disk before anything is made of it."
)
Root = Annotated[Path, typer.Argument(help="the folder of the dataset")]
MOST = 10  # of what is wrong that are named


@app.command()
def guess(root: Root) -> None:
    """Find the layout of a folder, and print the two lines of params.yaml that take it."""
    from deepfake.dataset import datasets

    guessed = datasets.guess(folder(root))
    for name, count in sorted(guessed.known.items(), key=lambda kind: (-kind[1], kind[0])):
        print(f"{name}: knows {count} videos")
    print(lines(root, guessed.layout))


@app.command()
def check(
    root: Root,
    layout: Annotated[str, typer.Option(help="how it lies there; else it is guessed")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="look at names and lists alone, open no video")] = False,
) -> None:
    """Say what was recognised, what is missing or unreadable, and how people and labels are spread.

    The first frame of every video is decoded, unless --quick. Exit code: 1 where a video is unreadable, else 0.
    """
    from deepfake.base import plugins
    from deepfake.dataset import datasets
    from deepfake.dataset.files import counted

    layout = layout or datasets.guess(folder(root)).layout
    table = plugins.load("layouts", layout).scan(folder(root))
    print(f"layout {layout}: {len(table)} videos, {(table['label'] == 0).sum()} real, {table['label'].sum()} fake")
    print_counts(table, layout)
    print_people(table)
    for note in table.attrs.get("notes", []):
        print(f"note: {note}")
    if left := table.attrs.get("left_out"):
        print(f"left out: {counted(left)}")
    broken = {} if quick else datasets.unreadable(root, list(table["path"]))
    if not quick:
        print(f"unreadable: {len(broken)} of {len(table)}")
    show(broken)
    print(lines(root, layout))
    raise typer.Exit(1 if broken else 0)


@app.command()
def pack(
    root: Root,
    new: Annotated[Path, typer.Argument(help="new folder, outside of it; what is there already is kept")],
) -> None:
    """Make lossless videos of folders and archives of numbered pictures: WildDeepfake, DF40, extracted frames.

    Exit code: 1 where a folder could not be packed, else 0.
    """
    from deepfake.dataset import packs
    from deepfake.dataset.files import counted

    done = packs.pack(folder(root), new)
    show(done.broken)
    if done.left:
        print(f"left out: {counted(done.left)}", file=sys.stderr)
    print(f"pack: {done.written} videos made, {done.kept} there already, {len(done.broken)} not packed -> {new}")
    raise typer.Exit(1 if done.broken else 0)


def print_counts(table: "pd.DataFrame", layout: str) -> None:
    """How many there are of each dataset, method and compression, beside how many were published."""
    from deepfake.dataset import datasets

    for name, method, level, count, published in datasets.compared(table, layout):
        kind = " ".join(filter(None, (name, method, level)))
        of_all = f" of {published} published" if published else ""
        lost = f", {published - count} missing" if published > count else ""
        print(f"  {kind}: {count}{of_all}{lost}")
    splits = Counter(table["split"])
    if set(splits) - {""}:
        print("official split: " + ", ".join(f"{count} {name or 'in none'}" for name, count in sorted(splits.items())))


def print_people(table: "pd.DataFrame") -> None:
    """How many people there are, and the groups that share any: what a split cannot divide."""
    from deepfake.dataset.relations import groups, owned
    from deepfake.dataset.videos import people

    group = groups(table.assign(kept=0))
    sizes = group.value_counts()
    known = {owned(row.dataset, name) for row in table.itertuples() for name in people(row.identities)}
    unknown = (table["identities"] == "").sum()
    print(f"people: {len(known)} known, {unknown} videos say nobody")
    share = sizes.iloc[0] / len(table)
    print(f"groups that share people or sources: {len(sizes)}, the largest of {sizes.iloc[0]} videos ({share:.0%})")


def show(broken: dict[str, str]) -> None:
    """The first of what is wrong, and why."""
    from deepfake.dataset.files import printable

    for path, reason in list(broken.items())[:MOST]:
        print(f"  {printable(path)}: {reason}")
    if len(broken) > MOST:
        print(f"  and {len(broken) - MOST} more")


def lines(root: Path, layout: str) -> str:
    """What to write into params.yaml; a path from / is right in every working folder."""
    return f"params.yaml:\nextract:\n  root: {root.absolute()}\n  layout: {layout}"


def folder(root: Path) -> Path:
    """The folder, if it is one. Raises UserError."""
    if not root.is_dir():
        raise UserError(f"no folder {root}", "name the folder that holds the dataset")
    return root
