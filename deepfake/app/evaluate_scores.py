"""evaluate_scores: the command that puts a foreign detector through the same test."""

import math
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

NAMED = 5  # of many videos without a score


def evaluate_scores(
    detector: Annotated[
        str, typer.Argument(help="a CSV of video_id (or path) and score, or MODULE:FUNCTION of a path")
    ],
    out: Annotated[Path, typer.Option(help="new folder: predictions.csv, metrics.json")] = Path("reports/foreign"),
    threshold: Annotated[float, typer.Option(min=0, max=1, help="on P(fake), frozen before the test")] = 0.5,
) -> None:
    """Put another detector through the same test, on the same videos; deepfake compare sets it beside ours.

    A score is P(fake), from 0 to 1; a video without one counts as not scored. A function gets the path of a video, and
    returns P(fake), or None where it cannot tell; where it raises an error, that video has no score. The datasets of
    evaluate.extra are asked about, too: a file may have scores of the videos of reports/extra.csv.
    """
    from deepfake import evaluate
    from deepfake.base import params, tables
    from deepfake.dataset.videos import read
    from deepfake.extract import ExtractParams
    from deepfake.measures import baselines, slices
    from deepfake.measures.coverage import too_few
    from deepfake.measures.extra import TEXTS
    from deepfake.measures.protocol import EvaluateParams

    p = params.load("evaluate", EvaluateParams)
    test, videos = read(Path("reports/predictions.csv")), read(Path("data/videos.csv"))
    kept = tables.read(Path("data/kept.parquet"))
    further = tables.read(Path("reports/extra.csv"), TEXTS).set_index("video_id", drop=False) if p.extra else None
    reasons: dict[str, str] = {}
    if Path(detector).is_file():
        scores = listed(Path(detector))
    else:
        root = Path(params.load("extract", ExtractParams).root)
        paths = {name: root / path for name, path in zip(videos["video_id"], videos["path"], strict=True)}
        paths = {name: paths[name] for name in test["video_id"]}
        if further is not None:
            roots = {dataset.column: Path(dataset.root) for dataset in p.extra}
            paths |= {video.video_id: roots[video.dataset] / video.path for video in further.itertuples()}
        scores, reasons = called(detector, paths)
        for video, reason in list(reasons.items())[:NAMED]:
            print(f"evaluate-scores: {video} has no score: {reason}", file=sys.stderr)
    table = evaluate.foreign(test, scores, threshold, reasons)
    figures = evaluate.of_videos(table, slices.properties(videos, kept), p)
    if further is not None and further["video_id"].isin(scores.index).any():
        numbers = baselines.features(videos, kept, read(Path("data/splits.csv")))
        further = evaluate.foreign(further, scores, threshold, reasons)
        figures |= evaluate.further(further.join(baselines.scores(numbers, further).add_prefix("baseline_")), p)
    tables.write(out / "predictions.csv", table)
    tables.write_metrics(out / "metrics.json", figures)
    print("\n".join(evaluate.spoken(figures)))
    too_few(figures, p.min_coverage)
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


def called(name: str, paths: dict[str, Path]) -> tuple["pd.Series[float]", dict[str, str]]:
    """What a function, "module:function", says of each video by its path, and why it says nothing of the rest.

    Raises UserError where there is no such function, and where it says nothing of any.
    """
    import pandas as pd
    from tqdm import tqdm

    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        score = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{name}: neither a file nor MODULE:FUNCTION: {error}", "such as mine.detector:score") from None
    answers = {video: _asked(score, path) for video, path in tqdm(paths.items(), unit="video", disable=None)}
    scores = pd.Series({video: answer for video, (answer, _) in answers.items()}, dtype=float)
    reasons = {video: reason for video, (_, reason) in answers.items() if reason}
    if scores.isna().all():
        raise UserError(f"{name} gives no score: {next(iter(reasons.values()))}", "it gets a path and returns P(fake)")
    return scores, reasons


def _asked(score: "Callable[[Path], Any]", path: Path) -> tuple[float, str]:
    """What it says of one video, or NaN and why: one that it cannot read costs no other's score."""
    try:
        answer = score(path)
        if answer is None:
            return math.nan, "it returned None"
        if isinstance(answer, str | bytes | bool):
            raise TypeError(f"{answer!r} is no number")
        number = float(answer)
    except Exception as error:  # whatever a stranger's code may raise
        return math.nan, f"{type(error).__name__}: {error}"
    return number, "it returned NaN" if math.isnan(number) else ""
