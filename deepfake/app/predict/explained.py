"""explained: a picture of each video and detector: the faces that speak loudest, and where in them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from deepfake import explain, predict
from deepfake.app.predict.several import Panel
from deepfake.dataset.files import shortened
from deepfake.pages import plots
from deepfake.video import Images

TRACKS = 3  # faces of a video, at most, those surest to be what the video is said to be first


def strips(path: Path, panel: Panel) -> Iterator[tuple[str, Images]]:
    """A strip for each detector that sees a face in the video, and what its file is to be called. Raises UserError."""
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
        yield shortened(f"{path.name}{whose}", 200), explain.strip(rows)


def write(folder: Path, strips: Sequence[tuple[str, Images]]) -> None:
    """Write each strip as a file of the folder that is not there yet: name.png, name.2.png ..."""
    for name, strip in strips:
        target, number = folder / f"{name}.png", 2
        while target.exists():
            target, number = folder / f"{name}.{number}.png", number + 1
        plots.save(target, strip)
