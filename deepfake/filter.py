"""filter: which tracks are people, and which of their faces are sharp and large enough to learn from.

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
    min_score: float  # the detector's own, the mean of a track: below it is hardly a face
    min_share: float = Field(ge=0, le=1)  # of the sights of its video's longest track: a track with fewer says nothing
    min_faces: int = Field(gt=0)  # a track with fewer good faces is dropped whole


def with_reasons(faces: pd.DataFrame, p: FilterParams) -> pd.DataFrame:
    """Add the column `reason`: why a face is dropped, or "" where it is kept; and the evidence. No row is lost.

    A track is implausible, and so are all its faces, where it is not surely a face or too rarely seen beside another:
    neither a drawing nor a passer-by shall speak for the video.
    """
    judged = faces.assign(**evidence(faces))
    sure = judged["track_score"] >= p.min_score
    most = judged["seen"].where(sure, 0).groupby(judged["video_id"]).transform("max")
    reason = pd.Series("", index=faces.index, dtype="string")
    reason[faces["sharpness"] < p.min_sharpness] = "blurred"
    reason[faces[["width", "height"]].min(axis=1) < p.min_side] = "small"
    reason[~sure | (judged["seen"] < p.min_share * most)] = "implausible track"
    reason[_spared(judged)] = "not the forged face"
    good = reason.eq("")
    lonely = good & (good.groupby([faces["video_id"], faces["track"]]).transform("sum") < p.min_faces)
    return judged.assign(reason=reason.mask(lonely, "too few in track"))


def _spared(faces: pd.DataFrame) -> "pd.Series[bool]":
    """The faces of tracks that the mask of their video covers less than half as much as the track that it covers most.

    A fake without a mask, and a real, has none.
    """
    if "forged" not in faces:
        return pd.Series(False, index=faces.index)
    share = faces["forged"].astype(float).groupby([faces["video_id"], faces["track"]]).transform("mean")
    most = share.groupby(faces["video_id"]).transform("max")
    return (share < most / 2) & (most > 0)


def evidence(faces: pd.DataFrame) -> dict[str, "pd.Series[Any]"]:
    """What stands behind the track of each face: how often it was `seen` and not recovered, for how many `seconds`
    from the first sight to the last, and the mean score of the detector, `track_score`."""
    track = [faces["video_id"], faces["track"]]
    seen = ~faces["recovered"]
    time = faces["time"].where(seen).groupby(track)
    return {
        "seen": seen.groupby(track).transform("sum"),
        "seconds": (time.transform("max") - time.transform("min")).round(6),
        "track_score": faces["score"].astype(float).groupby(track).transform("mean").round(6),
    }


def summary(judged: pd.DataFrame, videos: pd.DataFrame) -> dict[str, Any]:
    """Faces and drop rates by class and reason, and of fakes beside their own originals; `videos` as extract leaves it.

    A filter that drops more fakes is a bias.
    """
    label = judged["video_id"].map(videos.set_index("video_id")["label"])
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
        "pairs": pairs(judged, videos),
    }


def pairs(judged: pd.DataFrame, videos: pd.DataFrame) -> dict[str, Any]:
    """The faces that fakes lose beside those that their own originals lose, each pair with the same weight.

    `source` names the original; `worst` is the fake that loses most beside its own, of those that lose more.
    """
    dropped = judged["reason"].ne("").groupby(judged["video_id"]).mean()
    known = videos[videos["label"].eq(1) & videos["video_id"].isin(dropped.index)]
    known = known[known["source"].isin(dropped.index) & known["source"].ne(known["video_id"])]
    fake = dropped.reindex(known["video_id"]).reset_index(drop=True)
    original = dropped.reindex(known["source"]).reset_index(drop=True)
    more = (fake - original).round(6)
    return {
        "count": len(known),
        "dropped": {"original": _share(original), "fake": _share(fake)},
        "fake_loses_more": int((more > 0).sum()),
        "worst": str(known["video_id"].iloc[int(more.to_numpy().argmax())]) if (more > 0).any() else None,
    }


def _share(mask: "pd.Series[Any]") -> float | None:
    return float(mask.mean()) if len(mask) else None
