"""charts: ROC, precision-recall, confusion, scores, reliability and Tippett plot of a test, as pictures."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

from deepfake.base.disk import aside
from deepfake.measures import evidence
from deepfake.measures.statistics import BINS
from deepfake.pages.plots import COLORS

DARK = 0.57  # the AUC below which a cell of the heat map is too dark for black letters
Draw = Callable[[Axes, pd.DataFrame, dict[str, Any]], None]


def roc(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """The ROC curve, beside those of the baselines."""
    label = scored["label"]
    if label.nunique() == 2:
        for name in metrics["baselines"]:
            if (told := scored[f"baseline_{name}"]).notna().all():
                RocCurveDisplay.from_predictions(
                    label, told, ax=ax, name=name.replace("_", " "), curve_kwargs={"linewidth": 0.8}
                )
        RocCurveDisplay.from_predictions(
            label, scored["score"], ax=ax, name="detector", plot_chance_level=True, curve_kwargs={"color": "black"}
        )
        ax.legend(fontsize=7, loc="lower right")
    ax.set(title="ROC, fake is positive", xlabel="false positive rate", ylabel="true positive rate")


def precision_recall(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Precision over recall."""
    if scored["label"].nunique() == 2:
        PrecisionRecallDisplay.from_predictions(
            scored["label"], scored["score"], ax=ax, name="detector", plot_chance_level=True
        )
        ax.legend(fontsize=7, loc="lower left")
    ax.set(title="Precision and recall", xlabel="recall", ylabel="precision")


def confusion(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """How many are called what, at the frozen threshold, and beside them who is inconclusive, where anybody is."""
    counts, names = np.array(list(metrics["video"]["confusion"].values())).reshape(2, 2), ["real", "fake"]
    if any(silent := list(metrics["video"]["inconclusive"].values())):
        counts, names = np.column_stack([counts, silent]), [*names, "inconclusive"]
    most = max(1, counts.max())
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        ax.text(column, row, str(count), ha="center", va="center", color="white" if count > most / 2 else "black")
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(2), names[:2])
    ax.set(title="Confusion at the frozen threshold", xlabel="verdict", ylabel="label")


def scores(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """The scores of the reals, and of the fakes of each method, a row each."""
    kind = scored["method"].where(scored["method"] != "", "fake").where(scored["label"] == 1, "real")
    rows = {name: scored[kind == name] for name in sorted(set(kind), key=lambda name: (name != "real", name))}
    for place, (name, own) in enumerate(rows.items()):
        color = [channel / 255 for channel in COLORS["real" if name == "real" else "fake"]]
        jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(own))
        ax.scatter(own["score"], place + jitter, s=14, alpha=0.6, color=color, linewidths=0)
    ax.axvline(0.5, color="grey", linewidth=0.8, linestyle="--")
    ax.set(title="Scores of the videos", xlabel="P(fake)", xlim=(-0.03, 1.03), ylim=(-0.6, max(0.6, len(rows) - 0.4)))
    ax.set_yticks(range(len(rows)), list(rows))


def reliability(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """The share of fakes over the mean score, in bins of equal mass, both classes counting alike."""
    table = evidence.reliability(scored["label"].to_numpy(), scored["score"].to_numpy(float), BINS)
    ax.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle="--", label="perfect")
    ax.plot(table["score"], table["fakes"], marker="o", markersize=4, color="black", label="detector")
    ax.set(title="Reliability", xlabel="mean P(fake) of a bin", ylabel="share of fakes in it, at even odds")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    ax.legend(fontsize=7, loc="upper left")


def tippett(ax: Axes, scored: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """The shares of reals and fakes whose likelihood ratio is at least that."""
    table = evidence.tippett(scored["label"].to_numpy(), scored["score"].to_numpy(float))
    for name, column in (("real", "reals"), ("fake", "fakes")):
        color = [channel / 255 for channel in COLORS[name]]
        ax.step(table["log10_lr"], table[column], where="pre", color=color, label=column)
    ax.axvline(0, color="grey", linewidth=0.8, linestyle="--")
    ax.set(title="Tippett plot", xlabel="log10 of the likelihood ratio", ylabel="share with at least that")
    ax.set(ylim=(-0.03, 1.03))
    ax.legend(fontsize=7, loc="lower left")


ALL: dict[str, Draw] = {
    "roc": roc,
    "precision_recall": precision_recall,
    "confusion": confusion,
    "scores": scores,
    "reliability": reliability,
    "tippett": tippett,
}


def square(ax: Axes) -> None:
    """As high as wide, like the ROC curve: side by side all have the same size."""
    ax.set_aspect("auto")
    ax.set_box_aspect(1)


def evaluation(path: Path, predictions: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Write all charts of the scored videos, in one picture."""
    scored = predictions[predictions["score"].notna()]
    figure = Figure(figsize=(14, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    for ax, draw in zip(figure.subplots(2, 3).flat, ALL.values(), strict=True):
        draw(ax, scored, metrics)
        square(ax)
    figure.suptitle(f"{len(scored)} test videos")
    with aside(path) as new:
        figure.savefig(new, dpi=90, metadata={"Software": None})


def svg(name: str, predictions: pd.DataFrame, metrics: dict[str, Any]) -> str:
    """One chart of the scored videos, as an <svg> element to stand in a page."""
    figure = Figure(figsize=(4.4, 4.1), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    ALL[name](ax, predictions[predictions["score"].notna()], metrics)
    square(ax)
    text = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "deepfake", "svg.fonttype": "none"}):  # the same bytes, text as text
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{name.replace("_", " ")}"', 1)


def robustness(path: Path, cells: pd.DataFrame) -> None:
    """Write a heat map of the AUC of each kind and level of perturbation; the row "clean" is the test as it is."""
    changed = cells[cells["kind"] != "clean"]
    sure = changed[changed["drop_low"].notna()]  # people enough are scored for an interval
    kinds, levels = list(dict.fromkeys(changed["kind"])), sorted(set(changed["level"]))
    table = sure.pivot(index="kind", columns="level", values="auc").reindex(index=kinds, columns=levels)
    tried = changed.pivot(index="kind", columns="level", values="coverage").reindex(index=kinds, columns=levels)
    figure = Figure(figsize=(2.5 + 0.9 * max(1, len(levels)), 1.6 + 0.42 * max(1, len(kinds))), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    if table.size:
        ax.imshow(table.astype(float), cmap="RdYlGn", vmin=0.5, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(table.to_numpy(float)):
            text = f"{value:.2f}" if not np.isnan(value) else "too few" if tried.notna().iloc[row, column] else ""
            color = "white" if value < DARK else "black"
            ax.text(column, row, text, ha="center", va="center", fontsize=9, color=color)
    ax.set_xticks(range(len(levels)), [str(level) for level in levels])
    ax.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    clean = cells.loc[cells["kind"] == "clean", "auc"].astype(float).mean()
    lost = sure["drop"].astype(float).mean()
    texts = ["undefined" if np.isnan(value) else f"{value:.3f}" for value in (clean, lost)]
    ax.set(title=f"AUC by level; clean {texts[0]}, mean drop {texts[1]}", xlabel="level")
    with aside(path) as new:
        figure.savefig(new, dpi=90, metadata={"Software": None})
