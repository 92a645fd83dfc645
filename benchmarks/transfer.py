"""transfer: does a detector find fakes of methods that it was not trained on? By method, before and after messengers.

    python benchmarks/transfer.py DETECTOR FORGED... [--logits FILE.csv] [--out FILE.md] [--copies light,usual,heavy]
    python benchmarks/transfer.py DETECTOR FORGED... --sources hdtf --copies 0.5:23,0.25:23

Each FORGED is what `deepfake forge REAL_DIR FORGED --method NAME` leaves. Their reals are the same and are scored once.
Every video is scored as `deepfake predict` would, as it is and as messengers would send it: scaled down and encoded
again, reals in every copy, fakes in the first one.

AUC of each method against the originals of all, its 95 % interval by bootstrap over people; `own`, how often a fake
scores higher than the very video it was made of; `called fake`, of the videos with a verdict; `inconclusive`, of those
with a score. The logits of all videos go to a table: --logits reads it where it is there, and else writes it.
--calibrated writes the detector anew, its P(fake), its doubt and what is unlike its data fitted on these videos as they
are and as usually sent, by the params of data/builtin. --scope writes it anew with these figures in its card.
"""

import argparse
import hashlib
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml
from joblib import Parallel, delayed

from deepfake import bundle, calibrate, evaluate, inference, scope, video
from deepfake.base import tables
from deepfake.base.opencv import cv2
from deepfake.base.parallel import jobs
from deepfake.measures.coverage import coverage
from deepfake.measures.protocol import EvaluateParams
from deepfake.measures.scoring import judged
from deepfake.predict import prepared
from deepfake.scores import TrackScore

COPIES = {  # how large, and H.264's crf, of what a messenger sends on
    "light": (1.0, 26),
    "usual": (0.7, 29),
    "heavy": (0.5, 32),
}
AS_IT_IS = "as it is"
SEEN = ("faces", "distance", "drawn")  # of a track, beside its logit
TEST = EvaluateParams(seed=0, resamples=1000, shuffles=1, prevalence=0.5, min_coverage=0.0)
WORDS = "real clips, and a fake of each by every method of deepfake forge (benchmarks/transfer.py)"
FITTED = ", on which its P(fake) and its doubt were fitted, too"
PARAMS = Path(__file__).parents[1] / "data" / "builtin" / "params.yaml"


def listed(folders: list[Path]) -> pd.DataFrame:
    """The videos of all folders, the reals of the first alone: file, label, method, group, source."""
    tables = []
    for number, folder in enumerate(folders):
        table = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
        table = table[(table["label"] == "fake") | (number == 0)]
        tables.append(table.assign(file=[str(folder / path) for path in table["path"]]))
    table = pd.concat(tables, ignore_index=True)
    own = table["source"].where(table["source"] != "", table["path"])
    return pd.DataFrame(
        {
            "file": table["file"],
            "label": (table["label"] == "fake").astype(int),
            "method": table["method"].where(table["method"] != "", "real"),
            "group": table["identities"].str.split("+").str[0],
            "source": own,
        }
    )


def how(copy: str) -> tuple[float, int]:
    """How large a copy is, and its crf: by its name, or as SCALE:CRF."""
    if copy in COPIES:
        return COPIES[copy]
    scale, _, crf = copy.partition(":")
    return float(scale), int(crf)


def sent(file: Path, copy: str, folder: Path) -> Path:
    """The file, or what arrives of it."""
    if copy == AS_IT_IS:
        return file
    scale, crf = how(copy)

    def frames() -> Iterator[video.Images]:
        for frame in video.read(file):
            image = frame.rgb()
            size = tuple(round(side * scale / 2) * 2 for side in image.shape[1::-1])
            yield np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    video.encode(folder / "sent.mp4", frames(), video.probe(file).fps, crf=crf)
    return folder / "sent.mp4"


def scored(folder: Path, file: str, copy: str) -> list[dict[str, object]]:
    """A row for each track: what the detector says of it, or why it says nothing."""
    import torch

    torch.set_num_threads(1)
    detector = inference.load(folder)
    with TemporaryDirectory() as scratch, prepared(sent(Path(file), copy, Path(scratch)), detector) as ready:
        about: dict[str, object] = {"file": file, "copy": copy, "status": ready.status}
        voices = {track: detector.track(images) for track, images in ready.images.items()}
    rows = [
        about | {"track": track, "logit": voice.logit} | {name: getattr(voice, name) for name in SEEN}
        for track, voice in voices.items()
    ]
    return rows or [about | {"track": -1, "logit": np.nan, "faces": 0, "distance": None, "drawn": None}]


def judgements(table: pd.DataFrame, detector: inference.Detector) -> pd.DataFrame:
    """A row for each video and copy: its score and verdict, as the detector gives them for the logits of its tracks."""
    names = ["file", "copy", "label", "method", "group", "source"]
    rows = []
    for about, tracks in table.groupby(names):
        usable = tracks.dropna(subset="logit").reindex(columns=["logit", *SEEN]).astype(object)
        usable = usable.where(usable.notna(), None)
        voices = [TrackScore((row.logit,), row.faces, row.distance, row.drawn) for row in usable.itertuples()]
        row = dict(zip(names, about, strict=True)) | {"status": tracks["status"].iloc[0], "score": np.nan}
        if voices:
            judgement = judged(detector, voices)
            row |= {"score": judgement.score, "verdict": judgement.verdict}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*names, "status", "score", "verdict"])


def parts(videos: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Of each copy its reals beside the fakes of nobody, of each method, and of all: copy, method, reals, fakes."""
    for copy in sorted(set(videos["copy"]), key=lambda copy: ([AS_IT_IS, *COPIES, copy].index(copy), copy)):
        part = videos[videos["copy"] == copy]
        reals, fakes = (part[part["label"] == label] for label in (0, 1))
        if len(part):
            yield copy, "real", reals, fakes.head(0)
        for method, own in fakes.groupby("method"):
            yield copy, str(method), reals, own
        if len(fakes):
            yield copy, "all", reals, fakes


def measured(videos: pd.DataFrame) -> str:
    """The report in Markdown."""
    head = "| copy | method | videos | no score | inconclusive | AUC | 95 % interval | own | called fake |"
    lines = [head, "|---|" + "---|" * 8]
    for copy, method, reals, fakes in parts(videos):
        figures = column(pd.concat([reals, fakes]))
        kind, shown = ("fakes", fakes) if len(fakes) else ("reals", reals)
        silent = figures["inconclusive"][kind]
        lost = int(shown["score"].isna().sum())
        answered = figures[kind] - silent
        called = (shown["verdict"] == "fake").sum()
        ranks = " | | " if kind == "reals" else f"{ranked(figures)} | {above(reals, fakes):.2f}"
        counts = f"{len(shown)} | {lost} | {silent}"
        lines.append(f"| {copy} | {method} | {counts} | {ranks} | {called} of {answered} |")
    return "\n".join(lines)


def described(videos: pd.DataFrame, report: str, detector: Path) -> scope.Scope:
    """What the report says, for the detector's card; a copy that was sent stands as a further dataset."""
    figures: dict[str, Any] = {"by_method": {}, "extra": {}}
    for copy, method, reals, fakes in parts(videos):
        own = column(pd.concat([reals, fakes]))
        if copy == AS_IT_IS:
            figures |= {"video": own, "coverage": own["coverage"]}  # the last is of all methods
            if method not in ("real", "all"):
                figures["by_method"][method] = own
        else:
            figures["extra"][f"sent on, {copy}"] = own
    fitted = set(bundle.read_validation(detector)["video_id"]) & set(named(videos))
    return scope.of(figures, hashlib.sha256(report.encode()).hexdigest(), WORDS + FITTED * bool(fitted))


def column(videos: pd.DataFrame) -> dict[str, Any]:
    """Every figure of some videos, as evaluate has them, and how many of them were scored."""
    return evaluate.of_rows(videos.dropna(subset="score"), TEST) | {"coverage": coverage(videos)}


def calibrated(table: pd.DataFrame, detector: Path, out: Path) -> None:
    """Write the detector with the scoring that fits the logits of these videos."""
    rows = table[table["copy"].isin((AS_IT_IS, "usual"))].dropna(subset="logit")
    columns = ["video_id", "label", "group", "track", "sequence", "logit", *SEEN, "member"]
    validation = rows.assign(video_id=named(rows), sequence=0, member=0)[columns].sort_values(["video_id", "track"])
    validation = validation.dropna(axis="columns", how="all")  # what the detector does not know
    settings = yaml.safe_load(PARAMS.read_text())["calibrate"]
    with TemporaryDirectory() as scratch:
        for file in detector.iterdir():
            if file.name not in (bundle.CARD, bundle.VALIDATION):
                shutil.copy(file, scratch)
        tables.write(Path(scratch, bundle.VALIDATION), validation)
        scoring, figures = calibrate.fit(validation, calibrate.CalibrateParams.model_validate(settings))
        bundle.save(out, Path(scratch), bundle.read(detector).params, scoring, figures)


def named(videos: pd.DataFrame) -> list[str]:
    """What a video and its copy are called among those of a validation."""
    columns = zip(videos["method"], videos["file"], videos["copy"], strict=True)
    return [f"{method}/{Path(file).stem} {copy}" for method, file, copy in columns]


def ranked(figures: dict[str, Any]) -> str:
    """AUC and its interval."""
    ends = "" if figures["auc_low"] is None else f"{figures['auc_low']:.3f} to {figures['auc_high']:.3f}"
    return f"{evaluate.shown(figures['auc'])} | {ends}"


def above(reals: pd.DataFrame, fakes: pd.DataFrame) -> float:
    """How often a fake scores above its own original."""
    own = reals.set_index("source")["score"].reindex(fakes["source"]).to_numpy()
    known = np.isfinite(own) & fakes["score"].notna().to_numpy()
    return float((fakes["score"].to_numpy() > own)[known].mean())


def main() -> None:
    """Read the arguments, score, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", type=Path)
    parser.add_argument("forged", type=Path, nargs="+")
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--calibrated", type=Path, help="a new folder")
    parser.add_argument("--scope", type=Path, help="a new folder")
    parser.add_argument("--copies", default="light,usual,heavy", help=f"{', '.join(COPIES)}, or SCALE:CRF")
    parser.add_argument("--sources", default="", help="only the videos of sources whose names hold this")
    arguments = parser.parse_args()
    videos, detector = listed(arguments.forged), bundle.home(arguments.detector)
    videos = videos[videos["source"].str.contains(arguments.sources, regex=False)]
    if arguments.logits and arguments.logits.is_file():
        table = pd.read_csv(arguments.logits)
    else:
        copies = [copy for copy in arguments.copies.split(",") if copy]
        of_fakes = [copy for copy in copies if copy == "usual" or copy not in COPIES]
        todo = [(row.file, AS_IT_IS) for row in videos.itertuples()]
        todo += list(product(videos["file"][videos["label"] == 0], copies))
        todo += list(product(videos["file"][videos["label"] == 1], of_fakes))
        results = Parallel(n_jobs=jobs(), verbose=1)(delayed(scored)(detector, *pair) for pair in todo)
        table = pd.DataFrame([row for rows in results for row in rows])
        if arguments.logits:
            table.to_csv(arguments.logits, index=False)
    table = table.merge(videos, on="file")
    if arguments.calibrated:
        calibrated(table, detector, arguments.calibrated)
        detector = arguments.calibrated
    verdicts = judgements(table, inference.load(detector))
    report = measured(verdicts) + "\n"
    print(report, end="")
    if arguments.out:
        arguments.out.write_text(report)
    if arguments.scope:
        bundle.describe(arguments.scope, detector, described(verdicts, report, detector))


if __name__ == "__main__":
    main()
