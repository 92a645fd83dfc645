"""disk: files and folders appear whole or not at all; nothing is ever changed in place."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deepfake.base.errors import UserError

LEFTOVER = 86400  # s: what nothing was written to for so long, a killed run left behind


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A path beside `path`, of the same suffix, that takes its place, file or folder, when the block ends well.

    A folder takes that of a folder; a file never does, which raises UserError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder, path.name)
        yield new
        if path.is_dir() and not path.is_symlink():
            if not new.is_dir():
                raise UserError(f"{path} is a folder", "name a file in it")
            path.rename(Path(folder, "old"))  # a folder cannot be renamed over: the old one goes first
        new.replace(path)


def sweep(folder: Path) -> None:
    """Remove the unfinished folders in a folder that are old enough to be nobody's."""
    for path in folder.glob(".new-*"):
        with suppress(FileNotFoundError):  # another run ends, or sweeps
            if max(stat.st_mtime for stat in (path.lstat(), *files(path))) < time.time() - LEFTOVER:
                shutil.rmtree(path)


def files(folder: Path) -> list[os.stat_result]:
    """What is known of each file below, links not followed; without what another run removes or renames meanwhile."""
    stats = []
    for here, _, names in os.walk(folder):  # which passes over a folder that is gone
        for name in names:
            with suppress(FileNotFoundError):
                stats.append(Path(here, name).lstat())
    return stats


def occupied(folder: Path) -> int:
    """Bytes of all files below, each counted once, however many names it has."""
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in files(folder)}.values())


def settle(folder: Path) -> None:
    """Bring the folder's files to the disk, so that a power cut leaves no renamed folder of empty files."""
    for path in (*sorted(folder.iterdir()), folder):
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def link(source: Path, target: Path) -> None:
    """The same file under a second name: a hard link, or a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        raise  # copying would change, in place, whatever shares its inode
    except OSError:
        shutil.copy2(source, target)


def beside(path: Path) -> str:
    """What to do about a file that is not here but where an experiment was begun; "" where it is in neither."""
    home = Path(os.environ.get("DVC_ROOT", "."), path)
    if path.is_absolute() or not home.is_file():
        return ""
    return f"the queue runs in a folder of its own: dvc exp run --queue --copy-paths {path}, or name it {home}"
