"""limits: how much is taken from strangers, and how long it may take; each bound is inclusive."""

from typing import Any

from pydantic import Field

from deepfake.base.params import Params

MB = 2**20  # bytes, as file managers and Streamlit count


class Limits(Params):
    """The bounds of a service, their defaults, and what each is in words."""

    megabytes: int = Field(default=200, gt=0, description="2**20 bytes of an upload")
    pixels: int = Field(default=2**24, gt=0, description="width x height of a picture, as shown")
    seconds: float = Field(default=600, gt=0, description="seconds that a video lasts")
    frames: int = Field(default=36_000, gt=0, description="frames of a video")
    workers: int = Field(default=1, gt=0, description="videos that are judged at once")
    queue: int = Field(default=100, gt=0, description="videos that are uploaded, wait or are judged")
    per_client: int = Field(default=50, gt=0, description="of these, from one client")
    stored_megabytes: int = Field(default=4000, gt=0, description="2**20 bytes of all uploads on disk")
    timeout: float = Field(default=300, gt=0, description="seconds for judging a video, the queue apart")
    upload_seconds: float = Field(default=300, gt=0, description="seconds for an upload")
    idle_seconds: float = Field(default=10, gt=0, description="seconds without a byte of it")
    memory_megabytes: int = Field(default=2000, gt=0, description="2**20 bytes that a video takes beside the detectors")
    connections: int = Field(default=500, gt=0, description="connections at once")
    keep_seconds: float = Field(default=3600, gt=0, description="seconds that a result is kept")
    kept: int = Field(default=1000, gt=0, description="results that are kept")

    @property
    def bytes(self) -> int:
        """Of an upload."""
        return self.megabytes * MB

    def table(self) -> dict[str, dict[str, Any]]:
        """Each bound, and what it is in words: what /limits says."""
        about = type(self).model_fields
        return {name: {"limit": value, "of": about[name].description} for name, value in self.model_dump().items()}

    def words(self) -> str:
        """What a person who has a video wants to know of them."""
        minutes = f"{self.seconds / 60:g} minutes" if self.seconds >= 60 else f"{self.seconds:g} s"
        return (
            f"at most {self.megabytes:,} MB, {minutes}, {self.frames:,} frames, "
            f"{self.pixels / 1e6:.1f} million pixels a picture"
        )
