"""making: what is made of a video beside what is said of it, in a worker process: a copy that shows it, a case."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from deepfake import annotate
from deepfake.app.case import command as filing
from deepfake.app.case.facts import gathered
from deepfake.app.log import answers
from deepfake.app.service.refusal import Refused
from deepfake.app.service.work import Order
from deepfake.base.disk import aside
from deepfake.bundle import BUILTIN
from deepfake.prediction import Prediction
from deepfake.video import Unreadable

FOLDER = "case"  # in the archive


def make(order: Order) -> None:
    """Make what is ordered. Raises UserError, or Refused where the video has nothing to make it of."""
    order.target.parent.mkdir(parents=True, exist_ok=True)
    prediction = answers.prediction(order.facts, order.task.path)
    try:
        KINDS[order.kind](order, prediction)
    except Unreadable as error:
        raise Refused("not_a_video", f"{error} ({error.status})") from None


def film(order: Order, prediction: Prediction) -> None:
    """The video as `deepfake predict --annotate` writes it."""
    if prediction.status in ("decode_error", "no_video", "missing"):
        raise Refused("not_a_video", f"{prediction.reason} ({prediction.status})")
    annotate.write(order.target, order.task.path, prediction)


def case(order: Order, prediction: Prediction) -> None:
    """What `deepfake case` writes, as an archive; `deepfake verify` is to be told where the video lies."""
    task, home = order.task, order.task.models[order.model].folder
    findings = gathered(task.path, home, prediction=prediction)
    findings.facts["exhibit"]["name"] = task.name
    where = {"video": task.name, "detector": BUILTIN.name if home == BUILTIN else order.model}
    with TemporaryDirectory(dir=order.target.parent) as scratch, aside(order.target) as new:
        folder = Path(scratch, FOLDER)
        filing.write(folder, findings)
        (folder / filing.WHERE).write_text(json.dumps(where, indent=2) + "\n", encoding="utf-8")
        with ZipFile(new, "w", ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                entry = ZipInfo(f"{FOLDER}/{file.name}")  # of no time: the same for the same
                archive.writestr(entry, file.read_bytes(), ZIP_DEFLATED)


KINDS = {"film": film, "case": case}
