"""transfer: are ImageNet weights worth it, and does self-blending find swaps? On forged clips of people never seen.

    python benchmarks/transfer.py FORGED [--weights FILE] [--folds 5] [--epochs 8] [--rows a,b,c,d1,d2] [--out FILE.md]

FORGED is what `deepfake forge REAL_DIR FORGED` leaves; the stages prepare it in a temporary folder. Rows a to c learn
from reals and fakes, d1 and d2 from reals alone beside their own blends; only rate and scaling of pixels differ.

A fold tests some groups of the stage split: videos that share a person, target or source of a swap. It validates on
those of the next fold and trains on the rest; d1 and d2 see no fake before the test. Forge swaps people within closed
groups: no fake crosses folds, and each video is tested once. The epoch is chosen on validation, all else beforehand.

AUC: of all videos, the folds' P(fake) pooled; its interval, 95 % over the groups, is that of `deepfake.intervals`. "In
folds": the mean of the folds' own AUCs, which compares no scores of different networks. Below, one number alone: a
regression fitted on the same train videos; then differences between rows by a paired bootstrap. Caveats: some 20 people
in 9 groups, too few to be sure of much; one method of forging, by our own code; one seed; few steps. It ranks these
rows on this set, and says nothing of others' fakes.
"""

import argparse
import sys
import tempfile
import time
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from deepfake import baselines, clips, intervals, split
from deepfake.base import params, tables
from deepfake.base.errors import UserError
from deepfake.batches import Tracks
from deepfake.bundle import Bundle
from deepfake.statistics import Sample
from deepfake.train import TrainParams, fit
from deepfake.videos import read
from stages import augment, detect, extract
from stages import filter as sift

ROOT = Path(__file__).parents[1]
SIDE = 128  # px, of the stored crop and of the network's input: nothing is scaled twice
CNN = {"encoder": "cnn", "learning_rate": 5e-4}  # the rate of params.yaml
IMAGENET = {"encoder": "squeezenet", "learning_rate": 1e-4, "backbone": "caffe"}  # slower: it begins near its end
ROWS = {  # title, of section train, self_blend
    "a": ("squeezenet, ImageNet", IMAGENET, 0.0),
    "b": ("squeezenet, scratch", CNN | {"encoder": "squeezenet"}, 0.0),
    "c": ("cnn, scratch", CNN, 0.0),
    "d1": ("cnn, self-blended reals", CNN, 1.0),
    "d2": ("squeezenet, ImageNet, self-blended reals", IMAGENET, 1.0),
}
LEARNING = {  # of all rows, over section train
    **{"head": "mean", "frames": 2, "side": SIDE, "batch_size": 16, "draws": 4, "schedule": "cosine", "warmup": 1},
    **{"pretrained": False, "backbone": None, "trainable": "all", "patience": 1000, "seed": 0, "seeds": 1},
}
COMPARED = (("a", "b"), ("a", "c"), ("d2", "d1"))
RESAMPLES, SEED = 1000, 0


def prepare(forged: Path, settings: dict[str, dict[str, object]]) -> tuple[pd.DataFrame, Tracks]:
    """The usable videos, with their groups and the numbers of the baselines, and the clips of them all."""
    settings["extract"] |= {"root": str(forged), "layout": "manifest", "sampling": "count", "frames_per_video": 32}
    settings["detect"] |= {"size": SIDE}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    with redirect_stdout(sys.stderr):
        for stage in (extract, detect, sift):
            stage.run()
        videos, kept = read(Path("data/videos.csv")), tables.read(Path("data/kept.parquet"))
        # all are called train: each video has altered copies, for the folds that learn from it
        dealt = videos.assign(status=split.status(videos, kept), group=split.groups(videos), split="train")
        tables.write(Path("data/splits.csv"), dealt)
        augment.run()
    table = tables.read(Path("data/clips.parquet"))
    files = clips.arrays([Path("data", file) for file in table["file"]], table["positions"], SIDE)
    return baselines.features(videos, kept, dealt), Tracks(table, files)


def scores_of(side: "pd.Series[str]", tracks: Tracks, p: TrainParams, blend: float) -> tuple[object, dict[str, float]]:
    """P(fake) of each test video by a network of the train videos, and how it did on validation."""
    at, whole = tracks.table["video_id"].map(side), tracks.table["copy"] == 0
    train, val, test = (tracks.where((at == name) & (whole | (name == "train"))) for name in split.SPLITS)
    with tempfile.TemporaryDirectory() as curves:
        one = fit(train, val, p, Path(curves), blend)[0]
    made = Bundle(one.network, one.threshold, {"train": p.model_dump()}, one.validation)
    logits = pd.Series([made.logits(test[index]) for index in range(len(test.files))])
    return logits.groupby(test.table["video_id"]).agg(list).map(made.score), one.validation


def sample(table: pd.DataFrame, name: str) -> Sample:
    """The videos, scored by a column."""
    return Sample.of(table.assign(verdict="real"), name)  # the AUC asks for no verdict


def difference(table: pd.DataFrame, one: str, other: str) -> str:
    """How much larger the AUC of one column is, with its 95 % interval by a paired bootstrap over the groups."""
    gap = intervals.difference([sample(table, other)], [sample(table, one)], "auc", RESAMPLES, SEED)
    return f"{one} - {other}: {gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"


def reported(table: pd.DataFrame, seconds: dict[str, float]) -> str:
    """The report in Markdown, of rows and baselines: columns of the table beside label, group and fold."""
    lines = ["| | method | AUC | 95 % interval | in folds | videos | folds | seconds |", "|---|" + "---|" * 7]
    for name in [*seconds, *(name for name in table if name.endswith(" alone"))]:
        whole = intervals.described(sample(table, name), RESAMPLES, SEED)
        own = [roc_auc_score(part["label"], part[name]) for _, part in table.groupby("fold")]
        between = f"{whole['auc_low']:.3f} to {whole['auc_high']:.3f}"
        figures = f"{whole['auc']:.3f} | {between} | {np.mean(own):.3f} | {len(table)}"
        title = f"{name} | {ROWS[name][0]}" if name in ROWS else f"| {name.replace('_', ' ')}"
        lines.append(f"| {title} | {figures} | {len(own)} | {seconds.get(name, 0):.0f} |")
    pairs = [difference(table, *both) for both in COMPARED if set(both) <= set(seconds)]
    sizes = ", ".join(f"{len(part)} of {part['group'].nunique()} groups" for _, part in table.groupby("fold"))
    return "\n\n".join(["\n".join(lines), *pairs, f"{len(table)} videos, each tested once, in folds of {sizes}"])


def measure(arguments: argparse.Namespace) -> str:
    """Every row in every fold; the report."""
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    shared, file = settings["train"] | LEARNING | {"epochs": arguments.epochs}, {"pretrained": str(arguments.weights)}
    own = {row: ROWS[row][1] | (file if ROWS[row][1] is IMAGENET else {}) for row in arguments.rows}
    learning = {row: params.check(shared | own[row], TrainParams, "params.yaml: train") for row in own}
    videos, tracks = prepare(arguments.forged, settings)
    folds, groups, tested, seconds = arguments.folds, videos["group"], [], dict.fromkeys(learning, 0.0)
    if not 3 <= folds <= groups.nunique():
        raise UserError(f"{folds} folds of {groups.nunique()} groups of people", "from 3 folds to one a group")
    tests = [test for _, test in GroupKFold(folds).split(videos, groups=groups)]  # as equal in size as groups allow
    for number in range(folds):
        side = pd.Series("train", videos.index)
        side.iloc[tests[number]], side.iloc[tests[(number + 1) % folds]] = "test", "val"
        scored = baselines.scores(videos.assign(split=side))[side == "test"].add_suffix(" alone")
        counts = ", ".join(f"{count} {name}" for name, count in side.value_counts().items())
        for row, p in learning.items():
            start = time.perf_counter()
            scored[row], found = scores_of(side, tracks, p, ROWS[row][2])
            seconds[row] += time.perf_counter() - start
            said = f"AUC {found['auc']:.3f} on val, of epoch {found['epoch']}; {seconds[row]:.0f} s so far"
            print(f"fold {number + 1}/{folds} ({counts}), {row}: {said}", file=sys.stderr)
        tested.append(scored.assign(fold=number))
    return reported(videos[["label", "group"]].join(pd.concat(tested)), seconds)


def main() -> None:
    """Read the arguments, measure, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path.cwd()  # the stages write into a folder of their own
    parser.add_argument("forged", type=here.joinpath, metavar="FORGED")
    parser.add_argument("--weights", type=here.joinpath, help="of squeezenet, in Caffe's scaling: for a and d2")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    rows = "; ".join(f"{row}: {title}" for row, (title, *_) in ROWS.items())
    parser.add_argument("--rows", type=lambda names: names.split(","), help=f"of {rows}. Default: all")
    parser.add_argument("--out", type=here.joinpath, help="a Markdown file for the report")
    arguments = parser.parse_args()
    able = [row for row in ROWS if arguments.weights or ROWS[row][1] is not IMAGENET]
    arguments.rows = arguments.rows or able
    if unable := sorted(set(arguments.rows) - set(able)):
        parser.error(f"--rows: no {', '.join(unable)}; there are: {', '.join(able)}; a and d2 need --weights")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        try:
            report = measure(arguments)
        except UserError as error:
            parser.error(str(error))
    print(report)
    if arguments.out:
        arguments.out.write_text(report + "\n")


if __name__ == "__main__":
    main()
