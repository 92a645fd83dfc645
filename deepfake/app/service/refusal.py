"""refusal: why something is not taken, in words and by a name that programs know."""

KINDS = {  # what programs know it by: its title
    "unauthorized": "a token is needed",
    "not_found": "no such thing",
    "invalid": "the request is wrong",
    "busy": "too much is being done",
    "too_many": "too many of yours are being done",
    "slow": "the upload takes too long",
    "too_large": "the file is too large",
    "empty": "the file is empty",
    "not_a_video": "no video, and no picture",
    "too_many_pixels": "the pictures are too large",
    "too_long": "the video is too long",
    "too_many_frames": "the video has too many frames",
    "too_heavy": "reading it takes too much memory or time",
    "timeout": "judging it took too long",
    "failed": "judging it failed",
    "cancelled": "it was cancelled",
}


class Refused(Exception):
    """Something is not taken, or not done: `kind` is one of KINDS, the text is the reason, in words."""

    def __init__(self, kind: str, reason: str, retry: int = 0) -> None:
        super().__init__(kind, reason, retry)  # all of it: it comes back from another process by these
        self.kind, self.reason = kind, reason
        self.retry = retry  # s, after which to try again; 0: it would be the same

    def __str__(self) -> str:
        return self.reason

    @property
    def title(self) -> str:
        """What the kind is in words."""
        return KINDS[self.kind]
