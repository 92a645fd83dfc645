"""evaluate: the trained detector and the test clips in, predictions, metrics and plots out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from deepfake import clips as sequences
from deepfake import evaluate, inference, plots
from deepfake.base import params, tables
from deepfake.videos import read
from stages.command import In, Metric, Out, Plot, done, main


def run(
    detector: In = Path("models/detector"),
    videos: In = Path("data/videos.csv"),
    kept: In = Path("data/kept.parquet"),
    splits: In = Path("data/splits.csv"),
    clips: In = Path("data/clips.parquet"),
    faces: In = Path("data/faces"),
    predictions: Out = Path("reports/predictions.csv"),
    report: Metric = Path("reports/metrics.json"),
    roc: Plot = Path("reports/plots/roc.csv"),
    pr: Plot = Path("reports/plots/pr.csv"),
    confusion: Plot = Path("reports/plots/confusion.csv"),
    scores: Plot = Path("reports/plots/scores.csv"),
    picture: Plot = Path("reports/plots/evaluate.png"),
) -> None:
    """Score the test videos once, and compute every figure from the table of predictions."""
    p = params.load("evaluate", evaluate.EvaluateParams)
    dealt = read(splits)
    features = evaluate.baseline_features(read(videos), tables.read(kept), dealt)
    scored = predict(inference.load(detector), tables.read(clips), faces, p.seed)
    test = dealt[dealt["split"] == "test"].drop(columns=["split", "source"])
    table = test.merge(scored, on="video_id", how="left").join(evaluate.baseline_scores(features), on="video_id")
    tables.write(predictions, table)
    table = read(predictions)  # what is written is what is measured
    figures = evaluate.metrics(table, p)
    figures["baselines"]["metadata"]["auc_of_all_videos"] = evaluate.metadata_auc(features)
    tables.write_metrics(report, figures)
    for path, (_, curve) in zip((confusion, pr, roc, scores), sorted(evaluate.curves(table).items()), strict=True):
        tables.write(path, curve)
    plots.evaluation(picture, table, figures)
    video, order = figures["video"], figures["order"]
    between = video["auc_interval"]
    within = f" [{shown(between['low'])}, {shown(between['high'])}]" if between else ""
    print(f"{'detector':<18}AUC {shown(video['auc'])}{within} on {video['count']} test videos", end=", ")
    print(f"{shown(order['auc_shuffled'])} with shuffled frames")
    for name, value in figures.get("members", {}).get("auc", {}).items():
        print(f"{name.replace('_', ' '):<18}AUC {shown(value)}")
    for name, baseline in figures["baselines"].items():
        print(f"{name:<18}AUC {shown(baseline['auc'])}")
    done("evaluate", f"{video['count']} of {figures['coverage']['expected']} test videos scored", report)


def predict(detector: inference.Detector, clips: pd.DataFrame, faces: Path, seed: int) -> pd.DataFrame:
    """A row for each sequence of the test clips: its logit, its video's score, also with shuffled frames, and verdict.

    An ensemble's members are scored beside it, as member_0, member_1 ...
    """
    test = clips[clips["split"] == "test"].reset_index(drop=True)
    files = sequences.arrays([faces.parent / file for file in test["file"]], test["positions"])
    members = detector.members if len(detector.members) > 1 else ()
    rows: list[dict[str, object]] = []
    tracks: list[dict[str, object]] = []
    for (video_id, track), file in zip(test[["video_id", "track"]].itertuples(index=False), files, strict=True):
        images = np.load(file)
        scored = detector.track(images)
        about = {"video_id": video_id, "track": track}
        rows += [about | {"sequence": number, "logit": logit} for number, logit in enumerate(scored.logits)]
        shuffled = detector.track(images, shuffling(np.random.default_rng([seed, len(tracks)])))
        single = {f"member_{i}": replace(scored, logits=tuple(m.logits(images))) for i, m in enumerate(members)}
        tracks.append(about | {"score": scored, "shuffled": shuffled} | single)
    by_video = pd.DataFrame(tracks).drop(columns="track").groupby("video_id").agg(list).map(detector.score)
    by_video["verdict"] = by_video["score"].round(tables.DIGITS).map(detector.verdict)
    return pd.DataFrame(rows).join(by_video, on="video_id")


def shuffling(rng: np.random.Generator) -> inference.Order:
    """Frames in any order."""
    return lambda sequence: [int(frame) for frame in rng.permutation(sequence)]


def shown(figure: float | None) -> str:
    """A figure for a person."""
    return "undefined" if figure is None else f"{figure:.3f}"


if __name__ == "__main__":
    main(run)
