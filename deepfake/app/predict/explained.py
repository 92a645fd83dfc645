"""explained: a picture of each video and detector: the faces that speak loudest, and where in them."""

from pathlib import Path

from deepfake import explain, predict
from deepfake.app.predict.several import Panel
from deepfake.dataset.files import shortened
from deepfake.pages import plots

TRACKS = 3  # faces of a video, at most, those surest to be what the video is said to be first


def explained(folder: Path, path: Path, panel: Panel) -> list[Path]:
    """Write a strip for each detector that sees a face in the video; their files. Raises UserError."""
    written: list[Path] = []
    for scorer in panel.plain:
        name, detector = scorer.name, scorer.detector
        with predict.prepared(path, detector) as video:
            prediction = predict.scored(path, video, detector)
            if prediction.score is None:
                continue
            tracks = sorted(prediction.tracks, key=lambda track: abs(track.score - (prediction.score or 0.0)))[:TRACKS]
            rows = {
                f"{path.name}, face {track.track}: P(fake) {track.score:.3f}, {name}": explain.loudest(
                    detector, video.images[track.track], track
                )
                for track in tracks
            }
        whose = f".{Path(name).name}" if len(panel.plain) > 1 else ""
        target = free(folder, shortened(f"{path.name}{whose}", 200))
        plots.save(target, explain.strip(rows))
        written.append(target)
    return written


def free(folder: Path, name: str) -> Path:
    """A file of the folder that is not there yet: name.png, name.2.png ..."""
    target, number = folder / f"{name}.png", 2
    while target.exists():
        target, number = folder / f"{name}.{number}.png", number + 1
    return target
