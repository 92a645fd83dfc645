"""disk: files and folders appear whole or not at all; nothing is ever changed in place."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A path beside `path`, of the same suffix, that takes its place, file or folder, when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder, path.name)
        yield new
        if path.is_dir() and not path.is_symlink():
            path.rename(Path(folder, "old"))  # a folder cannot be renamed over: the old one goes first
        new.replace(path)


def link(source: Path, target: Path) -> None:
    """The same file under a second name: a hard link, or a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        raise  # copying would change, in place, whatever shares its inode
    except OSError:
        shutil.copy2(source, target)
