"""several: detectors asked about the same video, side by side, and what they say together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from deepfake.app.log.answers import Logged, Scorer
from deepfake.app.predict.outputs import Answers
from deepfake.base.tables import DIGITS
from deepfake.prediction import Prediction
from deepfake.scores import EDGE, THRESHOLD, verdict

ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Panel:
    """Detectors that are asked about the same videos."""

    every: Sequence[Scorer | Logged[Scorer]]

    @property
    def plain(self) -> list[Scorer]:
        """Those that score, without the log before them."""
        return [asked.scorer if isinstance(asked, Logged) else asked for asked in self.every]

    def __call__(self, path: Path) -> Answers:
        """What each says of a video; of several also what they say together, last."""
        answers = [(plain.name, asked(path)) for plain, asked in zip(self.plain, self.every, strict=True)]
        if len(answers) == 1:
            return answers
        weakest = min(self.plain, key=lambda scorer: scorer.auc)
        together = pooled([prediction for _, prediction in answers])
        words = weakest.wording(together.verdict) if together.verdict else "inconclusive"
        return [*answers, (ENSEMBLE, replace(together, wording=words))]


def pooled(predictions: Sequence[Prediction]) -> Prediction:
    """What several say together: the mean of their calibrated log odds, of those that give a verdict.

    Where none does, nor does the ensemble: "inconclusive", with the mean of all.
    Source: Genest and Zidek, "Combining probability distributions", Statistical Science 1986 (the logarithmic pool).
    """
    scored = [prediction for prediction in predictions if prediction.score is not None]
    heard = [prediction for prediction in scored if prediction.verdict in ("fake", "real")]
    first, nobody = predictions[0], "none of the detectors gives a verdict"
    if not scored:
        return Prediction(first.path, first.status, nobody, None, None, THRESHOLD, ())
    odds = logit(np.clip([float(prediction.score or 0) for prediction in heard or scored], EDGE, 1 - EDGE))
    score = round(float(expit(odds.mean())), DIGITS)
    if not heard:
        return Prediction(first.path, scored[0].status, nobody, score, "inconclusive", THRESHOLD, ())
    notes = [f"of {len(heard)} of {len(predictions)} detectors"] if len(heard) < len(predictions) else []
    notes += ["they differ"] if len({prediction.verdict for prediction in heard}) > 1 else []
    return Prediction(first.path, heard[0].status, ", ".join(notes), score, verdict(score), THRESHOLD, ())
