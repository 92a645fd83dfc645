"""coverage: how many videos got an answer, why the rest did not, and the rates of ISO/IEC 30107-3 that count them."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from deepfake.base.errors import UserError
from deepfake.measures.statistics import ABSTAINED, called

REASONS = {"too_few_faces": "filtered", "no_video": "decode_error", "missing": "decode_error"}  # the rest as they are
ALWAYS = ("no_face", "decode_error", "too_short", "filtered")


def coverage(videos: pd.DataFrame) -> dict[str, Any]:
    """How many videos of each class were expected and could be scored, the rest by reason; figures that count them.

    `as_chance`: of all that was expected, what could not be scored being guessed. `ok` and its kin are shares.
    """
    missing = videos[videos["score"].isna()]
    reasons = missing["status"].map(lambda status: REASONS.get(status, status)).value_counts().sort_index()
    return {
        "expected": len(videos),
        "scored": len(videos) - len(missing),
        "ok": _share(videos),
        "ok_real": _share(videos[videos["label"] == 0]),
        "ok_fake": _share(videos[videos["label"] == 1]),
        "missing": dict.fromkeys(ALWAYS, 0) | {str(status): int(n) for status, n in reasons.items()},
        "as_chance": as_chance(videos),
    }


def as_chance(videos: pd.DataFrame) -> dict[str, Any]:
    """The AUC of all videos where each without a score is guessed by the toss of a coin, and so is in the accuracies
    each without a verdict.
    """
    scored, verdict = videos["score"].notna(), called(videos["verdict"])
    right = verdict.eq(videos["label"]).where(verdict != ABSTAINED, 0.5).astype(float)
    by_class = [right[videos["label"] == label] for label in (0, 1)]
    if not min(map(len, by_class)):
        return {"auc": None, "accuracy": float(right.mean()) if len(right) else None, "balanced_accuracy": None}
    shares = [scored[videos["label"] == label].mean() for label in (0, 1)]
    pairs = float(np.prod(shares))  # of a real and a fake, both scored
    known = auc_of(videos[scored]) if pairs else 0.5
    return {
        "auc": pairs * known + (1 - pairs) / 2,
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([hits.mean() for hits in by_class])),
    }


def auc_of(scored: pd.DataFrame) -> float:
    """The AUC of videos of both classes."""
    return float(roc_auc_score(scored["label"], scored["score"]))


def too_few(figures: dict[str, Any], least: float) -> None:
    """Raise UserError where less of a class of the test, or of a further dataset, could be scored than is asked for."""
    for name, part in {"test": figures, **figures.get("extra", {})}.items():
        counts = part["coverage"]
        for label in ("real", "fake"):
            if (share := counts[f"ok_{label}"]) is not None and share < least:
                lost = ", ".join(f"{n} {reason}" for reason, n in counts["missing"].items() if n)
                raise UserError(
                    f"{share:.1%} of the {label} {name} videos could be scored, evaluate.min_coverage is {least:.1%}"
                    f" (lost: {lost})",
                    "figures of what is left flatter: mend detect or filter, or lower evaluate.min_coverage",
                )


def presentation_attack(videos: pd.DataFrame) -> dict[str, Any]:
    """The rates of ISO/IEC 30107-3: of the videos with a verdict, fakes taken for real (APCER) by method, the worst of
    them, and reals taken for fake (BPCER); of all, the shares of each without one, inconclusive ones among them.
    """
    verdict = called(videos["verdict"])
    answered = videos[verdict != ABSTAINED]
    real, fake = (answered[answered["label"] == label] for label in (0, 1))
    missed = fake["verdict"].eq("real").groupby(fake["method"].replace("", "unnamed")).mean()
    apcer = {str(name): float(rate) for name, rate in missed.items()}
    silent = [verdict.eq(ABSTAINED)[videos["label"] == label] for label in (0, 1)]
    bpnrr, apnrr = (float(silence.mean()) if len(silence) else None for silence in silent)
    return {
        "apcer": apcer,
        "apcer_worst": max(apcer.values(), default=None),
        "bpcer": float(real["verdict"].eq("fake").mean()) if len(real) else None,
        "apnrr": apnrr,
        "bpnrr": bpnrr,
    }


def _share(videos: pd.DataFrame) -> float | None:
    return float(videos["score"].notna().mean()) if len(videos) else None
