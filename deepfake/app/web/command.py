"""command: `deepfake export-page`: an exported detector as a folder of static files for any web server."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    from deepfake.cards import Card

ASSETS = ("index.html", "page.css", "page.js", "judge.js", "pixels.js", "novelty.js")
CARD = "detector.json"
RUNTIME = {  # of onnxruntime-web: on the processor, in one thread -> names that every server knows the type of
    "ort.wasm.bundle.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.wasm": "ort.wasm",
}


def export_page(
    detector: Annotated[Path, typer.Argument(help="what deepfake export --onnx wrote")],
    out: Annotated[Path, typer.Argument(help="new folder, for any web server; or a page to be made anew")],
    modules: Annotated[Path, typer.Option(help="where npm put onnxruntime-web")] = Path("web/node_modules"),
) -> None:
    """Write an exported detector as a page that judges pictures of a face within the browser: nothing is sent.

    To see it: python -m http.server --directory OUT
    """
    from deepfake.base.disk import aside

    if out.exists() and not (out / CARD).is_file():
        raise UserError(f"{out}: is there, and is no page", "name a new folder")
    runtime = {modules / "onnxruntime-web" / "dist" / name: new for name, new in RUNTIME.items()}
    if missing := [file for file in runtime if not file.is_file()]:
        raise UserError(f"no onnxruntime-web: {missing[0]} is missing", "npm ci --prefix web")
    card = about(detector)
    with aside(out) as new:
        new.mkdir()
        here = {Path(__file__).with_name(name): name for name in ASSETS}
        networks = {detector / member["file"]: member["file"] for member in card["members"]}
        for file, name in (here | runtime | networks).items():
            shutil.copyfile(file, new / name)
        (new / CARD).write_text(json.dumps(card, separators=(",", ":")) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in out.iterdir())
    print(f"export-page: {len(networks)} networks, {size / 1e6:.1f} MB -> {out}")


def about(folder: Path) -> dict[str, Any]:
    """What the page knows of a detector. Raises UserError where it has no ONNX files."""
    from deepfake import bundle, sessions
    from deepfake.base.tables import DIGITS
    from deepfake.faces import EYES_NOSE_MOUTH
    from deepfake.scores import THRESHOLD, wording

    files = sessions.files(folder, "onnx")
    card, networks = bundle.read(folder), bundle.read_networks(folder)
    margin, validation = card.params["detect"]["margin"], card.validation
    eyes_and_nose = (EYES_NOSE_MOUTH[:3] + margin) / (1 + 2 * margin)
    return {
        "sha256": hashlib.sha256((folder / bundle.CARD).read_bytes()).hexdigest(),
        "members": [
            {"file": file, "known": known(folder, member)}
            | {key: member.settings[key] for key in ("frames", "sampling", "side")}
            for file, member in zip(files, networks.members, strict=True)
        ],
        "scoring": card.scoring.model_dump(include={"slope", "intercept", "doubt"}),
        "threshold": THRESHOLD,
        "digits": DIGITS,
        "wording": {kind: wording(kind, float(validation["auc"])) for kind in ("fake", "real", "inconclusive")},
        "untrained": validation["untrained"],
        "bound": (validation.get("novelty") or {}).get("bound"),  # of the distance from the training data
        "marks": eyes_and_nose.round(4).tolist(),  # x, y in the square
        "share": round(1 / (1 + 2 * margin), 2),  # of the square's side that the face takes
        "doubts": list(doubts(card)),
    }


def known(folder: Path, member: Any) -> dict[str, Any] | None:
    """What the faces of a member's training look like; None where nobody noted it."""
    import numpy as np

    from deepfake import inference

    if (looks := inference.known_of(folder, member)) is None:
        return None
    # written as short as float32 may be: a float64 is twice as long
    return {name: np.vectorize(lambda x: float(str(x)))(value).tolist() for name, value in vars(looks).items()}


def doubts(card: "Card") -> Iterator[str]:
    """What it was measured on, and what speaks against trusting it, a sentence each."""
    from deepfake.app.service import words

    validation = card.validation
    if "videos" in validation:
        count, groups = validation["videos"], validation["groups"]
        yield f"It was validated on {count} videos of {groups} groups of people, from whom it had learnt nothing."
    scope = card.scope and card.scope.model_dump(mode="json")
    model = {"untrained": validation["untrained"], "validation": validation, "scope": scope}
    yield from words.doubts({"score": None}, model)
    if validation.get("drawn"):
        yield "Drawn or rendered faces are told by `deepfake predict` alone, not by this page."
