"""detect: kept frames in, faces and their tracks out."""

from pathlib import Path

import pandas as pd

from deepfake import detect
from deepfake.base import items, params, tables
from deepfake.base.errors import UserError
from deepfake.dataset.files import mask_of
from deepfake.dataset.videos import read
from deepfake.pages import plots
from stages.command import In, Metric, Out, Plot, done, main


def run(
    videos: In = Path("data/videos.csv"),
    frames: In = Path("data/frames"),
    faces: Out = Path("data/faces.parquet"),
    crops: Out = Path("data/faces"),
    report: Metric = Path("reports/detect.json"),
    sheet: Plot = Path("reports/plots/faces.jpg"),
) -> None:
    """Find the faces of every kept frame, link them into tracks, align and crop them."""
    p = params.load("detect", detect.DetectParams)
    detect.detector_of(p.detector, p.weights)  # a wrong name or file is said at once, not by a worker
    table = read(videos)
    usable = table[table["kept"] > 0]
    files = (Path(p.weights),) if p.weights else ()
    todo = []
    for video_id, masked in zip(usable["video_id"], usable["masked"].eq(True), strict=True):
        mask = [mask_of(frames, video_id)] if masked else []
        todo.append(items.Item(video_id, (frames / f"{video_id}.mkv", *mask, *files), {"masked": bool(mask)}))
    results = items.build(crops, todo, detect.work, p, plugins=[f"deepfake.detectors.{p.detector}"])
    rows = [{"video_id": item.name} | row for item, result in zip(todo, results, strict=True) for row in result.result]
    if not rows:
        raise UserError(
            f"no face in any of {len(todo)} videos", "try detect.detector: dlib_cnn, or a larger search_side"
        )
    sights = pd.DataFrame(rows)
    tables.write(faces, sights)
    tables.write_metrics(report, detect.summary(table, sights))
    plots.save(sheet, plots.faces_sheet(sights, table.set_index("video_id")["label"], crops))
    without = len(todo) - sights["video_id"].nunique()
    done("detect", f"{len(todo)} videos, {items.remade(results)} made anew, {without} without a face", faces)


if __name__ == "__main__":
    main(run)
