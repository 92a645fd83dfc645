"""cards: what a detector's folder says of itself, as JSON, and what checks it."""

from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.scope import Scope
from deepfake.scores import Scoring

FORMAT = 6
READABLE = (3, 4, 5, FORMAT)  # 3 does not say what its training looked like, nor 4 what it was made of, nor 5 its scope
LABELS = ("real", "fake")  # what P = 0 and P = 1 are called
MOST = 2**28  # px of a sequence that a network may be shown, 1024 frames of 512 px
TRAIN_ANEW = "train it anew: dvc repro --force train"


class MemberCard(Params):
    """What is said of one network."""

    weights: str  # its file in the folder
    settings: dict[str, Any]  # section train of params.yaml
    epoch: int  # that it is of, from 0
    known: str = ""  # the file of what the faces of its training look like; "": nobody noted it
    drawings: str = ""  # the file of what tells drawings from them; "": nobody learnt it


class Origin(Params):
    """What networks were made of; the revision and date are those of the commit that publishes them."""

    labels: tuple[str, ...] = LABELS
    data: str = ""  # sha256 of the faces that were learnt from and validated on
    split: str = ""  # sha256 of which videos these are, and on which side
    libraries: dict[str, str] = Field(default_factory=dict)  # versions of those that shaped the training
    revision: str = ""  # of git, where it was published
    date: str = ""  # of that revision
    licence: str = ""  # as who published it said


class NetworksCard(Params):
    """What train says of its networks."""

    format: int
    members: list[MemberCard] = Field(min_length=1)
    origin: Origin = Origin()


class Card(Params):
    """What makes a detector of networks."""

    format: int
    params: dict[str, dict[str, Any]]  # sections of params.yaml: extract, detect, filter
    scoring: Scoring
    validation: dict[str, Any]  # how well it did there; `untrained`: why it cannot be trusted, or ""
    files: dict[str, str]  # sha256 of each other file
    origin: Origin = Origin()
    scope: Scope | None = None  # on what it was measured; None: nobody wrote it down


class Novelty(BaseModel):
    """What is unlike the training data."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    bound: float = Field(gt=0)  # the distance from which on a video is


class Validated(BaseModel):
    """What the validation of a card must say; it may say more."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    auc: float = Field(ge=0, le=1)
    untrained: str
    novelty: Novelty | None = None
    drawn: Novelty | None = None
    selective_accuracy: dict[str, float] = {}


class Settings(BaseModel):
    """What a network's settings must say, whatever it is made of."""

    encoder: str
    backbone: str | None
    head: str
    sampling: Literal["spread", "contiguous"]
    frames: int = Field(gt=0)  # of a sequence
    side: int = Field(gt=0)  # px of its faces

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.frames * self.side**2 > MOST:
            raise ValueError(f"{self.frames} frames of {self.side} px are more than fit into memory")
        return self


C = TypeVar("C", NetworksCard, Card)


def read(path: Path, model: type[C]) -> C:
    """The card of a file, of a format that this version knows. Raises UserError."""
    if not path.is_file():
        raise UserError(f"no trained detector: {path} is missing", "train one: dvc repro")
    try:
        card = model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise broken(path.parent, f"{path.name}: {said(error)}") from None
    except OSError as error:
        raise broken(path.parent, f"{path.name}: {error.strerror}") from None
    if card.format not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise UserError(f"{path}: format {card.format}, this version reads {known}", TRAIN_ANEW)
    return card


def write(path: Path, card: NetworksCard | Card) -> None:
    """Write a card, for a person to read."""
    path.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def check(folder: Path, name: str, model: type[BaseModel], values: Any, section: str) -> None:
    """Raises UserError where a section of a card is not as the model says."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        raise broken(folder, f"{name}: {said(error, section)}") from None


def broken(folder: Path, fault: str) -> UserError:
    """The error for what is no detector any more, in a line."""
    return UserError(f"{folder}: a broken bundle: {fault}", TRAIN_ANEW)


def said(error: ValidationError, section: str = "") -> str:
    """The first fault of a section, in a line."""
    first = error.errors()[0]
    where = ".".join(filter(None, (section, *map(str, first["loc"]))))
    return ": ".join(filter(None, (where, first["msg"].removeprefix("Value error, "))))
