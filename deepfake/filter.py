"""filter: which face crops are sharp and large enough to learn from.

Functions of tables; nothing here reads a file.
"""

from typing import Any

import pandas as pd
from pydantic import Field

from deepfake.base.params import Params


class FilterParams(Params):
    """What a face must have to be kept."""

    min_sharpness: float = Field(ge=0)  # variance of the Laplacian, as detect measures it
    min_side: int = Field(gt=0)  # px of the source frame, shorter side of the detection box
    min_faces: int = Field(gt=0)  # a track with fewer good faces is dropped whole


def judge(faces: pd.DataFrame, p: FilterParams) -> pd.DataFrame:
    """Add the column `reason`: why a face is dropped, or "" where it is kept. No row is lost."""
    reason = pd.Series("", index=faces.index, dtype="string")
    reason[faces["sharpness"] < p.min_sharpness] = "blurred"
    reason[faces[["width", "height"]].min(axis=1) < p.min_side] = "small"
    good = reason.eq("")
    lonely = good & (good.groupby([faces["video_id"], faces["track"]]).transform("sum") < p.min_faces)
    return faces.assign(reason=reason.mask(lonely, "too few in track"))


def summary(judged: pd.DataFrame, labels: "pd.Series[int]") -> dict[str, Any]:
    """Faces and drop rates by class and reason; `labels` by video_id. A filter that drops more fakes is a bias."""
    label = judged["video_id"].map(labels)
    classes = {name: judged[label == value] for value, name in enumerate(("real", "fake"))}
    reasons = sorted(set(judged["reason"]) - {""})
    return {
        "faces": len(judged),
        "kept": int(judged["reason"].eq("").sum()),
        "dropped": {
            name: {"all": _share(faces["reason"].ne("")), **{r: _share(faces["reason"].eq(r)) for r in reasons}}
            for name, faces in classes.items()
        },
        "videos_without_faces_left": {
            name: int(faces["reason"].eq("").groupby(faces["video_id"]).any().eq(False).sum())
            for name, faces in classes.items()
        },
    }


def _share(mask: "pd.Series[bool]") -> float | None:
    return float(mask.mean()) if len(mask) else None
