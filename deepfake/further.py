"""further: a video of a further dataset through the whole chain: an item of the store."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake import inference, predict
from deepfake.base.items import Item, content
from deepfake.base.params import Params
from deepfake.prediction import Prediction

MEANS = ["difference", "sharpness"]  # of the good faces, as baselines want them


def work(item: Item, folder: Path, p: Params) -> dict[str, Any]:
    """One video as an item of the store: what extract says of it, its MEANS, and its score or why there is none."""
    path, detector = item.inputs[0], loaded(item.args["detector"])
    with predict.prepared(path, detector) as video:
        prediction = predict.scored(path, video, detector)
        good = video.faces[video.faces["reason"] == ""] if len(video.faces) else pd.DataFrame(columns=MEANS)
    digest = content(path)
    row = {name: value for name, value in video.about.items() if name != "places"} | {
        "sha256": digest if len(digest) == 64 else ""
    }  # else it says why there is none
    row |= {name: float(good[name].mean()) for name in MEANS}
    return row | {
        "status": prediction.status,
        "reason": prediction.reason,
        "score": prediction.score,
        "verdict": verdict(prediction, detector),
    }


def verdict(prediction: Prediction, detector: inference.Detector) -> str | None:
    """What a test counts: what was said; of a detector that learnt nothing what the frozen threshold makes of it."""
    if prediction.score is None or not detector.untrained:
        return prediction.verdict
    return detector.verdict(prediction.score)


@cache
def loaded(folder: str) -> inference.Detector:
    """The detector of a folder, once a process."""
    return inference.load(Path(folder))
