"""transfer: does a detector find fakes of methods that it was not trained on? By method, before and after messengers.

    python benchmarks/transfer.py DETECTOR FORGED... [--logits FILE.csv] [--out FILE.md] [--copies light,usual,heavy]

Each FORGED is what `deepfake forge REAL_DIR FORGED --method NAME` leaves. Their reals are the same and are scored once.
Every video is scored as `deepfake predict` would, as it is and as messengers would send it: scaled down and encoded
again, reals in every copy, fakes in the first one.

AUC of each method against the originals of all, its 95 % interval by bootstrap over people; `own`, how often a fake
scores higher than the very video it was made of; false alarms and misses at the detector's threshold. The logits of all
videos go to a table: --logits reads it where it is there, and else writes it. --calibrated writes the detector anew,
its P(fake), its doubt and what is unlike its data fitted on these videos as they are and as usually sent, by the
params of data/builtin.
"""

import argparse
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml
from joblib import Parallel, delayed

from deepfake import bundle, calibrate, inference, video
from deepfake.base import tables
from deepfake.base.opencv import cv2
from deepfake.base.parallel import jobs
from deepfake.measures.intervals import auc
from deepfake.measures.statistics import Sample
from deepfake.predict import prepared
from deepfake.scores import THRESHOLD, TrackScore

COPIES = {  # how large, and H.264's crf, of what a messenger sends on
    "light": (1.0, 26),
    "usual": (0.7, 29),
    "heavy": (0.5, 32),
}
AS_IT_IS = "as it is"
RESAMPLES = 1000
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


def sent(file: Path, copy: str, folder: Path) -> Path:
    """The file, or what arrives of it."""
    if copy == AS_IT_IS:
        return file
    scale, crf = COPIES[copy]

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
        about | {"track": track, "logit": voice.logit, "faces": voice.faces, "distance": voice.distance}
        for track, voice in voices.items()
    ]
    return rows or [about | {"track": -1, "logit": np.nan, "faces": 0, "distance": None}]


def measured(table: pd.DataFrame, detector: inference.Detector) -> str:
    """The report in Markdown."""
    names = ["file", "copy", "label", "method", "group", "source"]
    rows = []
    for about, tracks in table.groupby(names):
        usable = tracks.dropna(subset="logit")
        voices = [TrackScore((logit,), faces) for logit, faces in zip(usable["logit"], usable["faces"], strict=True)]
        rows.append(dict(zip(names, about, strict=True)) | {"score": detector.score(voices) if voices else np.nan})
    videos = pd.DataFrame(rows)
    lines = ["| copy | method | videos | no score | AUC | 95 % interval | own | called fake |", "|---|" + "---|" * 7]
    for copy in [AS_IT_IS, *COPIES]:
        part = videos[videos["copy"] == copy]
        if part.empty:
            continue
        reals = part[part["label"] == 0]
        lines.append(f"| {copy} | real | {counts(reals)} | | | | {called(reals)} |")
        for method, fakes in part[part["label"] == 1].groupby("method"):
            lines.append(f"| {copy} | {method} | {counts(fakes)} | {ranked(reals, fakes)} | {called(fakes)} |")
        fakes = part[part["label"] == 1]
        if len(fakes):
            lines.append(f"| {copy} | all | {counts(fakes)} | {ranked(reals, fakes)} | {called(fakes)} |")
    return "\n".join(lines)


def calibrated(table: pd.DataFrame, detector: Path, out: Path) -> None:
    """Write the detector with the scoring that fits the logits of these videos."""
    rows = table[table["copy"].isin((AS_IT_IS, "usual"))].dropna(subset="logit")
    stems = [Path(file).stem for file in rows["file"]]
    names = [f"{method}/{stem} {copy}" for method, stem, copy in zip(rows["method"], stems, rows["copy"], strict=True)]
    columns = ["video_id", "label", "group", "track", "sequence", "logit", "faces", "distance", "member"]
    validation = rows.assign(video_id=names, sequence=0, member=0)[columns].sort_values(["video_id", "track"])
    settings = yaml.safe_load(PARAMS.read_text())["calibrate"]
    with TemporaryDirectory() as scratch:
        for file in detector.iterdir():
            if file.name not in (bundle.CARD, bundle.VALIDATION):
                shutil.copy(file, scratch)
        tables.write(Path(scratch, bundle.VALIDATION), validation)
        scoring, figures = calibrate.fit(validation, calibrate.CalibrateParams.model_validate(settings))
        bundle.save(out, Path(scratch), bundle.read(detector).params, scoring, figures)


def counts(videos: pd.DataFrame) -> str:
    return f"{len(videos)} | {videos['score'].isna().sum()}"


def ranked(reals: pd.DataFrame, fakes: pd.DataFrame) -> str:
    """AUC, its interval, and how often a fake scores above its own original."""
    both = pd.concat([reals, fakes]).dropna(subset="score")
    figures = auc(Sample.rows(both["label"], both["score"], both["group"]), RESAMPLES, seed=0)
    ends = "" if figures["auc_low"] is None else f"{figures['auc_low']:.3f} to {figures['auc_high']:.3f}"
    own = reals.set_index("source")["score"].reindex(fakes["source"]).to_numpy()
    known = np.isfinite(own) & fakes["score"].notna().to_numpy()
    above = (fakes["score"].to_numpy() > own)[known].mean()
    return f"{figures['auc']:.3f} | {ends} | {above:.2f}"


def called(videos: pd.DataFrame) -> str:
    known = videos["score"].dropna()
    return f"{(known >= THRESHOLD).sum()} of {len(known)}"


def main() -> None:
    """Read the arguments, score, print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", type=Path)
    parser.add_argument("forged", type=Path, nargs="+")
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--calibrated", type=Path, help="a new folder")
    parser.add_argument("--copies", default="light,usual,heavy", help="of " + ", ".join(COPIES))
    arguments = parser.parse_args()
    videos = listed(arguments.forged)
    if arguments.logits and arguments.logits.is_file():
        table = pd.read_csv(arguments.logits)
    else:
        copies = [copy for copy in arguments.copies.split(",") if copy]
        todo = [(row.file, AS_IT_IS) for row in videos.itertuples()]
        todo += list(product(videos["file"][videos["label"] == 0], copies))
        todo += list(product(videos["file"][videos["label"] == 1], [c for c in copies if c == "usual"]))
        results = Parallel(n_jobs=jobs(), verbose=1)(delayed(scored)(arguments.detector, *pair) for pair in todo)
        table = pd.DataFrame([row for rows in results for row in rows])
        if arguments.logits:
            table.to_csv(arguments.logits, index=False)
    table = table.merge(videos, on="file")
    if arguments.calibrated:
        calibrated(table, arguments.detector, arguments.calibrated)
    report = measured(table, inference.load(arguments.calibrated or arguments.detector))
    print(report)
    if arguments.out:
        arguments.out.write_text(report + "\n")


if __name__ == "__main__":
    main()
