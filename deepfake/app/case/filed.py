"""filed: what a case must hold, and of which kind, to be verified; the rest of it is compared byte for byte."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, InstanceOf

Figure = Annotated[list[float | None], Field(min_length=3, max_length=3)]  # with its 95 % interval


class Filed(BaseModel):
    """A part of a case, which may hold more."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Exhibit(Filed):
    """The video."""

    name: str
    sha256: str


class Detector(Filed):
    """Whose opinion it is."""

    card_sha256: str


class Program(Filed):
    """By what it was computed."""

    deepfake: str
    device: str
    libraries: dict[str, Any]


class Opinion(Filed):
    """What was said of it."""

    score: float | None
    verdict: str | None


class Figures(Filed):
    """What a test measured."""

    auc: Figure
    eer: Figure
    false_positive_rate: Figure
    false_negative_rate: Figure


class Test(Filed):
    """A test that is quoted."""

    sha256: str
    figures: Figures
    reals: int
    fakes: int
    groups: int
    methods: list[str]


class Facts(Filed):
    """case.json."""

    exhibit: Exhibit
    detector: Detector
    program: Program
    opinion: Opinion
    window: float = Field(ge=0)  # s
    test: Test | None


class Where(Filed):
    """where.json: where everything lay, under names that need be no UTF-8."""

    video: InstanceOf[str]
    detector: InstanceOf[str]
    test: InstanceOf[str] = ""
