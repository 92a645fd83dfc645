"""split: the command `deepfake split audit`: whether anything stands on two sides of the split."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at the split of the videos.")
KINDS = {  # what may be shared, as leaks call it: in words
    "identity": "people of two sides, by their names",
    "source": "sources and originals",
    "twin": "equal pictures or files",
    "copies": "pictures that are alike, encoded anew",
}
MOST = 10  # of a kind that are named


@app.callback()
def group() -> None:
    """Keep audit a command of its own, though it is the only one."""


@app.command()
def audit(
    data: Annotated[Path, typer.Option(help="the folder of the stages' results")] = Path("data"),
    faces: Annotated[bool, typer.Option(help="compare the faces of the videos, too")] = True,
    out: Annotated[Path, typer.Option(help="the pairs of faces as a picture: keep it to yourself")] = Path(
        "data/audit.jpg"
    ),
) -> None:
    """Look for what stands on two sides of the split: people, originals, sources, files, pictures, faces.

    A copy, cropped or mirrored, is found by the faces of all videos; who stands under two names by those of the reals.
    A pair of faces may be two people who look alike: look at the picture, and give them one identity in a manifest if
    they are one. Exit code: 1 where anything was found, else 0.
    """
    import pandas as pd

    from deepfake.base import tables
    from deepfake.dataset import duplicates, lookalikes
    from deepfake.dataset.videos import read
    from deepfake.pages import plots
    from deepfake.split import OUT, leaks

    splits, kept = read(data / "splits.csv"), tables.read(data / "kept.parquet")
    about = read(data / "videos.csv").drop(columns="split").merge(splits[["video_id", "split"]], on="video_id")
    leaking = leaks(about[about["split"].isin(["train", "val", "test"]) & (about["split"] != OUT)])
    counts = Counter(leak.split(":")[0] for leak in leaking)
    for kind, text in KINDS.items():
        print(f"{text}: {counts[kind]}")
        for leak in [leak for leak in leaking if leak.startswith(f"{kind}:")][:MOST]:
            print(f"  {leak}")
    if not faces:
        raise typer.Exit(1 if leaking else 0)
    again = duplicates.across(splits, kept, data / "faces")
    print(f"faces that are the same pictures, cropped, mirrored or encoded anew: {len(again)}")
    for pair in again.head(MOST).itertuples():
        print(
            f"  {pair.one} in {pair.split} and {pair.other} in {pair.other_split}: {pair.distance:.1%} of bits differ"
        )
    pairs = lookalikes.across(splits, kept, data / "faces")
    print(f"faces of two names that look like one person: {len(pairs)}")
    for pair in pairs.head(MOST).itertuples():
        print(f"  {pair.one} in {pair.split} and {pair.other} in {pair.other_split}: {pair.distance:.2f} apart")
    if len(shown := pd.concat([again, pairs]).drop_duplicates(["one", "other"])):
        plots.save(out, lookalikes.pictures(shown, kept, data / "faces"))
        print(f"the first {min(len(shown), lookalikes.MOST)} pairs -> {out}")
    raise typer.Exit(1 if leaking or len(shown) else 0)
