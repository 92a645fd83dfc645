"""evaluate_scores: the command that puts a foreign detector through the same test."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def evaluate_scores(
    detector: Annotated[
        str, typer.Argument(help="a CSV of video_id (or path) and score, or MODULE:FUNCTION of a path")
    ],
    out: Annotated[Path, typer.Option(help="new folder: predictions.csv, metrics.json")] = Path("reports/foreign"),
    threshold: Annotated[float, typer.Option(min=0, max=1, help="on P(fake), frozen before the test")] = 0.5,
) -> None:
    """Put another detector through the same test, on the same videos; deepfake compare sets it beside ours.

    A score is P(fake), from 0 to 1; a video without one counts as not scored. A function gets the path of a video, and
    returns P(fake), or None where it cannot tell.
    """
    from deepfake import evaluate
    from deepfake.base import params, tables
    from deepfake.dataset.videos import read
    from deepfake.extract import ExtractParams
    from deepfake.measures import slices
    from deepfake.measures.protocol import EvaluateParams

    p = params.load("evaluate", EvaluateParams)
    test, videos = read(Path("reports/predictions.csv")), read(Path("data/videos.csv"))
    if Path(detector).is_file():
        scores = listed(Path(detector))
    else:
        paths = videos.set_index("video_id")["path"].loc[test["video_id"]]
        scores = called(detector, Path(params.load("extract", ExtractParams).root), paths)
    table = evaluate.foreign(test, scores, threshold)
    figures = evaluate.of_videos(table, slices.properties(videos, tables.read(Path("data/kept.parquet"))), p)
    tables.write(out / "predictions.csv", table)
    tables.write_metrics(out / "metrics.json", figures)
    print("\n".join(evaluate.spoken(figures)))
    count = figures["coverage"]["scored"]
    print(f"evaluate-scores: {count} of {len(table)} test videos scored -> {out / 'metrics.json'}")


def listed(file: Path) -> "pd.Series[float]":
    """The scores of a file, by video. Raises UserError where it has none."""
    import pandas as pd

    from deepfake.dataset.videos import read

    try:
        table = read(file)
        name = "video_id" if "video_id" in table else "path"
        if missing := {name, "score"} - set(table):
            raise UserError(f"{file}: no column {', '.join(sorted(missing))}", f"it has: {', '.join(table.columns)}")
        scores = pd.Series(table["score"].to_numpy(float), table[name])
    except ValueError as error:
        raise UserError(f"{file}: not a table of scores: {error}", "columns video_id and score, in UTF-8") from None
    if scores.index.has_duplicates:
        raise UserError(f"{file}: {scores.index[scores.index.duplicated()][0]} has two scores", "one row a video")
    return scores


def called(name: str, root: Path, paths: "pd.Series[str]") -> "pd.Series[float]":
    """What a function, "module:function", says of each path, by video. Raises UserError where there is none."""
    import pandas as pd
    from tqdm import tqdm

    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        score = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{name}: neither a file nor MODULE:FUNCTION: {error}", "such as mine.detector:score") from None
    scores = {video: score(root / path) for video, path in tqdm(paths.items(), unit="video", disable=None)}
    return pd.Series(scores, dtype=float)
