"""facts: all that a case says, as JSON and pictures: the same for the same video, detector and program, at any time."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from deepfake import bundle, inference, predict
from deepfake import video as films
from deepfake.app.case.credentials import credentials
from deepfake.app.log.answers import content_of, version
from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.cards import Card
from deepfake.dataset.files import printable
from deepfake.measures import evidence
from deepfake.player import container
from deepfake.prediction import WINDOW, Prediction
from deepfake.video import Images

FORM = 2  # of what is written
LIBRARIES = ("av", "dlib-bin", "numpy", "opencv-python-headless", "scipy", "timm", "torch", "torchvision")
FACES = 5  # pictures of a video, at most
QUALITY = 90  # of their JPEG
AROUND = 0.35  # of a face, on each side of its picture


@dataclass(frozen=True)
class Gathered:
    """What a case says, and the faces that it shows, JPEG, by their names in it."""

    facts: dict[str, Any]
    pictures: dict[str, bytes]


def gathered(
    path: Path, folder: Path, window: float = WINDOW, test: Path | None = None, prediction: Prediction | None = None
) -> Gathered:
    """All about a video by the detector of a folder; `test`: the metrics.json of its test. Raises UserError.

    `prediction`: what that detector says of it, where that is known.
    """
    home = bundle.home(folder)
    card = bundle.read(home)
    digest = content_of(path)
    if digest is None:
        raise UserError(f"no file {printable(str(path))}", "mind the spelling, and the folder you are in")
    try:
        file_facts = container.facts(path)
    except films.Unreadable as error:
        raise UserError(
            f"{printable(str(path))}: {error.status}: {error}", "a case is about what can be decoded"
        ) from None
    prediction = prediction or predict.predict(path, predict.load(folder), window)
    pictures = shown(path, prediction)
    facts = {
        "form": FORM,
        "exhibit": {"name": printable(path.name), "bytes": path.stat().st_size, "sha256": digest},
        "container": file_facts,
        "credentials": credentials(path, bool(file_facts["credentials"])),
        "opinion": opinion(prediction),
        "detector": about(home, card),
        "program": {
            "deepfake": version("torch", window),
            "device": str(inference.device()),
            "libraries": {name: metadata.version(name) for name in LIBRARIES},
        },
        "window": window,
        "test": tested(test),
        "pictures": {name: hashlib.sha256(picture).hexdigest() for name, picture in pictures.items()},
    }
    return Gathered(json.loads(json.dumps(facts)), pictures)  # as it will be read again


def opinion(prediction: Prediction) -> dict[str, Any]:
    """The detector's opinion: without a likelihood ratio where it gives no verdict."""
    facts = asdict(prediction)
    del facts["path"]
    speaks = prediction.score is not None and prediction.verdict in ("fake", "real")
    ratio = float(evidence.log10_ratio(prediction.score)) if speaks else None  # type: ignore[arg-type]
    return facts | {
        "log10_ratio": None if ratio is None else round(ratio, 4),
        "verbal": evidence.verbal(float(prediction.score or 0)) if speaks else "no opinion",
    }


def about(home: Path, card: Card) -> dict[str, Any]:
    """What the detector is, and what it was measured on."""
    settings = [member.settings for member in bundle.read_networks(home).members]
    return {
        "card_sha256": content_of(home / bundle.CARD),
        "files": card.files,
        "params_sha256": hashlib.sha256(json.dumps(card.params, sort_keys=True).encode()).hexdigest(),
        "params": card.params,
        "networks": [
            " ".join(filter(None, (setting["encoder"], setting["backbone"], setting["head"]))) for setting in settings
        ],
        "origin": card.origin.model_dump(mode="json"),
        "scoring": card.scoring.model_dump(),
        "validation": card.validation,
        "scope": card.scope and card.scope.model_dump(mode="json"),
    }


def tested(file: Path | None) -> dict[str, Any] | None:
    """The figures of a test that a case quotes. Raises UserError for another file."""
    if file is None:
        return None
    try:
        text = file.read_bytes()
        m = json.loads(text)
        names = ("auc", "eer", "false_positive_rate", "false_negative_rate")
        figures = {name: [m["video"][f"{name}{part}"] for part in ("", "_low", "_high")] for name in names}
        return {
            "sha256": hashlib.sha256(text).hexdigest(),
            "figures": figures,
            **{name: m["video"][name] for name in ("reals", "fakes", "groups")},
            "methods": sorted(m.get("by_method", {})),
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{file}: no metrics of a test", "reports/metrics.json, as evaluate writes it") from None


def shown(path: Path, prediction: Prediction) -> dict[str, bytes]:
    """A picture of each face where it speaks loudest, of a long video of the loudest windows': name -> JPEG."""
    tracks = [("", track) for track in prediction.tracks]
    tracks += [
        (f"{window.start:.1f} s, ", track)
        for window in sorted(prediction.timeline, key=lambda window: -(window.score or 0.0))
        for track in window.tracks
    ]
    boxes = {
        f"{where}face {track.track}: {track.box.time:.2f} s, P(fake) {track.score:.3f}": track.box
        for where, track in tracks
        if track.box
    }
    chosen = dict(list(boxes.items())[:FACES])
    return {name: jpeg(cut(image, box)) for name, box in chosen.items() if (image := at(path, box.time)) is not None}


def at(path: Path, time: float) -> Images | None:
    """The frame that is shown at a time in s after the first; None where it does not decode again."""
    reading = films.Reading(path)
    last: films.Frame | None = None
    try:
        for frame in reading:
            if frame.time - reading.times[0] > time + 1e-3:
                break
            last = frame
    except films.Damaged:
        pass
    return None if last is None else last.rgb()


def cut(image: Images, box: Any) -> Images:
    """The face with what is around it, a square of at most 360 px."""
    side = max(box.width, box.height) * (1 + 2 * AROUND)
    x, y = box.left + box.width / 2, box.top + box.height / 2
    low = [max(0, round(middle - side / 2)) for middle in (y, x)]
    high = [min(most, round(middle + side / 2)) for middle, most in zip((y, x), image.shape[:2], strict=True)]
    part = image[low[0] : high[0], low[1] : high[1]]
    scale = 360 / max(part.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(part, None, fx=scale, fy=scale, interpolation=how)  # type: ignore[return-value]


def jpeg(image: Images) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return encoded.tobytes()
