"""bundle: a trained detector on disk: weights, threshold and the params of every step before. No pickle."""

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.base.tables import DIGITS
from deepfake.clips import interleaved, padded, resized
from deepfake.models.network import Architecture, Network, to_clips
from deepfake.scores import bce, threshold_of, video_score
from deepfake.video import Images

WEIGHTS, CARD = "model.safetensors", "bundle.json"
FORMAT = 2


class Judge:
    """Whatever has a threshold on P(fake)."""

    threshold: float

    def verdict(self, score: float) -> str:
        """ "fake" from the frozen threshold on, else "real"."""
        return "fake" if score >= self.threshold else "real"


@dataclass(frozen=True)
class Bundle(Judge):
    """A network, the threshold on P(fake) that validation chose, and how videos were prepared for it."""

    network: Network
    threshold: float
    params: dict[str, dict[str, Any]]  # sections of params.yaml: extract, detect, filter, augment, train
    validation: dict[str, Any]  # what the threshold was fitted on, and how well it did there

    def logits(self, faces: Images, rng: np.random.Generator | None = None) -> list[float]:
        """A logit for each sequence of a track's faces, (T, S, S, 3) uint8 RGB; frames shuffled by `rng`."""
        frames, side = int(self.params["train"]["frames"]), int(self.params["train"]["side"])
        faces, sequences = resized(faces, side), interleaved(len(faces), frames)
        if rng is not None:
            sequences = [list(rng.permutation(sequence)) for sequence in sequences]
        return forward(self.network, [faces[sequence] for sequence in sequences], frames)

    def score(self, tracks: Sequence[Sequence[float]]) -> float:
        """P(fake) of a video from its tracks' logits."""
        return video_score(tracks, self.params["train"]["tracks"])

    def save(self, folder: Path) -> None:
        """Write the bundle's folder."""
        with aside(folder) as new:
            new.mkdir()
            save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, new / WEIGHTS)
            _write(new, {"threshold": self.threshold, "params": self.params, "validation": self.validation})


@dataclass(frozen=True)
class Ensemble(Judge):
    """Detectors of the same videos whose logits are averaged; it stands wherever one of them does."""

    members: tuple[Bundle, ...]
    threshold: float
    validation: dict[str, Any]

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """How videos are prepared: alike for all members."""
        return self.members[0].params

    def logits(self, faces: Images, rng: np.random.Generator | None = None) -> list[float]:
        """The mean logit of each sequence, or of the track where the members' sequences differ in length."""
        all_of_them = [member.logits(faces, deepcopy(rng)) for member in self.members]  # each shuffles alike
        if len({len(logits) for logits in all_of_them}) > 1:
            all_of_them = [[float(np.mean(logits))] for logits in all_of_them]
        return [float(logit) for logit in np.mean(all_of_them, axis=0)]

    def score(self, tracks: Sequence[Sequence[float]]) -> float:
        """P(fake) of a video from its tracks' logits."""
        return self.members[0].score(tracks)

    def save(self, folder: Path) -> None:
        """Write the members' folders, 0, 1 ..., into one."""
        with aside(folder) as new:
            new.mkdir()
            for number, member in enumerate(self.members):
                member.save(new / str(number))
            _write(new, {"threshold": self.threshold, "members": len(self.members), "validation": self.validation})


Detector = Bundle | Ensemble


def members(detector: Detector) -> tuple[Bundle, ...]:
    """The detectors that a detector is made of."""
    return detector.members if isinstance(detector, Ensemble) else (detector,)


def ensemble(members: Sequence[Bundle]) -> Ensemble:
    """The members as one, its threshold fitted on the videos that they were validated on.

    Raises UserError where they prepare videos differently, or were validated on different ones.
    """
    first = members[0]
    for number, member in enumerate(members):
        for section in ("extract", "detect", "filter"):
            if member.params[section] != first.params[section]:
                raise UserError(f"member {number} has other settings of {section} than member 0", "train them alike")
        if member.params["train"]["tracks"] != first.params["train"]["tracks"]:
            raise UserError(f"member {number} has another setting of train.tracks than member 0", "train them alike")
        if labels_of(member.validation) != labels_of(first.validation):
            raise UserError(f"member {number} was validated on other videos than member 0", "use the same splits")
    logits = {
        video: np.mean([[np.mean(t) for t in m.validation["logits"][video]] for m in members], axis=0)[:, None].tolist()
        for video in first.validation["logits"]
    }
    threshold, found = validated(labels_of(first.validation), logits, first.params["train"]["tracks"])
    return Ensemble(tuple(members), threshold, found)


def validated(
    labels: Mapping[str, int], logits: Mapping[str, Sequence[Sequence[float]]], tracks: str
) -> tuple[float, dict[str, Any]]:
    """The threshold, and what is kept of validation: each video's label, and the logits of its tracks' sequences."""
    truth = np.array([labels[video] for video in logits], float)
    scores = np.array([video_score(some, tracks) for some in logits.values()])
    rounded = {video: [[round(logit, DIGITS) for logit in track] for track in some] for video, some in logits.items()}
    found = {"videos": len(truth), "loss": bce(truth, scores), "auc": float(roc_auc_score(truth, scores))}
    kept = {"labels": {video: int(labels[video]) for video in logits}, "logits": rounded}
    return round(threshold_of(truth, scores), DIGITS), {name: round(v, DIGITS) for name, v in found.items()} | kept


def labels_of(validation: Mapping[str, Any]) -> dict[str, int]:
    """The labels of the videos of validation."""
    return dict(validation["labels"])


def load(folder: Path) -> Detector:
    """The detector of a folder, on the device to use. Raises UserError where there is none, or a broken one."""
    try:
        card: dict[str, Any] = _card(folder)
        if "members" in card:
            parts = [load(folder / str(number)) for number in range(card["members"])]
            return Ensemble(tuple(b for part in parts for b in members(part)), card["threshold"], card["validation"])
        if not (folder / WEIGHTS).is_file():
            raise UserError(f"no trained detector: {folder / WEIGHTS} is missing", "train one: dvc repro")
        network = Network(architecture(card["params"]["train"]))
        network.load_state_dict(load_file(folder / WEIGHTS))
        return Bundle(network.to(device()).eval(), card["threshold"], card["params"], card["validation"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = shorten(str(error), 200)  # one line: torch lists every weight that does not fit
        raise UserError(f"{folder}: a broken bundle: {reason}", "train it anew: dvc repro --force train") from None


def architecture(settings: Mapping[str, Any]) -> Architecture:
    """The network's part of the section train; its weights come from elsewhere."""
    own = {name: settings[name] for name in Architecture.model_fields}
    return Architecture.model_validate(own | {"pretrained": False})


def device() -> torch.device:
    """DEVICE of the environment, or a GPU where there is one: it changes the speed, and the last digits."""
    return torch.device(os.environ.get("DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


def forward(network: Network, sequences: Sequence[Images], frames: int) -> list[float]:
    """The logits of sequences of (T_i, S, S, 3) uint8 faces: the one path of validation, evaluate and predict."""
    batch, mask = padded(sequences, frames)
    there = network.mean.device
    with torch.inference_mode():
        logits = network(to_clips(torch.from_numpy(batch).to(there)), torch.from_numpy(mask).to(there))
    return [float(logit) for logit in logits]


def _card(folder: Path) -> dict[str, Any]:
    if not (folder / CARD).is_file():
        raise UserError(f"no trained detector: {folder / CARD} is missing", "train one: dvc repro")
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    if card["format"] != FORMAT:
        raise UserError(f"{folder / CARD}: format {card['format']}, this version reads {FORMAT}", "train it anew")
    return card


def _write(folder: Path, card: dict[str, Any]) -> None:
    text = json.dumps({"format": FORMAT} | card, indent=2, sort_keys=True)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
