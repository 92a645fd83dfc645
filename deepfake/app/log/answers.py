"""answers: a video is scored by way of the log: what it knows is said at once, what is new it is told."""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from deepfake import bundle
from deepfake.app.log import chain, door
from deepfake.base import code, libraries, plugins
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable
from deepfake.prediction import WINDOW, Prediction
from deepfake.scores import wording

if TYPE_CHECKING:  # seconds to import: not for what the log knows
    from deepfake.app.log.book import Log
    from deepfake.inference import Detector
    from deepfake.predict import Progress

CODE = "deepfake.predict"  # it and all that it imports shape a prediction


@dataclass
class Scorer:
    """A detector that is loaded when the first video needs it."""

    folder: Path
    or_builtin: bool  # what is shipped stands in where there is no such folder
    backend: str = "torch"  # what runs its networks
    window: float = WINDOW  # s, of the timeline of a long video; 0 = none
    progress: "Progress | None" = None

    @cached_property
    def detector(self) -> "Detector":
        """Raises UserError where it is none."""
        from deepfake import library, predict

        if self.backend != "torch":
            return library.Detector.load(self.folder, backend=self.backend)
        return predict.load(self.home)

    @cached_property
    def home(self) -> Path:
        """The folder of what is used, all files of which are those that its card names. Raises UserError."""
        home = bundle.home(self.folder, self.or_builtin)
        bundle.read(home)
        return home

    @property
    def name(self) -> str:
        """What it was asked for by; "builtin" where that stands in."""
        return "builtin" if self.or_builtin and not self.folder.exists() else str(self.folder)

    @property
    def sha256(self) -> str:
        """The hash of the detector's card."""
        return hashlib.sha256((self.home / bundle.CARD).read_bytes()).hexdigest()

    def wording(self, verdict: str) -> str:
        """A verdict in words that are no surer than the detector."""
        return wording(verdict, self.auc)

    @cached_property
    def auc(self) -> float:
        """How well it ranks the videos of its validation."""
        return float(bundle.read(self.home).validation["auc"])

    def __call__(self, path: Path) -> Prediction:
        """What the detector says of the video."""
        from deepfake.predict import predict

        return predict(path, self.detector, self.window, self.progress)


Asked = TypeVar("Asked", bound=Callable[[Path], Prediction])


@dataclass
class Logged(Generic[Asked]):
    """A scorer that asks the log first, unless `anew`, and tells it each video that it did not know."""

    scorer: Asked
    log: "Log"
    detector: str  # sha256 of its card
    version: str
    anew: bool

    def __call__(self, path: Path, name: str = "") -> Prediction:
        """What was said of the same bytes by the same detector and code, or what is said now.

        name: what the log is to call the file by, its place without.
        """
        content = content_of(path)
        if content and not self.anew and (row := self.log.find(content, self.detector, self.version)):
            return prediction(json.loads(row["prediction"]), path)
        began = time.perf_counter()
        answer = self.scorer(path)
        duration = time.perf_counter() - began
        kept = answer.to_dict()
        del kept["path"]
        self.log.add(
            chain.Entry(
                content=content if content_of(path) == content else None,  # it was changed while it was looked at
                path=printable(name or os.path.abspath(path)),  # noqa: PTH100 (a Path follows links)
                status=answer.status,
                verdict=answer.verdict,
                score=answer.score,
                prediction=chain.canonical(kept),
                detector=self.detector,
                version=self.version,
                time=datetime.now(UTC),
                duration=duration,
            )
        )
        return answer


def scorer(
    detector: Path | None,
    log: bool | None,
    anew: bool,
    backend: str = "torch",
    window: float = WINDOW,
    progress: "Progress | None" = None,
    ready: bool = True,
) -> Scorer | Logged[Scorer]:
    """What scores videos; by way of the log if so, or, where it is None, if DEEPFAKE_DB_URL names one.

    Who names a database wants all in it: a flag that is forgotten once would leave a gap. `ready`: without a log it is
    loaded at once, not with the first video. Raises UserError.
    """
    folder = detector or Path("models/detector")
    plainly = Scorer(folder, detector is None, backend, window, progress)
    if log or (log is None and os.environ.get("DEEPFAKE_DB_URL")):
        return Logged(plainly, door.opened(), plainly.sha256, version(backend, window), anew)
    if anew:
        raise UserError("--anew without a log: all is scored anew", "add --log")
    plainly.detector if ready else plainly.home  # noqa: B018 (what is wrong with it is said before any video)
    return plainly


def prediction(facts: dict[str, Any], path: Path) -> Prediction:
    """A prediction from the JSON of the log, of the file that is asked about."""
    from pydantic import TypeAdapter

    return TypeAdapter(Prediction).validate_python(facts | {"path": str(path)})


def content_of(path: Path) -> str | None:
    """The sha256 of a file; None where there is none, or it cannot be read."""
    try:
        if not path.is_file():  # a pipe may be waited for, for ever
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # the scorer says why
        return None


def version(backend: str = "torch", window: float = WINDOW) -> str:
    """This version of deepfake, and a hash of what shapes a prediction: 0.1.0+1f0a...

    That is the meaning of the code, as the stages tell it, and the versions of the libraries. Of a backend other than
    PyTorch its name follows, of windows other than the usual their length: 0.1.0+1f0a.onnx.2s.
    """
    kinds = sorted({kind for module in code.closure(CODE) for kind in code.kinds(module)})
    ours = code.closure(CODE, *(f"deepfake.{kind}.{name}" for kind in kinds for name in plugins.names(kind)))
    outside = {name for module in ours for name in code.imported(module) if not code.is_ours(name)}
    made_of = [{module: code.meaning(module) for module in ours}, libraries.versions({*outside, code.MODELS})]
    digest = hashlib.sha256(chain.canonical(made_of).encode()).hexdigest()[:16]
    unusual = ([] if backend == "torch" else [backend]) + ([] if window == WINDOW else [f"{window:g}s"])
    return ".".join([f"{metadata.version('deepfake')}+{digest}", *unusual])
