"""source: a file opened as what it is, by no name that means more than a file, and its stream that a player shows."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.container
import av.error
from av.stream import Disposition

SUFFIXES = frozenset(  # of videos; a GIF is one
    [
        *[
            ".264",
            ".265",
            ".3g2",
            ".3gp",
            ".3gpp",
            ".amv",
            ".apng",
            ".asf",
            ".avi",
            ".divx",
            ".dv",
            ".f4v",
            ".flv",
            ".gif",
            ".h264",
            ".h265",
        ],
        *[
            ".hevc",
            ".ivf",
            ".m1v",
            ".m2t",
            ".m2ts",
            ".m2v",
            ".m4v",
            ".mjpeg",
            ".mjpg",
            ".mk3d",
            ".mkv",
            ".mod",
            ".mov",
            ".mp4",
            ".mpe",
        ],
        *[
            ".mpeg",
            ".mpg",
            ".mpv",
            ".mts",
            ".mxf",
            ".nut",
            ".ogm",
            ".ogv",
            ".qt",
            ".rm",
            ".rmvb",
            ".tod",
            ".ts",
            ".vob",
        ],
        *[".webm", ".wmv", ".y4m"],
    ]
)
IMAGES = frozenset(  # which are videos of one frame
    [
        *[".avif", ".bmp", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"],
        *[".png", ".tif", ".tiff", ".webp"],
    ]
)
# what a file may hold beside what it shows: a cover, small pictures for seeking, the tiles of a large picture
BESIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
BUFFER = 2**20  # bytes that are read at once
FIRST = {"probesize": "32", "analyzeduration": "0"}  # bytes and us at the least that are looked at: one frame


class Unreadable(Exception):
    """Nothing of the file can be shown: not a video, empty, cut before its index, sound only.

    `status` is "missing", "decode_error" or "no_video"; the text is the reason.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def is_video(path: Path) -> bool:
    """Whether the name is that of a video, or of an image, which is a video of one frame."""
    return path.suffix.lower() in SUFFIXES | IMAGES


@contextmanager
def opened(path: Path, ours: bool = False) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and the stream of it that is shown. Raises Unreadable.

    Of a file of `ours` the first frame tells all; of others FFmpeg decodes several before it says what they are.

    FFmpeg is handed an open file and the suffix of its name alone: it would read `12:30.mp4` and `concat:a` as
    addresses and `%03d.jpg` as many files. A file that tells it to open others (a playlist) is refused.
    """
    try:
        if not path.is_file():
            raise Unreadable("missing", "no such file")
        if not path.stat().st_size:
            raise Unreadable("decode_error", "the file is empty")
        file = io.FileIO(path)
    except OSError as error:
        raise Unreadable("decode_error", f"cannot be read: {error.strerror}") from None
    with file:
        file.name = f"video{path.suffix}" if path.suffix.isascii() and path.suffix[1:].isalnum() else "video"
        try:
            options = {"protocol_whitelist": "none"} | (FIRST if ours else {})
            container = av.open(file, "r", options=options, metadata_errors="replace", buffer_size=BUFFER)
        except av.error.FFmpegError as error:
            raise Unreadable("decode_error", f"not a readable video: {error.strerror}") from None
        with container:
            yield container, _shown(container)


def _shown(container: av.container.InputContainer) -> av.VideoStream:
    """FFmpeg's best stream where it is no cover and no still beside a film; else the default or largest of the rest.

    Of a picture that is stored in tiles, and of that alone, a tile.
    """
    streams = [s for s in container.streams.video if not s.disposition & BESIDE]
    streams = [s for s in streams if not s.disposition & Disposition.still_image] or streams
    tiles = [s for s in container.streams.video if s.disposition & Disposition.dependent]
    if tiles and not any(s.disposition & Disposition.default for s in streams):  # what is beside them is a thumbnail
        return tiles[0]
    if not streams:
        raise Unreadable("no_video", "the file has no video stream")
    if not (known := [s for s in streams if s.codec_context is not None]):
        raise Unreadable("decode_error", "no decoder for its codec")
    best = container.streams.best("video")
    if best in known:
        return known[known.index(best)]
    return max(known, key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height))
