"""command: `deepfake case` writes what is filed about a video, `deepfake verify` runs it again and compares."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from deepfake.app.case.filed import Facts, Where
from deepfake.app.predict import targets
from deepfake.app.predict.command import check
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable
from deepfake.prediction import WINDOW

if TYPE_CHECKING:
    from deepfake.app.case.facts import Gathered

FACTS, HTML, PDF, WHERE, SUMS = "case.json", "case.html", "case.pdf", "where.json", "SHA256SUMS"
TOLERANCE = 1e-5  # of a score: another processor rounds otherwise
ANEW = "write it anew: deepfake case"


def case(
    video: Annotated[Path, typer.Argument(help="the exhibit: a video or a picture")],
    out: Annotated[Path, typer.Option(help="new folder: case.html, case.pdf, case.json, SHA256SUMS", metavar="FOLDER")],
    detector: Annotated[
        Path | None, typer.Option(help="its folder, or builtin [default: models/detector, or builtin]")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="metrics.json of the detector's test, to be quoted", metavar="FILE")
    ] = None,
    window: Annotated[float, typer.Option(min=0, help="s, of the timeline of a long video; 0 = none")] = WINDOW,
) -> None:
    """Write a case report: the file and its hash, its credentials, what it says of itself, and the detector's opinion.

    The opinion comes with its likelihood ratio, the detector's known error rates, its limits and all hashes. The bytes
    hang on video, detector and program alone; SHA256SUMS holds their hashes. Exit code: 0 where the video was scored, 1
    where it was not (the report says why), 2 where the call is wrong.
    """
    shown = printable(str(out))
    if os.path.lexists(out):
        raise UserError(f"{shown} is there already", "name a new folder: a case is not changed")
    targets.reached("--out", out)
    check(window)
    from deepfake.app.case.facts import gathered
    from deepfake.base.disk import aside

    folder = detector or (Path("models/detector") if Path("models/detector").exists() else Path("builtin"))
    findings = gathered(video, folder, window, test)
    with aside(out) as new:
        write(new, findings)
        home = folder if folder == Path("builtin") else folder.resolve()
        where = {"video": str(video.resolve()), "detector": str(home)}
        where |= {"test": str(test.resolve())} if test else {}
        (new / WHERE).write_text(json.dumps(where, indent=2) + "\n", encoding="utf-8")
    opinion = findings.facts["opinion"]
    score = "no score" if opinion["score"] is None else f"P(fake) {opinion['score']:.3f}, {opinion['verbal']}"
    print(f"case: {opinion['wording'] or opinion['status']}, {score} -> {shown}/{HTML}, {shown}/{PDF}")
    raise typer.Exit(0 if opinion["score"] is not None else 1)


def write(folder: Path, findings: "Gathered") -> None:
    """Write the facts, the two documents, and the hashes of all three."""
    from deepfake.app.case.pages import TITLE, sections
    from deepfake.pages.document import html

    try:
        from deepfake.pages.paper import pdf
    except ModuleNotFoundError as error:
        raise UserError(f"a case as PDF lacks a library: {error.name}", "pip install 'deepfake[case]'") from None
    folder.mkdir()
    parts = list(sections(findings.facts, findings.pictures))
    exhibit = findings.facts["exhibit"]
    (folder / FACTS).write_text(json.dumps(findings.facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / HTML).write_text(html(TITLE, parts), encoding="utf-8")
    (folder / PDF).write_bytes(pdf(TITLE, parts, f"{exhibit['name'][:60]}, SHA-256 {exhibit['sha256'][:32]}..."))
    sums = [f"{digest(folder / name)}  {name}" for name in (FACTS, HTML, PDF)]
    (folder / SUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")


def verify(
    folder: Annotated[Path, typer.Argument(help="what deepfake case wrote", metavar="FOLDER")],
    video: Annotated[Path | None, typer.Option(help="the exhibit, where it lies elsewhere now")] = None,
    detector: Annotated[Path | None, typer.Option(help="the detector, where it lies elsewhere now")] = None,
) -> None:
    """Run a case again, and say whether its files, the exhibit, the detector, the program and the score are the same.

    Exit code: 0 where all are, 1 where one is not, 2 where the call is wrong.
    """
    old, where = read(folder)
    check(old["window"])
    path, home = video or Path(where["video"]), detector or Path(where["detector"])
    test = Path(where.get("test", "")) if old["test"] else None
    if not path.is_file():
        raise UserError(f"no exhibit {printable(str(path))}", "--video, where it lies now")
    from deepfake.app.case.facts import gathered

    with TemporaryDirectory() as scratch:
        new = Path(scratch, "case")
        findings = gathered(path, home, old["window"], test if test and test.is_file() else None)
        if test and not test.is_file():
            findings.facts["test"] = old["test"]  # it is quoted, not measured
        if findings.facts["exhibit"]["sha256"] == old["exhibit"]["sha256"]:
            findings.facts["exhibit"]["name"] = old["exhibit"]["name"]  # a copy may be called otherwise
        write(new, findings)
        checks = [*whole(folder), *compared(old, findings.facts)]
        same = all(
            (folder / name).is_file() and digest(folder / name) == digest(new / name) for name in (FACTS, HTML, PDF)
        )
    checks.append((same, "report", "the same bytes" if same else "other bytes"))
    for good, name, text in checks:
        print(f"{'same ' if good else 'OTHER'}  {name:<9} {text}")
    good = all(good for good, _, _ in checks)
    print(f"verify: {'all is the same' if good else 'not all is the same'}")
    raise typer.Exit(0 if good else 1)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The facts of a case, and where its exhibit and detector lay. Raises UserError."""
    parts: list[dict[str, Any]] = []
    for name, model in ((FACTS, Facts), (WHERE, Where)):
        where = f"{printable(str(folder))}: a broken case: {name}"
        try:
            parts.append(json.loads((folder / name).read_bytes()))
            model.model_validate(parts[-1])
        except FileNotFoundError as error:
            raise UserError(f"no case: {printable(error.filename)} is missing", ANEW) from None
        except OSError as error:
            raise UserError(f"{where}: {error.strerror}", ANEW) from None
        except ValidationError as error:
            first = error.errors()[0]
            fault = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
            raise UserError(f"{where}: {fault}", ANEW) from None
        except (ValueError, RecursionError):
            raise UserError(f"{where}: no JSON", ANEW) from None
    return parts[0], parts[1]


def whole(folder: Path) -> Iterator[tuple[bool, str, str]]:
    """Whether the files of a case are those that were written."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").split("\n")
        sums = {name: value for value, name in (line.split("  ", 1) for line in lines if line)}
    except (OSError, ValueError):
        sums = {}
    for name in (FACTS, HTML, PDF):
        good = (folder / name).is_file() and sums.get(name) == digest(folder / name)
        yield good, "file", f"{name} is {'as it was written' if good else 'not what ' + SUMS + ' says'}"


def compared(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[bool, str, str]]:
    """Exhibit, detector, program and score, then and now."""
    for section, key in (("exhibit", "sha256"), ("detector", "card_sha256"), ("program", "deepfake")):
        then, now = old[section][key], new[section][key]
        yield then == now, section, str(now) if then == now else f"{now}, was {then}"
    for name in ("libraries", "device"):
        then, now = old["program"][name], new["program"][name]
        if then != now:
            yield False, name, f"{now}, was {then}"
    then, now = old["opinion"]["score"], new["opinion"]["score"]
    both = then is not None and now is not None
    good = then == now or (both and abs(then - now) <= TOLERANCE)
    yield good, "score", f"{now}" if then == now else f"{now}, was {then}"
    then, now = old["opinion"]["verdict"], new["opinion"]["verdict"]
    yield then == now, "verdict", f"{now}" if then == now else f"{now}, was {then}"


def digest(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
