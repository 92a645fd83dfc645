"""perturbed: a stored video after a perturbation, through the whole chain: an item of the store, and nothing else.

What is edited of figures and charts makes no such item anew: it is told by this module and what it imports.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from deepfake import further, inference, perturb, predict, video
from deepfake.base.items import Item
from deepfake.base.params import Params


def work(item: Item, folder: Path, p: Params) -> dict[str, Any]:
    """A video under the perturbation of its args, kind and level: its score and verdict, or why there is none."""
    detector = loaded(item.args["detector"])
    changed = folder / "perturbed.mkv"
    with video.recording(changed) as record:
        for image, time in perturb.perturbed(item.inputs[0], item.args["kind"], item.args["level"]):
            record(image, time)
    prediction = predict.predict(changed, detector, window=0)
    changed.unlink()
    return {"status": prediction.status, "score": prediction.score, "verdict": further.verdict(prediction, detector)}


@cache
def loaded(folder: str) -> inference.Detector:
    """The detector, once a process, for frames that were kept already: all of them are."""
    detector = inference.load(Path(folder))
    every = {"sampling": "stride", "stride": 1, "max_side": None, "crf": 0, "seconds": None}
    known = detector.params["extract"]
    all_of_them = known | {name: value for name, value in every.items() if name in known}
    return replace(detector, params=detector.params | {"extract": all_of_them})
