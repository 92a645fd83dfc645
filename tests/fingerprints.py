"""fingerprints: hashes of what every function of pixels gives, or of what the data stages write, as JSON.

A command, `python tests/fingerprints.py PART ...`, for NumPy, OpenCV and BLAS choose their kernels when they are
loaded.
ASM=off in the environment takes the assembler from the encoder and from FFmpeg's scaler and decoders.
"""

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import yaml

from deepfake import augment, clips, detect, faces, swap, video
from deepfake.base import plugins
from deepfake.demo import DemoParams, render
from deepfake.footage import Footage
from deepfake.pages import plots
from deepfake.pseudo import blend
from deepfake.video import Images

ROOT = Path(__file__).parents[1]
STAGES = ("demo", "extract", "detect", "filter", "split", "augment")
SMALL = {"demo": {"identities": 6, "frames": 4, "size": 192}, "extract": {"frames_per_video": 4}}
SMALL |= {"filter": {"min_sharpness": 0}, "augment": {"copies": 1, "probability": 0.7}}
SMALL["split"] = {"train": 0.34, "val": 0.33, "test": 0.33}  # of three pairs of people

Named = Iterator[tuple[str, Any]]


def picture(side: int = 200) -> Images:
    """Soft spots and noise: (side, side, 3) uint8, made of whole numbers alone."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 250, (side // 8 + 1, side // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)
    for shift in (4, 2, 1):
        image = (image + np.roll(image, shift, 0) + np.roll(image, shift, 1) + np.roll(image, shift, (0, 1))) // 4
    return (image[:side, :side] + rng.integers(0, 6, (side, side, 3))).astype(np.uint8)


def drawn() -> Named:
    p = DemoParams(identities=8, frames=2, size=256, resolution=0, seed=0)
    for identity in range(4):
        yield from ((f"{identity}.{i}", image) for i, image in enumerate(render(identity, p)))


def warped() -> Named:
    rng, image = np.random.default_rng(1), picture()
    turn = np.array([[0.98, 0.17], [-0.17, 0.98]])
    for side in (30, 70, 100, 250):  # px, of a face whose crop has 112
        box = np.array([40.0, 36.0, 40 + side, 36 + side])
        face = faces.Face(box, 1.0, faces.DLIB_5 @ turn * side + box[:2] + 0.37)
        yield f"crop of {side}", faces.crop(image, face, faces.DLIB_5, 112, 0.15)[0]
        yield f"sharpness of {side}", round(faces.sharpness(image, face), 4)
    for resolution in (0, 60):
        x, y = np.meshgrid(np.linspace(50, 140, 17), np.linspace(60, 150, 4))
        shapes = np.stack([x.ravel(), y.ravel()], 1) + rng.uniform(-3, 3, (2, 68, 2))
        yield f"swap at {resolution}", swap.swap(image, shapes[0], image[::-1], shapes[1], resolution)


def forged() -> Named:
    """All methods of forging, and the landmarks that they go by."""
    p = DemoParams(identities=2, frames=5, size=192, resolution=0, seed=0)
    people = []
    for identity in range(2):
        images, find = list(render(identity, p)), swap.Finder()
        people.append(Footage(partial(iter, images), np.stack([find(image) for image in images])))
    yield "landmarks", np.stack([person.shapes for person in people])
    for name in plugins.names("forgeries"):
        yield name, np.stack(list(plugins.load("forgeries", name).forged(*people, 80)))


def resized() -> Named:
    images = np.stack([picture(), picture()[::-1]])
    for side in (64, 112, 150, 299):
        yield f"clip at {side}", clips.resized(images, side)
    for scale in (0.3, 0.7, 2.0):
        yield f"search at {scale}", searched(scale)
        yield f"landmarks at {scale}", swap._scaled(images[0], scale)


def searched(scale: float) -> Images:
    """What a detector is shown."""
    shown = []

    class Keeps:
        window, template = 40, faces.DLIB_5

        def detect(self, image: Images) -> list[faces.Face]:
            shown.append(image)
            return []

    detect.Search(Keeps(), detect.DetectParams(**params()["detect"])).scaled(picture(), scale)
    return shown[0]


def blended() -> Named:
    images = np.stack([picture(112), picture(112)[::-1]])
    kinds = blend.Forging(itself=1, mouth=1, pasted=1, smooth=1)
    for seed in range(24):
        yield f"{seed}", np.stack(blend.pair(blend.Sample(images), np.random.default_rng(seed), kinds))


def altered() -> Named:
    images, whole = np.stack([picture(112), picture(112)[::-1]]), params()["augment"] | {"probability": 1.0}
    whole = {name: whole[name] for name in augment.Alteration.model_fields}
    nothing = dict.fromkeys(whole, 0.0) | {"probability": 1.0, "quality": 100, "seed": 0}
    for name in ("", "rotation", "shift", "scale", "brightness", "contrast", "blur", "noise", "quality"):
        p = augment.Alteration(**(nothing | {name: whole[name]} if name else whole))
        yield from ((f"{name or 'all'}.{seed}", augment.altered(images, p, seed)) for seed in range(4))


def written() -> Named:
    images = [np.roll(picture(), (i, 2 * i), (0, 1)) for i in range(5)]
    with TemporaryDirectory() as folder, chdir(folder):
        crf = Path("crf.mp4")
        video.encode(crf, images, 25.0, crf=18)
        video.encode(Path("rate.mp4"), images, 25.0, bitrate=900_000)
        video.save(Path("kept.mkv"), islice(video.read(crf), 3))
        video.save(Path("small.mkv"), video.read(crf), max_side=120)
        with video.recording(Path("rgb.mkv")) as record:
            for i, image in enumerate(images):
                record(image, i / 25)
        plots.save(Path("sheet.jpg"), plots.sheet([[plots.tile(picture(), 0), plots.tile(picture(80), 1)]]))
        yield from files()
        yield "decoded", video.images(crf)


def stages() -> Named:
    """All that the data stages write of a small demo."""
    with TemporaryDirectory() as folder, chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params(SMALL)))
        os.environ |= {"ITEM_CACHE": str(Path(folder, "items")), "JOBS": "1"}  # ASM=off is for this process
        for name in STAGES:
            import_module(f"stages.{name}").run()
        yield from ((name, content) for name, content in files() if name.split("/")[0] in ("data", "reports"))


def params(changed: dict[str, dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    return {name: values | (changed or {}).get(name, {}) for name, values in sections.items()}


def files() -> Named:
    """All below the working directory."""
    for file in sorted(path for path in Path().rglob("*") if path.is_file()):
        yield file.as_posix(), np.fromfile(file, np.uint8)


def plain() -> None:
    """Take the assembler from x264 and from FFmpeg."""
    writer = video._writer

    def without(path: Path, codec: str, form: str, options: dict[str, str], **others: Any) -> Any:
        if "264" in codec:
            options = options | {"x264-params": ":".join([*options.get("x264-params", "").split(), "asm=0"])}
        return writer(path, codec, form, options, **others)

    video._writer = without
    [library] = Path(av.__file__).parents[1].glob("av.libs/libavutil*")
    ctypes.CDLL(str(library)).av_force_cpu_flags(0)


PARTS: list[Callable[[], Named]] = [drawn, warped, forged, resized, blended, altered, written, stages]

if __name__ == "__main__":
    if os.environ.get("ASM") == "off":
        plain()
    with redirect_stdout(sys.stderr):
        chosen = [part for part in PARTS if part.__name__ in sys.argv[1:]]
        values = [
            (f"{part.__name__}: {name}", np.ascontiguousarray(value)) for part in chosen for name, value in part()
        ]
    print(json.dumps({name: hashlib.sha256(value).hexdigest() for name, value in values}))
