"""fields: interlaced frames, whose odd and even lines were taken one after the other, made whole."""

from collections import deque
from collections.abc import Iterator

import av

from deepfake.player.filters import Chain, Kind, kind, planar

# as many frames as before, each at the time of its first field; those that are not flagged stay as they are
WHOLE = [("bwdif", "mode=send_frame:parity=auto:deint=interlaced")]
SMALLEST = 4  # px of a side, which the filter refuses to go below


class Deinterlacer:
    """Passes frames on, one or two behind from the first interlaced one on; those flagged as interlaced made whole.

    Source: bwdif of FFmpeg, after Weston, "Interpolating lines of video signals", BBC 1988, and yadif.
    """

    def __init__(self) -> None:
        self.count = 0  # of the frames made whole
        self.times: deque[float] = deque()  # of the frames that wait in the chain
        self.chain: Chain | None = None
        self.kind: Kind | None = None

    def __call__(self, time: float, picture: av.VideoFrame) -> Iterator[tuple[float, av.VideoFrame]]:
        """The frames that are done, now that there is this one more."""
        if self.chain and self.kind != kind(picture):
            yield from self.rest()
        if not self.chain:
            if not picture.interlaced_frame or min(picture.width, picture.height) < SMALLEST:
                yield time, picture
                return
            self.kind, self.chain = kind(picture), Chain(planar(picture), WHOLE)
        self.count += picture.interlaced_frame
        self.times.append(time)
        self.chain.push(planar(picture))
        yield from self._done(self.chain)

    def rest(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """The frames that still wait, at the end."""
        if self.chain:
            self.chain.push(None)
            yield from self._done(self.chain)
            self.chain = None

    def _done(self, chain: Chain) -> Iterator[tuple[float, av.VideoFrame]]:
        for picture in chain.ready():
            yield self.times.popleft(), picture
