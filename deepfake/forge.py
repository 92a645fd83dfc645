"""forge: labelled fakes from any folder of real videos, by the methods of deepfake/forgeries.

Reals and fakes leave through one decoder and one encoder, each fake in a file of the size of its real, so that only the
pictures tell them apart.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, cycle, islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from pydantic import Field

from deepfake import video
from deepfake.base import parallel, plugins, tables
from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.dataset import reals as sources
from deepfake.dataset.files import printable
from deepfake.dataset.videos import USABLE
from deepfake.faces import Floats
from deepfake.footage import Footage
from deepfake.swap import Finder
from deepfake.video import Images

MIN_FACES = 0.5  # of a video's frames: with fewer it is not used
TOLERANCE = 0.02  # of the size in bytes that a file shall have ...
TRIALS = 5  # ... for which its bitrate is sought
HELD = 100  # frames that are held in memory


class ForgeParams(Params):
    """How the fakes are made."""

    methods: tuple[str, ...] = Field(default=("faceswap",), min_length=1)  # files of deepfake/forgeries, dealt in turn
    seed: int = Field(default=0, ge=0)  # who is paired with whom
    pairs: int = Field(default=1, ge=1)  # fakes of each real; people are swapped within groups of one more
    max_frames: int = Field(default=0, ge=0)  # of a video; 0 = all
    resolution: int = Field(default=0, ge=0)  # px that a generator draws a face in; 0 = as sharp as its source
    crf: int = Field(default=23, ge=1, le=51)  # H.264 quality of the reals, which sets the bitrate of both


@dataclass(frozen=True)
class Forged:
    """What a run gave."""

    manifest: pd.DataFrame  # path, label, identities, method, source: one row a video written
    report: pd.DataFrame  # path, status, reason, frames, faceless: one row a video read or forged


@dataclass
class Real:
    """A real video, and what was found in it."""

    path: Path
    name: str  # of its file under real/, without suffix
    identity: str
    status: str = "ok"
    reason: str = ""
    fps: float = 25.0
    size: int = 0  # bytes of the file written
    rate: float = 0.0  # bit/s, as the encoder was told
    landmarks: Floats = field(default_factory=lambda: np.empty((0, 68, 2)))  # (frames, 68, 2) px, NaN without a face

    @property
    def faceless(self) -> int:
        """How many frames show no face."""
        return int(np.isnan(self.landmarks[:, 0, 0]).sum())


def forge(real_dir: Path, out_dir: Path, p: ForgeParams) -> Forged:
    """Make fakes of the videos under `real_dir`; `out_dir` appears whole or not at all.

    It gets real/, fake/, manifest.csv and report.csv. A manifest.csv or INDEX.csv in `real_dir` may say who is on which
    video (columns path, and identity or identities; with a column label, only the rows called real count); without it
    each video shows a person of its own. A frame without a face stays as it is, and is counted.

    Raises UserError where `out_dir` holds something, or where fewer than two people are left.
    """
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise UserError(f"{out_dir} is not empty", "name a new folder, or remove this one")
    for method in p.methods:
        plugins.load("forgeries", method)  # before any work: a wrong name is a mistake
    reals = listing(real_dir)
    with aside(out_dir) as new:
        reals = parallel.run(_take, [(real, new / "real", p) for real in reals], "real")
        usable = [real for real in reals if real.status in USABLE]
        swaps = pair(usable, p)
        if not swaps:
            raise _too_few(real_dir, reals)
        outcomes = parallel.run(_swap, [(*swap, new / "fake", p) for swap in swaps], "fake")
        done = [swap for swap, outcome in zip(swaps, outcomes, strict=True) if not isinstance(outcome, str)]
        if not done:
            raise UserError(
                f"{real_dir}: no fake could be made: {outcomes[0]}", "run it again when the videos are there"
            )
        result = Forged(_manifest(usable, done), _report(real_dir, reals, swaps, outcomes))
        tables.write(new / "report.csv", result.report)
        tables.write(new / "manifest.csv", result.manifest)
    return result


def listing(real_dir: Path) -> list[Real]:
    """The real videos under a folder, those of its index or all, sorted by path."""
    return [Real(real.path, real.name, real.identity) for real in sources.listing(real_dir)]


def pair(reals: list[Real], p: ForgeParams) -> list[tuple[Real, Real, str]]:
    """Target, source and method of each fake, sorted.

    People are dealt into groups of `pairs` + 1, some larger where that does not come out even, and swapped within: no
    one is on the fakes of two groups. Each video of a person is a target, each video of the other in turn its source.
    The methods are dealt within a group, too, so that each has as many groups.
    """
    people = sorted({real.identity for real in reals})
    if len(people) < 2:
        return []
    shuffled = [people[i] for i in np.random.default_rng(p.seed).permutation(len(people))]
    number = max(1, len(people) // (p.pairs + 1))
    swaps: list[tuple[Real, Real, str]] = []
    for group in (shuffled[i::number] for i in range(number)):
        videos = [[real for real in reals if real.identity == person] for person in group]
        for i, targets in enumerate(videos):
            for step in range(1, min(p.pairs, len(group) - 1) + 1):
                method = p.methods[(i + step - 1) % len(p.methods)]
                swaps += list(zip(targets, cycle(videos[(i + step) % len(group)]), repeat(method), strict=False))
    return sorted(swaps, key=lambda swap: (swap[0].name, swap[1].name))


def _take(job: tuple[Real, Path, ForgeParams]) -> Real:
    """Find the landmarks of a real video and write it out, encoded as the fakes are."""
    real, folder, p = job
    finder, points, lost = Finder(), [], list[str]()

    def watched() -> Iterator[Images]:
        for image in _frames(real.path, p, lost):
            points.append(finder(image))
            yield image

    try:
        real.fps = video.probe(real.path).fps
        with _film(watched()) as film:
            real.landmarks = np.stack(points)
            if real.faceless > (1 - MIN_FACES) * len(points):
                real.status, real.reason = "no_face", f"{real.faceless} of {len(points)} frames show no face"
                return real
            out = folder / f"{real.name}.mp4"
            video.encode(out, film(), real.fps, crf=p.crf)
            real.size = out.stat().st_size
            real.rate = real.size * 8 * real.fps / len(points)
            real.rate = _encode(out, film, real)  # at a bitrate, as the fakes
            real.size = out.stat().st_size
    except video.Unreadable as error:
        real.status, real.reason = error.status, str(error)
    if lost:
        real.status, real.reason = "truncated", lost[0]
    return real


def _swap(job: tuple[Real, Real, str, Path, ForgeParams]) -> int | str:
    """Write one fake; how many of its frames stay as they are, or why there is none. A shorter source starts again."""
    target, source, name, folder, p = job
    method = plugins.load("forgeries", name)
    both = [Footage(partial(_frames, clip.path, p, []), clip.landmarks) for clip in (target, source)]
    try:
        with _film(method.forged(*both, p.resolution)) as film:
            _encode(folder / f"{_fake_name(target, source)}.mp4", film, target)
            pictures = zip(film(), both[0], strict=True)
            stay = [v.faceless or (method.PEOPLE > 1 and np.array_equal(fake, v.image)) for fake, v in pictures]
            return sum(map(bool, stay))
    except video.Unreadable as error:  # it was there when it was looked at
        return str(error)


@contextmanager
def _film(images: Iterator[Images]) -> Iterator[Callable[[], Iterable[Images]]]:
    """Images made once, to be gone through several times: held in memory, or in a lossless file where they are many."""
    head = list(islice(images, HELD))
    more = next(images, None)
    if more is None:
        yield lambda: head
        return
    with TemporaryDirectory() as scratch:
        file = Path(scratch, "film.mkv")
        with video.recording(file) as record:
            for i, image in enumerate(chain(head, [more], images)):
                record(image, i / 25)  # any clock will do
        head.clear()
        yield lambda: (frame.rgb() for frame in video.read(file))


def _encode(path: Path, film: Callable[[], Iterable[Images]], like: Real) -> float:
    """Write a file of the size of `like`; the bitrate that gives it, in bit/s, sought from the one that `like` has."""
    rate = like.rate
    for _ in range(TRIALS):
        video.encode(path, film(), like.fps, bitrate=round(rate))
        ratio = path.stat().st_size / like.size
        if abs(ratio - 1) < TOLERANCE:
            break
        rate = float(np.clip(rate / ratio, like.rate / 8, like.rate * 8))
    return rate


def _frames(path: Path, p: ForgeParams, lost: list[str]) -> Iterator[Images]:
    """The frames that decode, all of the first one's size, cut to even sides; what is lost is said in `lost`."""
    sides: tuple[int, int] | None = None  # px, width and height
    try:
        for frame in islice(video.read(path), p.max_frames or None):
            image = frame.rgb()
            sides = sides or (image.shape[1], image.shape[0])
            if sides != (image.shape[1], image.shape[0]):
                image = np.asarray(cv2.resize(image, sides), np.uint8)
            yield np.ascontiguousarray(image[: sides[1] // 2 * 2, : sides[0] // 2 * 2])
    except video.Damaged as error:
        lost.append(str(error))


def _too_few(real_dir: Path, reals: list[Real]) -> UserError:
    unusable = [real for real in reals if real.status not in USABLE]
    people = {real.identity for real in reals} - {real.identity for real in unusable}
    reasons = "".join(f"\n{printable(str(real.path))}: {real.reason}" for real in unusable)
    return UserError(
        f"{real_dir}: a swap needs two people; of {len(reals)} videos {len(reals) - len(unusable)} can be used, with "
        f"{len(people)} people on them{reasons}",
        "add videos of other people, their faces frontal and 40 px or larger",
    )


def _fake_name(target: Real, source: Real) -> str:
    return f"{target.name}_{source.name}"


def _manifest(reals: list[Real], swaps: list[tuple[Real, Real, str]]) -> pd.DataFrame:
    rows = [(f"real/{real.name}.mp4", "real", real.identity, "", "") for real in reals]
    for target, source, method in swaps:
        shown = "+".join((target.identity, source.identity)[: plugins.load("forgeries", method).PEOPLE])
        rows.append((f"fake/{_fake_name(target, source)}.mp4", "fake", shown, method, f"real/{target.name}.mp4"))
    return pd.DataFrame(rows, columns=["path", "label", "identities", "method", "source"])


def _report(
    real_dir: Path, reals: list[Real], swaps: list[tuple[Real, Real, str]], outcomes: list[int | str]
) -> pd.DataFrame:
    rows = [
        (
            printable(real.path.relative_to(real_dir).as_posix()),
            real.status,
            real.reason,
            len(real.landmarks),
            real.faceless,
        )
        for real in reals
    ]
    for (target, source, _), outcome in zip(swaps, outcomes, strict=True):
        row = (
            ("decode_error", outcome, 0, 0) if isinstance(outcome, str) else ("ok", "", len(target.landmarks), outcome)
        )
        rows.append((f"fake/{_fake_name(target, source)}.mp4", *row))
    return pd.DataFrame(rows, columns=["path", "status", "reason", "frames", "faceless"])
