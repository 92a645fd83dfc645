"""bundle: trained networks and detectors on disk: weights as safetensors, the rest as JSON and CSV. No code, no pickle.

What train leaves is a folder of networks; calibrate adds the card that makes a detector of it: how videos are prepared,
how logits become P(fake), and the model file of the face detector, if it has one; describe adds what it was measured
on. It needs nothing outside itself. What the cards hold: cards.py.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from deepfake import cards
from deepfake.base import tables
from deepfake.base.disk import aside, link
from deepfake.base.errors import UserError
from deepfake.cards import Card, MemberCard, NetworksCard, Origin, broken
from deepfake.dataset import videos
from deepfake.dataset.files import printable
from deepfake.novelty import Gaussian
from deepfake.scope import Scope
from deepfake.scores import Scoring

if TYPE_CHECKING:  # seconds to import: not for whoever joins what is there
    from torch import Tensor

    from deepfake.drawings import Drawings

BUILTIN = Path(__file__).parent / "builtin"  # the detector that is shipped, made by data/builtin/dvc.yaml
NETWORKS, CARD, VALIDATION = "networks.json", "bundle.json", "validation.csv"
SECTIONS = ("extract", "detect", "filter")  # of params.yaml: how videos are prepared
SUFFIXES = {"known": ".known.safetensors", "drawings": ".drawings.safetensors"}  # of files that a member may have, too


@dataclass(frozen=True)
class Trained:
    """A network as train leaves it: its weights, what it was trained by, and which epoch it is of."""

    state: "Mapping[str, Tensor]"
    settings: dict[str, Any]
    epoch: int
    known: Gaussian | None = None  # what the faces of its training look like
    drawings: "Drawings | None" = None  # what tells drawings from them


def save_networks(
    folder: Path, trained: Sequence[Trained], validation: pd.DataFrame, origin: Origin | None = None
) -> None:
    """Write the networks' folder; `validation` has a row for each sequence of validation and member: see calibrate."""
    from safetensors.torch import save_file

    with aside(folder) as new:
        new.mkdir()
        members = []
        for number, member in enumerate(trained):
            card = MemberCard(weights=f"member_{number}.safetensors", settings=member.settings, epoch=member.epoch)
            save_file({name: value.contiguous() for name, value in member.state.items()}, new / card.weights)
            for field, suffix in SUFFIXES.items():
                if (part := getattr(member, field)) is not None:
                    card = card.model_copy(update={field: f"member_{number}{suffix}"})
                    part.save(new / getattr(card, field))
            members.append(card)
        tables.write(new / VALIDATION, validation)
        cards.write(new / NETWORKS, NetworksCard(format=cards.FORMAT, members=members, origin=origin or Origin()))


def save(
    folder: Path,
    networks: Path,
    params: dict[str, dict[str, Any]],
    scoring: Scoring,
    validation: dict[str, Any],
    scope: Scope | None = None,
) -> None:
    """Write the detector's folder: what `networks` holds, the face detector's model file, and the card.

    `scope`: of a detector that was measured, and is written in another form.
    """
    with aside(folder) as new:
        new.mkdir()
        for file in sorted(networks.iterdir()):
            link(file, new / file.name)
        if weights := params["detect"]["weights"]:
            link(Path(weights), new / Path(weights).name)
            params = params | {"detect": params["detect"] | {"weights": Path(weights).name}}
        files = {file.name: _digest(file) for file in sorted(new.iterdir())}
        figures = tables.rounded(validation)
        origin = read_networks(networks).origin
        card = Card(format=cards.FORMAT, params=params, scoring=scoring, validation=figures, files=files, origin=origin)
        cards.write(new / CARD, card.model_copy(update={"scope": scope}))


def describe(folder: Path, detector: Path, scope: Scope) -> None:
    """Write a detector whose card says what it was measured on; all other files are the same. Raises UserError."""
    detector = home(detector)
    vacant(folder, detector)
    card = read(detector)
    with aside(folder) as new:
        new.mkdir()
        for name in sorted(card.files):
            link(detector / name, new / name)
        cards.write(new / CARD, card.model_copy(update={"format": cards.FORMAT, "scope": scope}))


def read_networks(folder: Path) -> NetworksCard:
    """What is said of the networks of a folder. Raises UserError."""
    return cards.read(folder / NETWORKS, NetworksCard)


def home(folder: Path, or_builtin: bool = False) -> Path:
    """Where the files of a detector are: in its folder, or by the name "builtin" those of what is shipped.

    `or_builtin`: what is shipped stands in where there is no such folder, which is said.
    """
    if or_builtin and not folder.exists():
        print(f"no {folder}: the detector that is shipped is used; see docs/builtin.md", file=sys.stderr)
        return BUILTIN
    return BUILTIN if folder == Path(BUILTIN.name) else folder


def vacant(out: Path, *detectors: Path) -> None:
    """Raises UserError where a detector may not be written: where other things are, or those that it is made of."""
    if any(out.resolve() == detector.resolve() for detector in detectors):
        raise UserError(f"{out}: is the detector itself", "name a new folder")
    if os.path.lexists(out) and not (out / CARD).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out}: is there already, and no detector", "name a new folder")


def read(folder: Path) -> Card:
    """The card of a detector, which says all that one needs, and all files of which are there and whole.

    Raises UserError.
    """
    card = cards.read(folder / CARD, Card)
    for name, digest in card.files.items():
        if Path(name).name != name:
            raise broken(folder, f"{CARD}: files: {printable(name)} is not in its folder")
        if not os.path.isfile(folder / name):  # noqa: PTH113 (a Path raises for a name that is too long)
            raise UserError(f"no trained detector: {folder / printable(name)} is missing", cards.TRAIN_ANEW)
        try:
            same = _digest(folder / name) == digest
        except OSError as error:
            raise broken(folder, f"{printable(name)}: {error.strerror}") from None
        if not same:
            raise broken(folder, f"{printable(name)} is not what the card says")
    cards.check(folder, CARD, cards.Validated, card.validation, "validation")
    if missing := [name for name in SECTIONS if name not in card.params]:
        raise broken(folder, f"{CARD}: params.{missing[0]}: Field required")
    networks = read_networks(folder)
    for number, member in enumerate(networks.members):
        cards.check(folder, NETWORKS, cards.Settings, member.settings, f"members.{number}.settings")
    for where, name in _named(card, networks).items():
        if not isinstance(name, str) or name not in card.files:
            raise broken(folder, f"{where}: names no file of it")
    return card


def _named(card: Card, networks: NetworksCard) -> dict[str, Any]:
    """The files that a detector names, by where it does."""
    names = {f"{CARD}: params.detect.weights": card.params["detect"].get("weights", 0)}
    for number, member in enumerate(networks.members):
        names[f"{NETWORKS}: members.{number}.weights"] = member.weights
        names |= {f"{NETWORKS}: members.{number}.{field}": getattr(member, field) or None for field in SUFFIXES}
    return {where: name for where, name in names.items() if name is not None}


def plugins(folder: Path) -> list[str]:
    """The modules that a detector's params choose: beside its files they shape what it says."""
    chosen = {f"deepfake.detectors.{read(folder).params['detect']['detector']}"}
    for member in read_networks(folder).members:
        chosen |= {f"deepfake.models.{kind}s.{member.settings[kind]}" for kind in ("encoder", "head")}
    return sorted(chosen)


def read_validation(folder: Path) -> pd.DataFrame:
    """The logits of validation: video_id, label, group, track, sequence, logit, faces, member; distance from 4 on.

    And drawn, the odds that it is, where somebody learnt it.
    """
    return videos.read(folder / VALIDATION)


def join(folder: Path, detectors: Sequence[Path]) -> pd.DataFrame:
    """Write the networks' folder of all members of the detectors; their logits of validation.

    Nothing is said of what they were measured on: together they are another detector. Raises UserError where they
    prepare videos differently, or were validated on different ones.
    """
    own = [read(detector) for detector in detectors]
    validations = [read_validation(detector) for detector in detectors]
    first = detectors[0]
    for detector, card, validation in zip(detectors, own, validations, strict=True):
        for section in SECTIONS:
            if card.params[section] != own[0].params[section]:
                raise UserError(f"{detector}: other settings of {section} than {first}", "train them alike")
        if labels_of(validation) != labels_of(validations[0]):
            raise UserError(f"{detector}: validated on other videos than {first}", "use the same splits")
    with aside(folder) as new:
        new.mkdir()
        members: list[MemberCard] = []
        for number, detector in enumerate(detectors):
            validations[number]["member"] += len(members)
            for member in read_networks(detector).members:
                own_files = {"weights": member.weights} | {field: getattr(member, field) for field in SUFFIXES}
                names = {field: f"member_{len(members)}{SUFFIXES.get(field, '.safetensors')}" for field in own_files}
                names = {field: name for field, name in names.items() if own_files[field]}
                for field, name in names.items():
                    link(detector / own_files[field], new / name)
                members.append(member.model_copy(update=names))
        table = pd.concat(validations, ignore_index=True)
        tables.write(new / VALIDATION, table)
        origins = [card.origin for card in own]
        origin = origins[0] if all(other == origins[0] for other in origins) else Origin()
        cards.write(new / NETWORKS, NetworksCard(format=cards.FORMAT, members=members, origin=origin))
    return table


def halve(folder: Path, detector: Path, licence: str = "") -> int:
    """Write a detector with its weights as float16, half the size, to be published; how many bytes. Raises UserError.

    The rounding moves logits in their third digit; statistics of batch norm fit float16's range.
    """
    from safetensors.torch import load_file, save_file

    detector = home(detector)
    vacant(folder, detector)
    card = read(detector)
    with aside(folder) as new:
        new.mkdir()
        for file in sorted(detector.iterdir()):
            if file.suffix == ".safetensors" and not file.name.endswith(tuple(SUFFIXES.values())):
                state = load_file(file)
                save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, new / file.name)
            elif file.name != CARD:
                link(file, new / file.name)
        files = {file.name: _digest(file) for file in sorted(new.iterdir())}
        origin = card.origin.model_copy(update=_revision() | {"licence": licence or card.origin.licence})
        cards.write(new / CARD, card.model_copy(update={"format": cards.FORMAT, "files": files, "origin": origin}))
        return sum(file.stat().st_size for file in new.iterdir())


def _revision() -> dict[str, str]:
    """The commit of the folder that this is called in, and its date; nothing where there is none."""
    call = ["git", "log", "-1", "--format=%H %cs"]
    try:
        said = subprocess.run(call, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(zip(("revision", "date"), said, strict=True))


def labels_of(validation: pd.DataFrame) -> dict[str, int]:
    """The labels of the videos of validation."""
    return {str(name): int(label) for name, label in validation.groupby("video_id")["label"].first().items()}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
