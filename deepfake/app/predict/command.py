"""command: `deepfake predict`: asks detectors about videos, and tells what they say."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from glob import glob
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from deepfake.base.errors import UserError
from deepfake.prediction import WINDOW, Prediction

if TYPE_CHECKING:
    from deepfake.video import Images

SHORTEST = 0.5  # s, of a window
FINE = 2.0  # s, of the windows of a video that is annotated

Detectors = Annotated[
    list[Path] | None,
    typer.Option(
        help="a trained detector's folder, or builtin; several: side by side, and together "
        "[default: models/detector, or builtin]"
    ),
]


def predict(
    videos: Annotated[
        list[Path] | None, typer.Argument(help="video files, folders of them, or patterns: 'a*.mp4'", metavar="VIDEO")
    ] = None,
    detector: Detectors = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")] = False,
    table: Annotated[Path | None, typer.Option("--csv", help="also a table: this file", metavar="FILE")] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="also a copy of the video that shows what was said", metavar="OUT.mp4")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="also a picture of each video: where the networks look", metavar="FOLDER")
    ] = None,
    watch: Annotated[
        Path | None, typer.Option(help="also each video that arrives here, until Ctrl-C", metavar="FOLDER")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="s: a longer video has a timeline of such windows, for which it is read once more, and as many frames "
            f"of each are looked at as else of a video; 0 = none [default: {WINDOW:g}; with --annotate {FINE:g}]",
        ),
    ] = None,
    log: Annotated[bool | None, typer.Option(help="ask the log first, and tell it; else if DEEPFAKE_DB_URL is")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="score what the log knows too")] = False,
    backend: Annotated[str, typer.Option(help="what runs its networks: torch; of an export: onnx, int8")] = "torch",
) -> None:
    """Score videos: P(fake), the verdict by the frozen threshold, and a score for each face.

    A video without a face, or one that cannot be decoded, is said to be so, and never scored. A long one is also told
    window by window; its score stays that of the frames that the detector was trained to look at. Of many videos
    several are looked at at once, by as many processes as there are cores, or as JOBS says; on a GPU by one.

    Exit code: 0 where every video was scored, 1 where one was not, 2 where the call is wrong. The verdict changes none.
    """
    if not videos and not watch:
        raise typer.BadParameter("name a video, a folder of them, or --watch FOLDER")
    files = [file for path in videos or [] for file in listed(path)]
    asked = tuple(dict.fromkeys(detector or ())) or (None,)  # named twice, one would count double
    if annotate and (watch or len(files) != 1 or len(asked) > 1):
        raise UserError("--annotate shows one video, and what one detector says of it", "ask about each on its own")
    if watch and not watch.is_dir():
        raise UserError(f"no folder {watch}", "--watch a folder that is there")
    may_be_written(annotate, table, explain, [*files, *there(watch)])
    length = window if window is not None else FINE if annotate else WINDOW
    check(length)
    # PyTorch takes seconds to import: not for --help, nor a wrong path
    from deepfake.app.predict import asking, outputs

    question = asking.Question(asked, log, anew, backend, length, bool(explain))
    panel = question.panel(seconds(), ready=asking.processes(len(files)) == 1)
    complete = True
    with ExitStack() as stack:
        sinks = [stack.enter_context(outputs.table(table))] if table else []
        try:
            arriving = (asking.answer(file, question, panel) for file in arrivals(watch))
            for answer in chain(asking.answers(files, question, panel), arriving):
                complete &= any(said.score is not None for _, said in answer.answers)
                for line in outputs.objects(answer.answers) if as_json else outputs.lines(answer.answers):
                    tqdm.write(line)
                for sink in sinks:
                    sink(answer.answers)
                if annotate:
                    annotated(annotate, answer.file, answer.answers[0][1])
                if explain:
                    explained(explain, answer.strips)
        except KeyboardInterrupt:
            if not watch:
                raise
            print("predict: no longer waiting", file=sys.stderr)
    raise typer.Exit(0 if complete else 1)


def may_be_written(annotate: Path | None, table: Path | None, explain: Path | None, videos: Sequence[Path]) -> None:
    """Raises UserError where an answer has no place, or would take that of a video."""
    from deepfake.app.predict import targets

    if annotate:
        targets.replaced("--annotate", annotate, videos)
    if table and annotate and table.absolute() == annotate.absolute():
        raise UserError("--csv and --annotate name the same file", targets.ANOTHER)
    if table:
        targets.overwritten("--csv", table, videos)
    if explain:
        targets.filled("--explain", explain)


def annotated(target: Path, file: Path, prediction: Prediction) -> None:
    """Write the video as it was told, where it decodes."""
    from deepfake import annotate
    from deepfake.dataset.files import printable

    if prediction.status in ("decode_error", "no_video", "missing"):
        print(f"predict: no {printable(str(target))}: {prediction.status}", file=sys.stderr)
        return
    annotate.write(target, file, prediction)


def explained(folder: Path, strips: "Sequence[tuple[str, Images]]") -> None:
    """Write where the networks look, a picture for each detector."""
    from deepfake.app.predict.explained import write

    write(folder, strips)


def check(window: float) -> None:
    """Raises UserError for windows that are too short to hold what is looked at."""
    if 0 < window < SHORTEST:
        raise UserError(f"--window {window:g}: too short to hold what is looked at", f"{SHORTEST:g} s or more, or 0")


def there(folder: Path | None) -> list[Path]:
    """What lies already in a folder, where one is watched."""
    from deepfake.dataset.files import walk
    from deepfake.video import IMAGES, SUFFIXES

    return [folder / file for file in walk(folder, SUFFIXES | IMAGES).files] if folder else []


def arrivals(folder: Path | None) -> Iterator[Path]:
    """What comes into a folder, where one is watched."""
    if folder:
        from deepfake.app.predict.watch import arrivals as those

        print(f"predict: waiting for videos in {folder}; Ctrl-C ends it", file=sys.stderr)
        yield from those(folder)


def seconds() -> Callable[[float, float], None]:
    """A bar of the seconds of a long video, on a terminal."""
    bars: list[tqdm[Any]] = []

    def tell(done: float, whole: float) -> None:
        if bars and done <= bars[0].n:  # another video
            bars.pop().close()
        if not bars:
            bars.append(tqdm(total=round(whole), unit="s", desc="timeline", leave=False, disable=None))
        bars[0].update(round(done) - bars[0].n)

    return tell


def listed(path: Path) -> list[Path]:
    """The file, or the videos and pictures of the folder, or of all that are called like it. Raises UserError for none.

    A name may hold *, ? and [ itself: they stand for others where there is no such file.
    """
    from deepfake.dataset.files import counted, printable, walk
    from deepfake.video import IMAGES, SUFFIXES

    shown = printable(str(path))
    if os.path.isdir(path):  # noqa: PTH112 (a Path raises for a name that is too long)
        contents = walk(path, SUFFIXES | IMAGES)
        if contents.left:
            print(f"{shown}: left out {counted(contents.left)}", file=sys.stderr)
        if not contents.files:
            raise UserError(f"no videos under {shown}", f"their names end in {' '.join(sorted(SUFFIXES))}")
        return [path / file for file in contents.files]
    if os.path.lexists(path):
        return [path]
    if any(sign in str(path) for sign in "*?["):
        if matches := sorted(glob(str(path), recursive=True)):  # noqa: PTH207 (a Path takes no absolute pattern)
            return [file for match in matches for file in listed(Path(match))]
        raise UserError(f"no file or folder is called like {shown}", "mind the spelling, and the folder you are in")
    raise UserError(f"no file or folder {shown}", "mind the spelling, and the folder you are in")
