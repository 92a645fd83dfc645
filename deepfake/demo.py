"""demo: drawn talking heads, so that the pipeline runs on a fresh clone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from deepfake import video
from deepfake.base import parallel
from deepfake.base.params import Params
from deepfake.drawing.heads import Head
from deepfake.drawing.poses import picture, talk
from deepfake.video import Images

FPS = 25.0
CRF = 18  # at 23 small frames lose the texture of the skin, and the traces of a swap with it


class DemoParams(Params):
    """How many people, and what their videos are like."""

    # of the fakes: files of deepfake/forgeries, dealt in turn
    methods: tuple[str, ...] = Field(default=("faceswap",), min_length=1)
    identities: int = Field(ge=2, multiple_of=2)  # swapped two by two: as many fakes as reals
    frames: int = Field(gt=0)  # of a video
    size: int = Field(ge=160, multiple_of=2)  # px, a side of the frame; a face takes 0.47 of it
    resolution: int = Field(ge=0)  # px of the faces that are swapped in, as a small generator draws them; 0 = sharp
    seed: int = Field(ge=0)


def draw(folder: Path, p: DemoParams) -> None:
    """Write the real videos, one a person, lossless."""
    parallel.run(_record, [(identity, folder, p) for identity in range(p.identities)], "draw")


def render(identity: int, p: DemoParams) -> Iterator[Images]:
    """The video of one person: (size, size, 3) uint8 RGB frames at FPS."""
    rng = np.random.default_rng([p.seed, identity])
    head = Head(rng, p.size)
    for pose in talk(rng, p.frames, FPS):
        yield picture(head, pose, rng)


def _record(job: tuple[int, Path, DemoParams]) -> None:
    identity, folder, p = job
    with video.recording(folder / f"id{identity:02d}.mkv") as record:
        for i, image in enumerate(render(identity, p)):
            record(image, i / FPS)
