"""library: what programs import: Detector.load(folder).predict(video)."""

from pathlib import Path
from typing import Self

from deepfake import inference, predict
from deepfake.base.errors import unknown
from deepfake.prediction import WINDOW, Prediction

BACKENDS = ("int8", "onnx", "torch")


class Detector(inference.Detector):
    """A trained detector that reads videos.

    >>> from deepfake import Detector
    >>> said = Detector.load("models/detector").predict("clip.mp4")
    >>> said.verdict, said.score, [track.score for track in said.tracks]
    """

    @classmethod
    def load(cls, folder: str | Path, *, backend: str = "torch") -> Self:
        """The detector of a folder that `calibrate`, `deepfake ensemble` or `deepfake export` wrote.

        backend: what runs its networks: "torch"; of an export also "onnx" and "int8", by ONNX Runtime on the CPU. No
        code of the folder is run. Raises UserError where there is no detector, or a broken one.
        """
        if backend not in BACKENDS:
            raise unknown("backend", backend, BACKENDS)
        if backend == "torch":
            return cls(**vars(predict.load(Path(folder))))
        from deepfake import sessions

        return cls(**vars(predict.checked(sessions.load(Path(folder), backend), Path(folder))))

    def predict(self, video: str | Path, *, window: float = WINDOW) -> Prediction:
        """What it says of a video or a picture. Never raises for a bad one: `status` and `reason` say why no score.

        window: s, of the timeline of a video longer than one and a half of them, which is read twice; 0 for none.
        """
        return predict.predict(Path(video), self, window)
