"""decoding: the pictures of an opened video in the order of showing, and what of it is lost."""

import math
import re
from collections.abc import Iterator
from heapq import heappop, heappush

import av
import av.container
import av.error

from deepfake.player.needed import Plan

BACK = 1.0  # s that a clock may step back, as the order of decoding does; more is another beginning: files were joined
TICK = 0.001  # s, at least, from one frame to the next
STILL = ("image2", "jpeg_pipe")  # formats of a single picture
SPARED = 2  # packets of HEVC without a picture, of which nothing is said
MAX_FAULTS = 1000  # packets that do not decode, after which a file is given up
SLACK = 0.02, 2  # part of the length that a header may be wrong by, or frames where these are more


def rate(stream: av.VideoStream) -> float:
    """Frames per second, 25 where nothing tells."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def shown(packet: "av.Packet[av.VideoStream]") -> bool:
    """Whether a packet holds something to show: no filler, and not only there for others to be decoded."""
    return packet.size > 0 and not packet.is_discard


class Clock:
    """Seconds that go on where those of a file begin anew, as where two were joined."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.offset = 0.0  # s
        self.last: float | None = None  # s

    def __call__(self, time: float) -> float:
        """A time of the file, s, as it counts."""
        if self.last is not None and time + self.offset < self.last - BACK:
            self.offset = self.last + 1 / self.fps - time
        time += self.offset
        self.last = time if self.last is None else max(self.last, time)
        return time


class Decoding:
    """Iterated once, it gives the time in s and the picture of each frame, but for those that are corrupt.

    With a plan, of those alone that it needs. Times rise, whatever the file says.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream, plan: Plan | None = None
    ) -> None:
        self.container, self.stream, self.plan = container, stream, plan
        self.faults: list[str] = []  # why packets do not decode
        self.corrupt = 0  # frames that the decoder made up, in part
        self.packets = 0  # that hold something to show
        self.last = 0  # tick at which the last packet begins
        self.ticks: list[int] = []  # of the packets so far; in AVI of those whose pictures are to come, as a heap
        self.pictures: list[int] = []  # tick of the first picture of HEVC, and one for each further
        self.counted = "avi" in container.format.name.split(",")  # packets have their number in the file for a clock
        self.silent = stream.codec_context.name == "hevc" and plan is None  # pictures are lost without a word
        stream.codec_context.thread_count = 1  # videos are read side by side
        if stream.codec_context.name == "mjpeg" and container.format.name in STILL:
            stream.codec_context.options = {"err_detect": "explode"}  # else what is missing is painted grey

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        index, fps, tick = 0, rate(self.stream), float(self.stream.time_base or 0)
        clock, before = Clock(fps), -math.inf
        for pictures in self._decoded():
            for picture in pictures:
                if picture.time_base is None and self.stream.time_base:  # of one that the decoder held to the end
                    picture.time_base = self.stream.time_base
                at = heappop(self.ticks) if self.counted and self.ticks else picture.pts
                if self.silent and at is not None:
                    self.pictures.append(at)
                if picture.is_corrupt:
                    self.corrupt += 1
                else:
                    before = max(before + TICK, clock(index / fps if at is None else at * tick))
                    yield before, picture
                index += 1

    def _decoded(self) -> Iterator[list[av.VideoFrame]]:
        packets = self.container.demux(self.stream)
        at_end, place = False, -1
        while not at_end and len(self.faults) <= MAX_FAULTS:
            try:
                packet = next(packets, None)
                if packet is None:
                    at_end = True
                    yield self.stream.codec_context.decode(None)
                elif packet.size:  # an empty one, a filler in AVI, would end the decoding
                    self._count(packet)
                    place += 1
                    if self.plan is None or self._sent(self.plan, place):
                        yield packet.decode()
            except av.error.FFmpegError as error:  # one bad packet; those after it may be good
                self.faults.append(str(error.strerror))
                if self.counted and self.ticks:
                    heappop(self.ticks)

    def _sent(self, plan: Plan, place: int) -> bool:
        """Whether a packet is to be decoded; the decoder is told whether its picture is wanted for itself."""
        if place >= len(plan.sent) or not plan.sent[place]:
            return False
        self.stream.codec_context.skip_frame = "DEFAULT" if plan.kept[place] else "NONREF"
        return True

    def _count(self, packet: "av.Packet[av.VideoStream]") -> None:
        tick = packet.dts if packet.pts is None else packet.pts
        if tick is not None:
            self.last = max(self.last, tick)
            if self.counted:
                heappush(self.ticks, tick)
            elif self.silent and shown(packet):
                self.ticks.append(tick)
        self.packets += shown(packet)

    def loss(self, ended: bool = True) -> str:
        """What is lost of what was read of the video, of the whole where it `ended`; "" for nothing.

        What the decoder takes in without a word is no loss: fields, pictures for reference alone, repeated frames.
        """
        lost = []
        if self.faults:
            lost.append(f"{len(self.faults)} packets do not decode: {self.faults[0]}")
        if self.corrupt:
            lost.append(f"{self.corrupt} frames are corrupt")
        if not ended:
            return "; ".join(lost)
        if self.pictures:  # those before the first refer to what is not in the file
            missing = sum(tick >= self.pictures[0] for tick in self.ticks) - len(self.pictures) - len(self.faults)
            if missing > SPARED:
                lost.append(f"{missing} packets give no picture")
        listed = sum(entry.size > 0 and not entry.is_discard for entry in self.stream.index_entries)
        length, there = self._said_length(), self.last * float(self.stream.time_base or 0)
        part, frames = SLACK
        if listed > self.packets:
            lost.append(f"{listed - self.packets} of {listed} packets are not in the file")
        elif length - there > max(part * length, (frames + 1) / rate(self.stream)):
            lost.append(f"it should last {length:.1f} s, and ends at {there:.1f} s")
        return "; ".join(lost)

    def _said_length(self) -> float:
        """s, by the header, of formats that list no packets in it: Matroska, AVI without an index; 0 where unknown."""
        if "avi" in self.container.format.name.split(","):
            return float(self.stream.frames * (self.stream.time_base or 0))  # a tick is a frame
        match = re.fullmatch(r"(\d+):(\d+):([\d.]+)", self.stream.metadata.get("DURATION", ""))
        parts = match.groups() if match else (0, 0, 0)
        return sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=True))
