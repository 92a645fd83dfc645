"""charts: ROC, precision-recall, confusion and scores of a test, as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, PrecisionRecallDisplay, RocCurveDisplay

from deepfake.base.disk import aside
from deepfake.plots import COLORS


def evaluation(path: Path, predictions: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """ROC, precision-recall, confusion and scores of the scored videos, in one picture."""
    scored = predictions[predictions["score"].notna()]
    label, score = scored["label"], scored["score"]
    figure = Figure(figsize=(10, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    (roc, pr), (confusion, scores) = figure.subplots(2, 2)
    if label.nunique() == 2:
        RocCurveDisplay.from_predictions(label, score, ax=roc, name="detector", plot_chance_level=True)
        for name in scored[list(metrics["baselines"])].dropna(axis=1):
            RocCurveDisplay.from_predictions(label, scored[name], ax=roc, name=name.replace("_", " "))
        PrecisionRecallDisplay.from_predictions(label, score, ax=pr, name="detector", plot_chance_level=True)
    roc.set(title="ROC, fake is positive", xlabel="false positive rate", ylabel="true positive rate")
    pr.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    names = label.map({0: "real", 1: "fake"})
    order = ["real", "fake"]
    ConfusionMatrixDisplay.from_predictions(
        names, scored["verdict"], labels=order, ax=confusion, cmap="Blues", colorbar=False
    )
    confusion.set(title="Confusion at the frozen threshold", xlabel="verdict", ylabel="label")
    for name in order:
        color = [channel / 255 for channel in COLORS[name]]
        scores.hist(score[names == name], bins=np.linspace(0, 1, 21).tolist(), alpha=0.6, label=name, color=color)
    scores.set(title="Scores of the videos", xlabel="P(fake)", ylabel="videos")
    scores.legend()
    figure.suptitle(f"{len(scored)} test videos")
    with aside(path) as new:
        figure.savefig(new, dpi=100, metadata={"Software": None})
