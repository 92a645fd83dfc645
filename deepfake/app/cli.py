"""cli: the command `deepfake`: score videos, make fakes, look at datasets, name, join and export detectors, prune."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepfake.app import dataset, split
from deepfake.app.case import command as filing
from deepfake.app.compare import compare
from deepfake.app.doctor import doctor
from deepfake.app.evaluate_scores import evaluate_scores
from deepfake.app.left_out import OneOf, queue
from deepfake.app.log import command
from deepfake.app.page.command import app as page
from deepfake.app.predict import command as asking
from deepfake.app.progress import progress
from deepfake.app.serve.command import serve
from deepfake.app.web.command import export_page
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable

if TYPE_CHECKING:
    from deepfake.calibrate import CalibrateParams

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no room for what is written, wherever that is

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Tell deepfake videos from real ones, with a detector that anyone can reproduce.",
)

app.add_typer(dataset.app, name="dataset")
app.add_typer(split.app, name="split")
app.command()(asking.predict)
app.command()(filing.case)
app.command()(filing.verify)


@app.command()
def forge(
    real_dir: Annotated[Path, typer.Argument(help="folder of real videos; a manifest.csv in it may name the people")],
    out_dir: Annotated[Path, typer.Argument(help="new folder: real/, fake/, manifest.csv, report.csv, sheet.jpg")],
    method: Annotated[str, typer.Option(help="how: a file of deepfake/forgeries")] = "faceswap",
    pairs: Annotated[int, typer.Option(min=1, help="fakes of each real")] = 1,
    max_frames: Annotated[int, typer.Option(min=0, help="of a video; 0 = all")] = 0,
    resolution: Annotated[int, typer.Option(min=0, help="px that a generator draws a face in; 0 = as its source")] = 0,
    crf: Annotated[int, typer.Option(min=1, max=51, help="H.264 quality of reals and fakes")] = 23,
    seed: Annotated[int, typer.Option(min=0, help="who is paired with whom")] = 0,
) -> None:
    """Make labelled fakes from real videos: faces swapped, mouths replaced, stills brought to life.

    The reals are encoded anew with the settings of the fakes, so that the codec is no shortcut. The output is a dataset
    for this pipeline: set extract.root to OUT_DIR and extract.layout to manifest.
    """
    from deepfake.forge import ForgeParams
    from deepfake.forge import forge as make
    from deepfake.pages import plots

    p = ForgeParams(methods=(method,), seed=seed, pairs=pairs, max_frames=max_frames, resolution=resolution, crf=crf)
    forged = make(real_dir, out_dir, p)
    plots.save(out_dir / "sheet.jpg", plots.swaps_sheet(forged.manifest, out_dir))
    for row in forged.report[forged.report["reason"] != ""].itertuples():
        print(f"{row.path}: {row.status}: {row.reason}", file=sys.stderr)
    fakes = int((forged.manifest["label"] == "fake").sum())
    print(f"forge: {len(forged.manifest) - fakes} reals, {fakes} fakes -> {printable(str(out_dir))}")


@app.command()
def recipe(
    name: Annotated[str, typer.Argument(help="a file of recipes/")] = "",
    every: Annotated[bool, typer.Option("--list", help="the recipes, a line each")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="its training alone, reduced to minutes on a CPU")] = False,
    leave_one_out: Annotated[
        OneOf | None, typer.Option(help="a queue: each method, or dataset, held out of training in its turn")
    ] = None,
) -> None:
    """A published system as settings for DVC: dvc exp run $(deepfake recipe xception).

    With --leave-one-out, commands: deepfake recipe --leave-one-out method | sh, then dvc exp run --run-all.
    """
    from deepfake import recipes

    settings = recipes.load(name).overrides(demo) if name else []
    if leave_one_out:
        print("\n".join(queue(leave_one_out.value, settings)))
    elif every or not name:
        known = recipes.names()
        for name in known:
            print(f"{name:<{max(map(len, known))}}  {recipes.load(name).about}")
    else:
        print(" ".join(f"-S {override}" for override in settings))


@app.command()
def ensemble(
    detectors: Annotated[list[Path], typer.Argument(help="trained detectors: bundles' folders", metavar="DETECTOR...")],
    out: Annotated[Path, typer.Option(help="new folder; it stands wherever a detector does")],
) -> None:
    """Join detectors into one that averages their logits, its scoring fitted on the videos they were validated on."""
    from tempfile import TemporaryDirectory

    from deepfake import bundle, calibrate
    from deepfake.base import params

    detectors = [bundle.home(folder) for folder in detectors]
    bundle.vacant(out, *detectors)
    cards = [bundle.read(folder) for folder in detectors]
    p = params.load("calibrate", calibrate.CalibrateParams) if params.FILE.is_file() else usual()
    with TemporaryDirectory() as scratch:
        networks = Path(scratch, "networks")
        scoring, validation = calibrate.fit(bundle.join(networks, detectors), p)
        prepared = cards[0].params
        if weights := prepared["detect"]["weights"]:
            prepared = prepared | {"detect": prepared["detect"] | {"weights": str(detectors[0] / weights)}}
        bundle.save(out, networks, prepared, scoring, validation)
    aucs = ", ".join(f"{card.validation['auc']:.3f}" for card in cards)
    print(f"ensemble: validation AUC {validation['auc']:.3f} of {aucs} -> {printable(str(out))}")


def usual() -> "CalibrateParams":
    """The settings of a project that changed none."""
    from deepfake.calibrate import CalibrateParams

    return CalibrateParams(tracks="auto", calibrator="auto", abstain=0.0, min_groups=10, resamples=1000, seed=0)


@app.command()
def export(
    detector: Annotated[Path, typer.Argument(help="the trained detector: a bundle's folder")],
    out: Annotated[Path, typer.Option(help="new folder; it stands wherever a detector does")],
    onnx: Annotated[bool, typer.Option("--onnx", help="its networks as ONNX files, beside their weights")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="with --onnx: also with 8 bits for each weight")] = False,
) -> None:
    """Write a detector for other programs: then deepfake predict --detector OUT --backend onnx, or int8."""
    if not onnx:
        raise UserError("deepfake export: into which format?", "--onnx")
    from deepfake import export

    differences = export.export(detector, out, int8=int8)
    said = ", ".join(f"{backend} {max(far):.1g}" for backend, far in differences.items())
    number = len(differences["onnx"])
    print(f"export: {number} networks, furthest from PyTorch's logits: {said} -> {printable(str(out))}")
    if max(differences.get("int8", [0.0])) > export.COARSE:
        print("warning: 8 bits move logits so far that P(fake) was not calibrated for it", file=sys.stderr)


@app.command()
def cache(
    prune: Annotated[bool, typer.Option("--prune", help="remove what is beyond the bounds")] = False,
    days: Annotated[float | None, typer.Option(min=0, help="remove what was not used for so many days")] = None,
    gigabytes: Annotated[float | None, typer.Option(min=0, help="keep so many GB; else ITEM_CACHE_GB, or 20")] = None,
) -> None:
    """List what is kept of each video, so that it need not be made again; or prune it: what was unused longest goes.

    `own` is what would be freed: the rest lies in data/ or in DVC's cache as well. Each stage keeps to the bound by
    itself. What is removed is made again when it is needed.
    """
    from deepfake.base import cache, hashes

    if prune:
        gone = cache.prune(days, cache.limit() if gigabytes is None else gigabytes)
        hashes.forget()
        print(f"cache: {len(gone)} results removed, {sum(entry.own for entry in gone) / cache.GB:.3f} GB")
    print(cache.table(cache.entries()))


app.command()(compare)
app.command()(doctor)
app.command()(evaluate_scores)
app.command()(export_page)
app.command()(command.log)
app.command()(progress)
app.command()(serve)
app.command("app")(page)


@app.command()
def halve(
    detector: Annotated[Path, typer.Argument(help="a trained detector's folder")],
    out: Annotated[Path, typer.Option(help="new folder; it stands wherever a detector does")],
    licence: Annotated[str, typer.Option(help="of the detector: its card says it")] = "",
) -> None:
    """Write a detector with weights of half the size, as float16, to be published: its card says of which commit.

    What is shipped is made so.
    """
    from deepfake import bundle

    size = bundle.halve(out, detector, licence)
    print(f"halve: {size / 1e6:.1f} MB -> {printable(str(out))}")


def main() -> None:
    """Run the command: a user's mistake, or a file that cannot be read or written, is one message and exit code 2.

    A bug shows its traceback.
    """
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        if error.filename is None and error.errno not in FULL:
            raise
        where = f"{printable(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
        print(f"error: {where}{error.strerror}", file=sys.stderr)
        if error.errno in FULL:
            with suppress(OSError):  # no file
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again at its end
    raise SystemExit(2)
