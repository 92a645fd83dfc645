"""prediction: what is said of a video: its verdict, its score, its faces, and how they change with time."""

from dataclasses import asdict, dataclass
from typing import Any

WINDOW = 10.0  # s: a video of more than one and a half of these has a timeline of windows about so long


@dataclass(frozen=True)
class Span:
    """What is said of one face in a stretch of time."""

    start: float  # s, of its first frame
    end: float  # s, of its last
    score: float  # P(fake)


@dataclass(frozen=True)
class Box:
    """Where a face is in a frame, in px of the video as shown."""

    time: float  # s
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Track:
    """What is said of one face through a video."""

    track: int
    score: float  # P(fake)
    faces: int  # that were good enough to look at
    start: float  # s, of the first of them
    end: float  # s, of the last
    timeline: tuple[Span, ...] = ()  # its sequences, as the networks see them; they may overlap
    box: Box | None = None  # in the sharpest frame of the sequence that speaks loudest for the track's score
    boxes: tuple[Box, ...] = ()  # in each frame that was good enough to look at


@dataclass(frozen=True)
class Window:
    """What is said of a stretch of a long video, looked at as if it were a video of its own."""

    start: float  # s
    end: float  # s, exclusive
    status: str  # ok, no_face or too_few_faces
    reason: str
    score: float | None  # P(fake)
    verdict: str | None
    tracks: tuple[Track, ...] = ()  # numbered anew in each window


@dataclass(frozen=True)
class Prediction:
    """What is said of a video. Without a score where it cannot be said: `status` and `reason` tell why."""

    path: str
    status: str  # ok, truncated, decode_error, no_video, missing, no_face or too_few_faces
    reason: str
    score: float | None  # P(fake), calibrated
    verdict: str | None  # "fake" or "real" by the threshold; "inconclusive" where that would be a guess
    threshold: float
    tracks: tuple[Track, ...]
    wording: str = (
        ""  # authentic, nothing suspicious, suspicious, manipulated: no surer than the detector; inconclusive
    )
    novelty: float | None = None  # above 1: unlike the training data; None where the detector does not know it
    timeline: tuple[Window, ...] = ()  # of a long video: all of it, window by window

    def to_dict(self) -> dict[str, Any]:
        """The prediction as JSON would have it."""
        return asdict(self)
