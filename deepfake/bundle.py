"""bundle: a trained detector on disk: weights, threshold and the params of every step before. No pickle."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.clips import interleaved, padded
from deepfake.models.network import Network, to_clips
from deepfake.video import Images

WEIGHTS, CARD = "model.safetensors", "bundle.json"
FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """A network, the threshold on P(fake) that validation chose, and how videos were prepared for it."""

    network: Network
    threshold: float
    params: dict[str, dict[str, Any]]  # the sections extract, detect, filter and train of params.yaml
    validation: dict[str, Any]  # what the threshold was fitted on, and how well it did there

    @property
    def side(self) -> int:
        """px of the faces that the network wants."""
        return int(self.params["train"]["side"])

    def logits(self, faces: Images, rng: np.random.Generator | None = None) -> list[float]:
        """A logit for each sequence of a track's faces, (T, side, side, 3) uint8 RGB; frames shuffled by `rng`."""
        frames = int(self.params["train"]["frames"])
        sequences = interleaved(len(faces), frames)
        if rng is not None:
            sequences = [list(rng.permutation(sequence)) for sequence in sequences]
        return forward(self.network, [faces[sequence] for sequence in sequences], frames)

    def score(self, tracks: Sequence[Sequence[float]]) -> float:
        """P(fake) of a video from its tracks' logits."""
        return video_score(tracks, self.params["train"]["tracks"])

    def verdict(self, score: float) -> str:
        """ "fake" from the frozen threshold on, else "real"."""
        return "fake" if score >= self.threshold else "real"

    def save(self, folder: Path) -> None:
        """Write the bundle's folder."""
        card = {
            "format": FORMAT,
            "threshold": self.threshold,
            "params": self.params,
            "validation": self.validation,
        }
        with aside(folder) as new:
            new.mkdir()
            save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, new / WEIGHTS)
            (new / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path) -> Bundle:
    """The bundle of a folder. Raises UserError where there is none, or a broken one."""
    for file in (folder / CARD, folder / WEIGHTS):
        if not file.is_file():
            raise UserError(f"no trained detector: {file} is missing", "train one: dvc repro")
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if card["format"] != FORMAT:
            raise UserError(f"{folder / CARD}: format {card['format']}, this version reads {FORMAT}", "train it anew")
        network = Network(card["params"]["train"]["encoder"], card["params"]["train"]["head"])
        network.load_state_dict(load_file(folder / WEIGHTS))
        return Bundle(network.eval(), card["threshold"], card["params"], card["validation"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = shorten(str(error), 200)  # one line: torch lists every weight that does not fit
        raise UserError(f"{folder}: a broken bundle: {reason}", "train it anew: dvc repro --force train") from None


def forward(network: Network, sequences: Sequence[Images], frames: int) -> list[float]:
    """The logits of sequences of (T_i, S, S, 3) uint8 faces: the one path of validation, evaluate and predict."""
    batch, mask = padded(sequences, frames)
    device = network.mean.device
    with torch.inference_mode():
        logits = network(to_clips(torch.from_numpy(batch).to(device)), torch.from_numpy(mask).to(device))
    return [float(logit) for logit in logits]


def video_score(tracks: Sequence[Sequence[float]], how: str) -> float:
    """P(fake) of a video: each track's mean logit as a probability, then the "max" or the "mean" over the tracks."""
    scores = [track_score(logits) for logits in tracks]
    return max(scores) if how == "max" else float(np.mean(scores))


def track_score(logits: Sequence[float]) -> float:
    """P(fake) of a track from the logits of its sequences."""
    return float(1 / (1 + np.exp(-np.mean(logits))))
