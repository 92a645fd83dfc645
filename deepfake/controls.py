"""controls: what could make the figures of a test too good, each looked for by name, and a verdict in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from deepfake.base.params import Params
from deepfake.measures import intervals
from deepfake.measures.orders import REORDERED
from deepfake.measures.statistics import Sample
from deepfake.scores import THRESHOLD

FILE = ("fps", "bitrate", "duration", "frames", "width", "height", "codec", "pix_fmt", "rotation")  # said by a file
TELLS = 0.6  # the AUC from which a shortcut is called one, if its interval lies above .5
PLAIN = 0.9  # the AUC from which it is one of however few people
LEAF = 5  # videos of a value, at least, that a tree may single out; fewer where a class has fewer than twice as many
BIAS = 0.05  # of the faces dropped: the gap between the classes that is called a bias
NAMED = 5  # of a long list
BLIND = ("mean", "attention")  # heads that average frames, in whatever order they come


class ControlsParams(Params):
    """How the controls are done."""

    seed: int = Field(ge=0)  # of folds and resamples
    resamples: int = Field(ge=100)  # of the people
    faces: bool = False  # whether those of reals on two sides are compared


@dataclass(frozen=True)
class Control:
    """One thing that was looked for."""

    name: str
    fine: bool | None  # None: it could not be looked for
    finding: str  # what was found


def sides(leaks: Sequence[str]) -> Control:
    """No person, source or file may be on two sides of the split."""
    return Control("sides", not leaks, _listed(leaks) or "no person, source or file is on two sides of the split")


def faces(pairs: pd.DataFrame | None) -> Control:
    """Nobody may be on two sides under two names; whether two who look alike are one person, a person has to see."""
    if pairs is None:
        return Control("faces", None, "not compared: controls.faces is false")
    if pairs.empty:
        return Control("faces", True, "no two people of two sides look like one")
    named = [f"{pair.one} ({pair.split}) and {pair.other} ({pair.other_split})" for pair in pairs.itertuples()]
    return Control("faces", None, f"one person, or two who look alike? `deepfake split audit` shows: {_listed(named)}")


def fitted_on(validation: pd.DataFrame, splits: pd.DataFrame) -> Control:
    """Calibrator and threshold may come from validation alone."""
    side = splits.set_index("video_id")["split"]
    wrong = [
        f"{name} ({side.get(name, 'unknown')})"
        for name in sorted(set(validation["video_id"]))
        if side.get(name) != "val"
    ]
    return Control(
        "calibrator",
        not wrong,
        f"fitted on videos that are not of validation: {_listed(wrong)}" if wrong else "fitted on validation alone",
    )


def threshold(predictions: pd.DataFrame) -> Control:
    """The verdicts are those of the threshold that was frozen before the test; who abstains gives none."""
    scored = predictions[predictions["verdict"].isin(("fake", "real"))]
    other = scored["video_id"][scored["verdict"].eq("fake") != scored["score"].ge(THRESHOLD)].tolist()
    sentence = f"the verdicts are those of the frozen threshold, {THRESHOLD}"
    return Control(
        "threshold",
        not other,
        f"verdicts of another threshold than {THRESHOLD}: {_listed(other)}" if other else sentence,
    )


def metadata(videos: pd.DataFrame, splits: pd.DataFrame, p: ControlsParams) -> list[Control]:
    """Nothing that a file says of itself may tell fakes by itself."""
    known = videos.merge(splits[["video_id", "group"]], on="video_id")
    return [told(f"metadata: {name}", known, [name], p) for name in FILE if name in known]


def background(videos: pd.DataFrame, p: ControlsParams) -> Control:
    """What is around the faces may not tell fakes; `videos` has label, group and the numbers of the background."""
    names = [name for name in videos if name not in ("video_id", "label", "group")]
    return told("background", videos, names, p)


def told(name: str, videos: pd.DataFrame, numbers: Sequence[str], p: ControlsParams) -> Control:
    """Whether these columns tell fakes: each fifth of the people is scored by a model fitted on the others.

    What is known of one class alone tells them by being there.
    """
    there = videos[list(numbers)].notna().all(axis=1) & videos[list(numbers)].ne("").all(axis=1)
    shares = there.groupby(videos["label"]).mean()
    if len(shares) == 2 and shares.min() == 0 and 0.5 + shares.max() / 2 >= TELLS:
        has, lacks = ("fakes", "real") if shares[1] else ("reals", "fake")
        return Control(name, False, f"known of {shares.max():.0%} of the {has} and of no {lacks}")
    known = videos[there]
    groups = known.groupby("label")["group"].nunique()
    if len(groups) < 2 or groups.min() < 5:
        return Control(name, None, "fewer than five groups of people in a class: it cannot be said")
    table = known[list(numbers)].apply(
        lambda column: column if column.dtype.kind in "fiub" else pd.Series(pd.factorize(column)[0], column.index)
    )
    if not (table.nunique() > 1).any():
        return Control(name, True, "the same for all")
    # a tree finds a single value among others, such as 25 fps between 24 and 30; many numbers are weighed together
    fewest = int(known["label"].value_counts().min() * 4 / 5)  # of a class, that a model is fitted on
    single = DecisionTreeClassifier(max_depth=3, min_samples_leaf=min(LEAF, fewest // 2), random_state=p.seed)
    model = single if len(numbers) == 1 else make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=p.seed)
    score = cross_val_predict(
        model, table.astype(float), known["label"], groups=known["group"], cv=folds, method="predict_proba"
    )
    figures = intervals.auc(Sample.rows(known["label"], score[:, 1], known["group"]), p.resamples, p.seed)
    value, low = figures["auc"] or 0.0, figures["auc_low"] or 0.0
    finding = f"AUC {value:.3f} [{low:.3f}, {figures['auc_high'] or 1.0:.3f}] by itself"
    if value >= TELLS and low <= 0.5 and value < PLAIN:
        return Control(name, None, f"{finding}: too few people to say")
    return Control(name, value < TELLS, finding)


def dropped(kept: pd.DataFrame, splits: pd.DataFrame) -> list[Control]:
    """The filter may not drop more of one class, nor more of a fake than of the real that it was made of."""
    share = kept["reason"].ne("").groupby(kept["video_id"]).mean()
    known = splits.assign(dropped=splits["video_id"].map(share)).dropna(subset="dropped")
    rates = known.groupby("label")["dropped"].mean()
    controls = [Control("filter", None, "one class alone")]
    if len(rates) == 2:
        fine = abs(rates[1] - rates[0]) <= BIAS
        controls = [
            Control("filter", bool(fine), f"drops {rates[1]:.1%} of the fakes' faces, {rates[0]:.1%} of the reals'")
        ]
    real = known.set_index("video_id")["dropped"]
    pairs = known[known["label"].eq(1) & known["source"].isin(real.index)]
    gap = (pairs["dropped"] - pairs["source"].map(real).astype(float)).groupby(pairs["group"]).mean()
    if len(gap) < 2:
        return [*controls, Control("filter by pairs", None, "fewer than two fakes say which real they are made of")]
    reach = student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
    mean = float(gap.mean())
    fine = abs(mean) <= BIAS or abs(mean) <= reach
    sentence = f"drops {mean:+.1%} [{mean - reach:+.1%}, {mean + reach:+.1%}] more of a fake's faces than of its real's"
    return [*controls, Control("filter by pairs", bool(fine), sentence)]


def order(metrics: Mapping[str, Any], settings: Mapping[str, Any]) -> Control:
    """What can see the order of the frames has to lose by another one.

    One frame alone, repeated, costs an average of frames as well: it tells that more than one is looked at, no more.
    """
    if not sees_order(settings):
        return Control("order", True, "the network sees no order of the frames")
    drops = {name: own["drop_low"] for name, own in metrics["order"].items() if own["drop_low"] is not None}
    if not drops.keys() & set(REORDERED):
        return Control("order", None, "it cannot be told: the drop has no interval")
    lost = [name for name in REORDERED if drops.get(name, 0) > 0]
    sentence = f"{', '.join(lost)} frames cost more than noise" if lost else "the order of the frames is ignored"
    return Control("order", bool(lost), sentence + "; more than one frame matters" * (drops.get("repeated", 0) > 0))


def sees_order(settings: Mapping[str, Any]) -> bool:
    """Whether a network could tell one order of the frames from another, by what it is made of."""
    together = settings["encoder"] == "video" or settings["thumbnails"] > 1  # several frames at once, before the head
    head = settings["sequence"] == "frames" and (settings["motion"] or settings["head"] not in BLIND)
    return int(settings["frames"]) > 1 and bool(together or head)


def shuffled_labels(metrics: Mapping[str, Any], settings: Mapping[str, Any]) -> Control:
    """What is learnt from shuffled labels may tell nothing; it has to be trained on its own."""
    if not settings["shuffle_labels"]:
        return Control("shuffled labels", None, "not run: dvc exp run -S train.shuffle_labels=true")
    low, high = metrics["video"]["auc_low"], metrics["video"]["auc_high"]
    fine = low is None or low <= 0.5 <= high
    return Control("shuffled labels", fine, f"learnt from shuffled labels, AUC {metrics['video']['auc']:.3f}")


def gain(metrics: Mapping[str, Any]) -> Control:
    """The detector has to tell more than the best of a few numbers."""
    best = metrics["best_baseline"]
    if best["gain_low"] is None:
        return Control("shortcuts", None, "there is no baseline, or too few people, to compare with")
    adds = f"{best['gain']:+.3f} [{best['gain_low']:+.3f}, {best['gain_high']:+.3f}]"
    sentence = f"the detector adds {adds} to {best['name'].replace('_', ' ')}, AUC {best['auc']:.3f}"
    return Control("shortcuts", best["gain_low"] > 0, sentence)


def summary(controls: Sequence[Control]) -> dict[str, Any]:
    """The controls as metrics, and what they come to."""
    wrong = [control for control in controls if control.fine is False]
    open_ones = [control for control in controls if control.fine is None]
    verdict = f"{len(controls) - len(wrong) - len(open_ones)} of {len(controls)} controls find nothing wrong."
    if wrong:
        verdict += " Wrong: " + "; ".join(f"{control.name}: {control.finding}" for control in wrong) + "."
    if open_ones:
        verdict += f" Open: {', '.join(control.name for control in open_ones)}."
    return {
        "verdict": verdict,
        "wrong": len(wrong),
        "open": len(open_ones),
        "controls": [asdict(control) for control in controls],
    }


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
