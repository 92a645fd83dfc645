"""evaluate: the trained detector and the test clips in, predictions, metrics and plots out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from deepfake import clips, evaluate, inference, novelty
from deepfake.base import params, tables
from deepfake.dataset.videos import read
from deepfake.measures import baselines, scoring, slices
from deepfake.measures.coverage import too_few
from deepfake.measures.extra import TEXTS
from deepfake.measures.orders import disturbances
from deepfake.measures.protocol import EvaluateParams
from deepfake.pages import charts
from stages.command import In, Metric, Out, Plot, done, main


def run(
    detector: In = Path("models/calibrated"),
    videos: In = Path("data/videos.csv"),
    kept: In = Path("data/kept.parquet"),
    splits: In = Path("data/splits.csv"),
    listed: In = Path("data/clips.parquet"),
    faces: In = Path("data/faces"),
    extra: In = Path("reports/extra.csv"),
    predictions: Out = Path("reports/predictions.csv"),
    sequences: Out = Path("reports/sequences.csv"),
    details: Out = Path("reports/details.json"),
    report: Metric = Path("reports/metrics.json"),
    roc: Plot = Path("reports/plots/roc.csv"),
    pr: Plot = Path("reports/plots/pr.csv"),
    confusion: Plot = Path("reports/plots/confusion.csv"),
    scores: Plot = Path("reports/plots/scores.csv"),
    reliability: Plot = Path("reports/plots/reliability.csv"),
    tippett: Plot = Path("reports/plots/tippett.csv"),
    picture: Plot = Path("reports/plots/evaluate.png"),
) -> None:
    """Score the test videos once, and compute every figure from the tables of predictions."""
    p = params.load("evaluate", EvaluateParams)
    dealt, seen, known = read(splits), tables.read(kept), read(videos)
    numbers = baselines.features(known, seen, dealt)
    loaded = inference.load(detector)
    scored, parts = predict(loaded, tables.read(listed), seen, faces, p)
    test = dealt[dealt["split"] == "test"].drop(columns=["split", "source"])
    table = test.merge(scored, on="video_id", how="left").join(
        baselines.scores(numbers).add_prefix("baseline_"), on="video_id"
    )
    tables.write(predictions, table)
    tables.write(sequences, parts)
    table, parts = read(predictions), read(sequences)  # what is written is what is measured
    figures = evaluate.metrics(table, scoring.tracks(loaded, parts), parts, slices.properties(known, seen), p)
    figures["baselines"]["metadata"]["auc_over_all"] = baselines.auc_over_all(numbers, "metadata")
    figures["unlike_training"] = novelty.counted(table)
    further = tables.read(extra, TEXTS).set_index("video_id", drop=False)
    figures |= evaluate.further(further.join(baselines.scores(numbers, further).add_prefix("baseline_")), p)
    deciding, rest = evaluate.parted(figures)
    tables.write_metrics(report, deciding)
    tables.write_metrics(details, rest)
    curves = evaluate.curves(table)
    for path in (roc, pr, confusion, scores, reliability, tippett):
        tables.write(path, curves[path.stem])
    charts.evaluation(picture, table, figures)
    print("\n".join(evaluate.spoken(figures)))
    too_few(figures, p.min_coverage)
    done("evaluate", f"{figures['video']['count']} of {figures['coverage']['expected']} test videos scored", report)


def predict(
    detector: inference.Detector, listed: pd.DataFrame, kept: pd.DataFrame, faces: Path, p: EvaluateParams
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row for each test video that has clips, and one for each sequence of it.

    A video: its score and verdict, also with its frames disturbed, and by each member of an ensemble (member_0 ...).
    """
    test = listed[listed["split"] == "test"].reset_index(drop=True)
    test["array"] = clips.arrays([faces.parent / file for file in test["file"]], test["positions"])
    members = [replace(detector, members=(member,)) for member in detector.members] if len(detector.members) > 1 else []
    orders = scoring.AS_FILMED | disturbances(p.seed, p.shuffles)
    times = kept.set_index(["video_id", "track", "position"])["time"].to_dict()
    rows: list[dict[str, object]] = []
    parts: list[dict[str, object]] = []
    for video_id, own in test.groupby("video_id", sort=False):
        scores = scoring.scores(detector, arrays(own), orders)
        judged = {name: scoring.judged(detector, tracks.values()) for name, tracks in scores.items()}
        row = {"video_id": video_id, "score": judged["logit"].score, "verdict": judged["logit"].verdict}
        row["novelty"] = judged["logit"].novelty
        row |= {name: judgement.score for name, judgement in judged.items() if name != "logit"}
        for number, member in enumerate(members):
            row[f"member_{number}"] = scoring.judged(
                member, scoring.scores(member, arrays(own))["logit"].values()
            ).score
        rows.append(row)
        when = {clip.track: [times[video_id, clip.track, at] for at in clip.positions] for clip in own.itertuples()}
        parts += [{"video_id": video_id} | part for part in scoring.sequences(detector, scores, when)]
    return pd.DataFrame(rows), pd.DataFrame(parts)


def arrays(own: pd.DataFrame) -> Iterator[tuple[int, np.ndarray]]:
    """The tracks of a video and their faces, each opened when it is its turn."""
    for clip in own.itertuples():
        yield clip.track, np.load(clip.array, mmap_mode="r")


if __name__ == "__main__":
    main(run)
