"""inbox: where uploads lie while they are needed: a private folder, random names, bounded while they come."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from deepfake.app.service.limits import MB, Limits
from deepfake.app.service.refusal import Refused
from deepfake.dataset.files import printable
from deepfake.video import IMAGES, SUFFIXES

PREFIX = "deepfake-inbox-"
SCRATCH = "scratch"  # the folder for what is made on the way
YOUNG = 60  # s: a folder that may be of a service which only just starts
LONGEST = 200  # characters of a name that are shown


class Inbox:
    """The private folder of a service. What one that was killed left behind goes when the next one starts."""

    def __init__(self, limits: Limits) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self.limits = limits
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX))  # 0700, and of a random name
        self._lock = os.open(self.root, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # held as long as the process lives

    def upload(self, name: str) -> "Upload":
        """A new upload, said to be called so."""
        return Upload(Path(tempfile.mkdtemp(dir=self.root)), name, self.limits)

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.root, ignore_errors=True)
        os.close(self._lock)


class Upload:
    """A file that comes piece by piece, in a folder of its own that is removed with it."""

    def __init__(self, folder: Path, name: str, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self.name = shown_name(name)
        suffix = Path(self.name).suffix.lower()
        self.path = folder / f"video{suffix if suffix in SUFFIXES | IMAGES else ''}"  # no more of the name than that
        self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Add the next piece. Raises Refused where it is too much."""
        self.size += len(piece)
        if self.size > self.limits.bytes:
            raise Refused("too_large", f"it has more than {self.limits.megabytes:,} MB")
        self._digest.update(piece)
        self._file.write(piece)

    def finish(self) -> str:
        """The file is whole: its sha256. Raises Refused where there is nothing in it."""
        self._file.close()
        if not self.size:
            raise Refused("empty", "the file has no bytes")
        return self._digest.hexdigest()

    @property
    def extras(self) -> Path:
        """A folder for what is kept when the upload goes."""
        return self.folder / "extras"

    def clear(self) -> None:
        """Remove it, and what was made on the way."""
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)

    def remove(self) -> None:
        """Remove it, whole or not, and all that was made of it."""
        self._file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def shown_name(name: str) -> str:
    """The last part of a name, as a terminal and a page hold it; it is shown, and never a path."""
    last = printable(name.replace("\\", "/").rstrip("/").rpartition("/")[2]).strip()
    return f"{last[: LONGEST - 30]}…{last[-29:]}" if len(last) > LONGEST else last or "video"


def declared(size: int, limits: Limits) -> None:
    """Raises Refused where what is said to come is too much."""
    if size > limits.bytes:
        raise Refused("too_large", f"it has {size / MB:,.0f} MB, above the limit of {limits.megabytes:,} MB")


def _sweep(folder: Path) -> None:
    """Remove the inboxes that nobody holds any more."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's, held, or gone already
            if left.lstat().st_uid != os.geteuid() or left.lstat().st_mtime > time.time() - YOUNG:
                continue
            lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(lock)
