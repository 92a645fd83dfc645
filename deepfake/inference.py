"""inference: trained networks over the faces of a track, and the detector that they, their scoring and params make."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from deepfake import bundle, cards, clips, novelty
from deepfake.clips import padded, resized
from deepfake.models.network import Architecture, Network, to_clips
from deepfake.novelty import Gaussian
from deepfake.scope import Scope
from deepfake.scores import Scoring, TrackScore, verdict, wording
from deepfake.video import Images

if TYPE_CHECKING:
    from deepfake.drawings import Drawings

PIXELS = 2**20  # of the frames that go through a network at once, 83 of 112 px: what memory it takes is bounded
FAULTS = (
    SafetensorError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    AssertionError,
    OSError,
)  # of files of weights
Order = Callable[[list[int]], list[int]]  # of a sequence's frames: what is shown in place of them


class ClipNetwork(Protocol):
    """What gives clips (B, T, 3, H, W) float in [0, 1] and their mask (B, T) a logit each: a Network, or its export."""

    @property
    def device(self) -> torch.device:
        """Where it reads them."""

    def __call__(self, clips: Tensor, mask: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Member:
    """A network, and the section train of params.yaml that it was trained by."""

    network: ClipNetwork
    settings: dict[str, Any]
    known: Gaussian | None = None  # what the faces of its training look like; None: nobody noted it
    drawings: "Drawings | None" = None  # what tells drawings from them; None: nobody learnt it

    def logits(self, faces: Images, order: Order | None = None) -> list[float]:
        """A logit for each sequence of a track's faces, (T, S, S, 3) uint8 RGB, in memory or mapped from a file."""
        frames = int(self.settings["frames"])
        sequences = clips.sequences(len(faces), frames, self.settings["sampling"])
        if order is not None:
            sequences = [order(sequence) for sequence in sequences]
        return logits_of(self.network, faces, sequences, frames, int(self.settings["side"]))

    def distance(self, faces: Images) -> float | None:
        """How far a track's faces, (T, S, S, 3) uint8 RGB, are from the training data, where that is known."""
        if self.known is None:
            return None
        return float(self.known.distance(novelty.look(faces, int(self.settings["side"]))[None])[0])

    def drawn(self, faces: Images) -> float | None:
        """The odds that a track's faces, (T, S, S, 3) uint8 RGB, are drawn, where somebody learnt it."""
        return None if self.drawings is None else self.drawings.odds(faces)


@dataclass(frozen=True)
class Detector:
    """One network or several whose logits are averaged, from logits to P(fake), and how videos are prepared for it."""

    members: tuple[Member, ...]
    scoring: Scoring
    params: dict[str, dict[str, Any]]  # sections of params.yaml: extract, detect, filter
    validation: dict[str, Any]  # what the scoring was fitted on, and how well it did there
    scope: Scope | None = None  # on what it was measured, and how well it did there; None: nobody wrote it down

    @property
    def untrained(self) -> str:
        """Why it cannot be trusted to have learnt anything; "" where it did."""
        return str(self.validation["untrained"])

    def track(self, faces: Images, order: Order | None = None) -> TrackScore:
        """What is said of a track's faces, (T, S, S, 3) uint8 RGB; of an ensemble the mean of its members.

        How far they are from the training data is said of faces as they are filmed, without an `order`.
        The mean of each sequence, or of the track where the members' sequences differ in length.
        """
        all_of_them = [member.logits(faces, order) for member in self.members]
        if len({len(logits) for logits in all_of_them}) > 1:
            all_of_them = [[float(np.mean(logits))] for logits in all_of_them]
        asked = self.members if order is None else ()
        distance = _mean([member.distance(faces) for member in asked])
        drawn = _mean([member.drawn(faces) for member in asked])
        return TrackScore(tuple(np.mean(all_of_them, axis=0).tolist()), len(faces), distance, drawn)

    def novelty(self, tracks: Sequence[TrackScore]) -> float | None:
        """How far a video is from the training data: above 1, further than what was measured. None: nobody knows."""
        far = [self._beyond("novelty", [track.distance for track in tracks], tracks), self.drawn(tracks)]
        return max((share for share in far if share is not None), default=None)

    def drawn(self, tracks: Sequence[TrackScore]) -> float | None:
        """How likely the faces are drawn and were never filmed, as odds: above 1, more than was measured."""
        return self._beyond("drawn", [track.drawn for track in tracks], tracks)

    def _beyond(self, name: str, values: Sequence[float | None], tracks: Sequence[TrackScore]) -> float | None:
        """The mean of the tracks' values, to the bound that validation told; None where one of them is not known."""
        known, numbers = self.validation.get(name), [value for value in values if value is not None]
        if not known or len(numbers) < len(tracks):
            return None
        return float(np.average(numbers, weights=[track.faces for track in tracks]) / known["bound"])

    def score(self, tracks: Sequence[TrackScore]) -> float:
        """P(fake) of a video from its tracks, calibrated where real and fake are equally likely beforehand."""
        return self.scoring.score(tracks)

    def verdict(self, score: float) -> str:
        """ "fake" where that is the likelier, else "real"; "inconclusive" where the odds are near even."""
        return verdict(score, self.scoring.doubt)

    def wording(self, verdict: str) -> str:
        """A verdict in words that are no surer than the detector."""
        return wording(verdict, float(self.validation["auc"]))


def device() -> torch.device:
    """DEVICE of the environment, or a GPU where there is one: it changes the speed, and the last digits."""
    return torch.device(os.environ.get("DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


def logits_of(
    network: ClipNetwork, faces: Images, sequences: Sequence[list[int]], frames: int, side: int
) -> list[float]:
    """The logits of sequences of a track's frames: the one path of validation, evaluate and predict.

    In full precision, and in batches of at most PIXELS, or of one sequence where that has more.
    """
    there = network.device
    logits: list[float] = []
    for batch in batches(sequences, max(1, PIXELS // (frames * side**2))):
        images, mask = padded([resized(np.asarray(faces[sequence]), side) for sequence in batch], frames)
        with torch.inference_mode(), torch.autocast(there.type, enabled=False):
            out = network(to_clips(torch.from_numpy(images).to(there)), torch.from_numpy(mask).to(there))
        logits += out.tolist()
    return logits


def batches(sequences: Sequence[list[int]], size: int) -> Iterator[Sequence[list[int]]]:
    """The sequences, at most `size` at a time."""
    return (sequences[start : start + size] for start in range(0, len(sequences), size))


def load(folder: Path, or_builtin: bool = False) -> Detector:
    """The detector of a folder, or of the name "builtin" what is shipped, on the device to use.

    `or_builtin`: what is shipped stands in where there is no such folder, which is said. Raises UserError where there
    is no detector, or a broken one.
    """
    folder = bundle.home(folder, or_builtin)
    card = bundle.read(folder)
    members = []
    for number, member in enumerate(bundle.read_networks(folder).members):
        try:
            network = Network(architecture(member.settings))
            network.load_state_dict(load_file(folder / member.weights))
        except ValidationError as error:
            fault = cards.said(error, f"members.{number}.settings")
            raise cards.broken(folder, f"{bundle.NETWORKS}: {fault}") from None
        except FAULTS as error:
            reason = shorten(str(error), 200)  # one line: torch lists every weight that does not fit
            raise cards.broken(folder, f"{member.weights}: {reason}") from None
        seen = known_of(folder, member), drawings_of(folder, member)
        members.append(Member(network.to(device()).eval(), member.settings, *seen))
    params = card.params
    if weights := params["detect"]["weights"]:  # it lies in the bundle, wherever that is
        params = params | {"detect": params["detect"] | {"weights": str(folder / weights)}}
    return Detector(tuple(members), card.scoring, params, card.validation, card.scope)


def known_of(folder: Path, member: cards.MemberCard) -> Gaussian | None:
    """What the faces of a member's training look like; None of a detector that does not say. Raises UserError."""
    if not member.known:
        return None
    try:
        return Gaussian.load(folder / member.known)
    except FAULTS as error:
        raise cards.broken(folder, f"{member.known}: {shorten(str(error), 200)}") from None


def drawings_of(folder: Path, member: cards.MemberCard) -> "Drawings | None":
    """What tells drawings from the faces of a member's training; None where nobody learnt it. Raises UserError."""
    if not member.drawings:
        return None
    from deepfake.drawings import Drawings  # half a second to import

    try:
        return Drawings.load(folder / member.drawings).to(device())
    except FAULTS as error:
        raise cards.broken(folder, f"{member.drawings}: {shorten(str(error), 200)}") from None


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one of them is, or there are none."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None


def architecture(settings: Mapping[str, Any]) -> Architecture:
    """The network's part of the section train; its weights come from elsewhere."""
    own = {name: settings[name] for name in Architecture.model_fields if name in settings}
    return Architecture.model_validate(own | {"pretrained": False})
