"""extract: which frames of a video to keep."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zlib import crc32

import numpy as np
from pydantic import Field

from deepfake import video
from deepfake.base.errors import unknown
from deepfake.base.items import Item, content
from deepfake.base.params import Params
from deepfake.dataset import alike
from deepfake.dataset.files import mask_of

if TYPE_CHECKING:  # pandas takes a second to import, and the worker processes need none of it
    import pandas as pd

FRAMES, MASKS = "frames.mkv", "masks.mkv"
BY = {"count": "frames_per_video", "fps": "fps", "stride": "stride"}  # sampling: the setting that it goes by


class Policy(Params):
    """Which frames of a video to keep, and how."""

    seconds: float | None = Field(
        default=None, gt=0
    )  # the first of a video that are looked at; null looks at the whole
    sampling: Literal["count", "fps", "stride"]
    frames_per_video: int = Field(gt=0)  # count: spread over the whole video, first to last
    fps: float = Field(gt=0)  # fps: frames a second
    stride: int = Field(gt=0)  # stride: every so many frames
    max_side: int | None = Field(ge=16)  # px: larger frames are scaled down; null keeps them
    crf: int = Field(ge=0, le=51)  # of the stored H.264; 0 is lossless
    decode: Literal["whole", "needed"] = "whole"  # needed: only what the kept frames need; faults elsewhere go unseen

    def idle(self) -> set[str]:
        """What the samplings that are not chosen would go by."""
        return {"frames_per_video", "fps", "stride"} - {BY[self.sampling]}


class ExtractParams(Policy):
    """Which videos, and which of their frames."""

    root: str  # the folder of the videos
    layout: str  # how they lie there: a file of deepfake/layouts
    methods: list[str] | None = None  # of the fakes; reals of datasets without any of these are left out; null: all
    compressions: list[str] | None = None  # null: all that are on disk
    balance: bool = False  # as many reals as fakes: of the larger class not all
    videos: int | None = Field(default=None, gt=1)  # at most so many, of each class in its share; null takes all
    choose: Literal["chance", "first"] = "chance"  # which, where not all are taken; first: in the order of their names
    seed: int = Field(default=0, ge=0)  # of chance

    def policy(self) -> Policy:
        """The part that shapes a single video, wherever it lies."""
        return Policy.model_validate(self.model_dump(include=set(Policy.model_fields)))


def selected(videos: "pd.DataFrame", p: ExtractParams) -> "pd.DataFrame":
    """The videos to take of those found, before any is decoded; each one's chance hangs on its name and the seed alone.

    The source of a fake whose original is not taken is absent:NAME. Raises UserError for a method or a compression that
    none of them has.
    """
    listed = set(videos["video_id"])
    if p.compressions is not None:  # a video that tells none has no such choice
        videos = videos[_among(videos["compression"], p.compressions) | (videos["compression"] == "")]
    if p.methods is not None:
        fake = (videos["label"] == 1) & _among(videos["method"], p.methods)
        videos = videos[fake | ((videos["label"] == 0) & videos["dataset"].isin(videos.loc[fake, "dataset"]))]
    names = sorted(videos["video_id"])
    order = {name: i if p.choose == "first" else _chance(name, p.seed) for i, name in enumerate(names)}
    place = videos["video_id"].map(order).groupby(videos["label"]).rank(method="first")
    most = videos["label"].value_counts().reindex([0, 1], fill_value=0)
    if p.balance and most.all():
        most[:] = most.min()
    if p.videos and p.videos < most.sum():
        shares = (most * p.videos // most.sum()).clip(lower=most.clip(upper=1))  # one of each class at least
        shares[most.idxmax()] += p.videos - shares.sum()  # what rounding left
        most = shares
    taken = videos[place <= videos["label"].map(most)].reset_index(drop=True)
    gone = taken["source"].isin(listed - set(taken["video_id"]))  # one name for all the fakes of it
    return taken.assign(source=taken["source"].mask(gone, "absent:" + taken["source"]))


def over(time: float, first: float, p: Policy) -> bool:
    """Whether a frame is shown after the seconds that are looked at, a clock error of a millisecond aside."""
    return video.over(time, first, p.seconds)


def pick(times: list[float], p: Policy) -> list[int]:
    """The indices of the frames to keep, of frames shown at these times in s.

    With `count` and 4 of 9:  fxxfxfxxf;  with `stride` 3:  fxxfxxfxx.
    """
    times = [time for time in times if not over(time, times[0], p)]
    n = len(times)
    if p.sampling == "count":
        return sorted({round(i) for i in np.linspace(0, n - 1, min(n, p.frames_per_video))})
    if p.sampling == "stride":
        return list(range(0, n, p.stride))
    # the first frame at or after each tick; a clock error of a millisecond must not skip to the next frame
    ticks = np.floor((np.array(times) - times[0] + 1e-3) * p.fps)
    return [0, *(np.flatnonzero(np.diff(ticks) > 0) + 1).tolist()]


def _chance(name: str, seed: int) -> int:
    """A number that depends on a video's name and the seed alone."""
    if not seed:
        return crc32(name.encode())
    # not the CRC of both: that orders names of one length much the same whatever stands before them
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:6])


def _among(column: "pd.Series[str]", names: list[str]) -> "pd.Series[bool]":
    """Whether each video has one of the names. Raises UserError for a name that none has."""
    known = set(column) - {""}
    for name in names:
        if name not in known:
            raise unknown(str(column.name), name, known, where=f"params.yaml: extract.{column.name}s")
    return column.isin(names)


def keep(path: Path, target: Path, p: Policy, room: int = 0) -> dict[str, Any]:
    """Write the frames to keep of the video at `path` to `target`, and what is known of the video as a row.

    Never raises for a bad video: `status` is "ok", "truncated" (what decodes is kept), or why there are no frames,
    and `reason` says it in words. Decoded once, where the file says truly when its frames are shown. `room`: bytes that
    the frames may take unpacked, which saves the time of packing files that are soon gone.
    """
    try:
        times = list(video.packet_times(path))
        planned = pick(times, p) if times else [0]
        whole = p.model_copy(update={"decode": "whole"})
        try:
            saved = _save(path, target, planned, p, room)
        except video.Misled:
            saved = _save(path, target, planned, whole, room)
        if (wanted := pick(saved.reading.times, p)) != planned:  # the headers lied; now the frames are known
            saved = _save(path, target, wanted, whole, room)
    except video.Unreadable as error:
        nothing = {"frames": 0, "kept": 0, "places": [], "pictures_sha256": "", "fingerprint": ""}
        return {"status": error.status, "reason": str(error)} | nothing
    reading, info = saved.reading, asdict(saved.reading.info)
    row = {
        "status": "truncated" if saved.fault else "ok",
        "reason": saved.fault,
        "frames": len(reading.times),
        "kept": len(wanted),
        "places": wanted,  # of the frames kept, among all of the video
        "corrupt": reading.corrupt,
        "interlaced": reading.interlaced,
        "pictures_sha256": saved.sha256,
        "fingerprint": saved.fingerprint,
    }
    return row | {name: value for name, value in info.items() if name != "packet_times"}


class Saved(NamedTuple):
    """What became of a video's frames."""

    reading: video.Reading  # which is at its end
    fault: str  # what was wrong, "" for nothing
    sha256: str  # of the pictures kept, alone: equal in a copy with another container, name or clock
    fingerprint: str  # of what they look like: close in a copy that is encoded anew


def _save(path: Path, target: Path, wanted: list[int], p: Policy, room: int = 0) -> Saved:
    """Save the wanted frames, the first of the video shown at 0 s."""
    reading = video.Reading(path, wanted, seconds=p.seconds, needed=p.decode == "needed")
    fault: list[str] = []
    digest = hashlib.sha256()

    def chosen() -> Iterator[video.Frame]:
        try:
            for frame in reading:
                digest.update(repr((frame.picture.format.name, frame.picture.width, frame.picture.height)).encode())
                for plane in frame.planes():
                    digest.update(plane.tobytes())
                yield replace(frame, time=frame.time - reading.times[0])
        except video.Damaged as error:
            fault.append(f"{len(reading.times)} frames decode, then: {error}")

    greys: dict[int, video.Images] = {}
    raw = room // max(1, len(wanted))
    video.save(target, _looked_at(chosen(), len(wanted), greys), p.crf, p.max_side, raw)
    return Saved(reading, "".join(fault), digest.hexdigest(), alike.fingerprint(list(greys.values())))


def _looked_at(frames: Iterator[video.Frame], count: int, greys: dict[int, video.Images]) -> Iterator[video.Frame]:
    """The frames as they are; those of them that tell what the video looks like are added to `greys`."""
    wanted = set(alike.places(count))
    for i, frame in enumerate(frames):
        if i in wanted:
            greys[i] = frame.grey(alike.SIDE)
        yield frame


def work(item: Item, folder: Path, p: Policy) -> dict[str, Any]:
    """One video as an item of the store: its frames and its row; and its mask at the same frames, if it has one."""
    path, *masks = item.inputs
    row = keep(path, folder / FRAMES, p)
    places = row.pop("places")
    row["masked"] = bool(masks and row["kept"] and masked(masks[0], folder / MASKS, places, p))
    digest = content(path)
    return row | {"sha256": digest if len(digest) == 64 else ""}  # else it says why there is none


def masked(path: Path, target: Path, places: list[int], p: Policy) -> bool:
    """Write the frames of a mask at the places of those kept of its video; whether it has all of them."""
    try:
        whole = _save(path, target, places, p.model_copy(update={"decode": "whole", "seconds": None}))
    except video.Unreadable:
        return False
    if len(whole.reading.times) > places[-1]:
        return True
    target.unlink(missing_ok=True)
    return False


def place(name: str, file: str) -> str:
    """Where a file of a video lies in the stage's folder."""
    return f"{name}.mkv" if file == FRAMES else mask_of(Path(), name).as_posix()


def summary(videos: "pd.DataFrame") -> dict[str, Any]:
    """How many videos there are by status and label, and how many frames were decoded and kept."""
    counts = videos.groupby(["label", "status"]).size()
    good = videos["kept"] > 0
    by_label = {name: counts.get(label, {}) for label, name in enumerate(("real", "fake"))}
    return {
        "videos": len(videos),
        "status": {name: dict(sorted(dict(c).items())) for name, c in by_label.items()},
        "frames_decoded": int(videos["frames"].sum()),
        "frames_kept": int(videos["kept"].sum()),
        "frames_corrupt": int(videos["corrupt"].sum()),
        "masks": int(videos["masked"].eq(True).sum()),
        "as_shown": {  # how many videos differ from what their file stores
            "turned": int(videos["rotation"].gt(0).sum()),
            "mirrored": int(videos["mirrored"].eq(True).sum()),
            "made_square": int((videos["sar"].ne("1:1") & good).sum()),
            "deinterlaced": int(videos["interlaced"].gt(0).sum()),
            "high_range": int(videos["transfer"].isin(["pq", "hlg"]).sum()),
            "wide_gamut": int(videos["primaries"].isin(["bt2020", "smpte431", "smpte432"]).sum()),
        },
    }
