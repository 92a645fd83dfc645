"""targets: where answers are to be written: looked at before any video, for that must neither fail late nor do harm."""

import os
from collections.abc import Iterable
from pathlib import Path

from deepfake.base.errors import UserError
from deepfake.dataset.files import printable

ANOTHER = "name a new file, in a folder that may be written to"


def replaced(option: str, path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises UserError where a file may not take this place: of a folder, or of an input, by whatever name."""
    spared(option, path, inputs)
    if path.exists() and not path.is_file():
        raise UserError(f"{option} {printable(str(path))}: is no file", ANOTHER)
    reached(option, path)


def overwritten(option: str, path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises UserError where nothing may be written to a file, a pipe or a device: to a folder, to an input."""
    spared(option, path, inputs)
    if not path.parent.exists():
        raise UserError(f"{option} {printable(str(path))}: no folder {printable(str(path.parent.absolute()))}", ANOTHER)
    if not path.exists():
        reached(option, path)
    elif not os.access(path, os.W_OK):
        raise UserError(f"{option} {printable(str(path))}: may not be written to", ANOTHER)


def filled(option: str, folder: Path) -> None:
    """Raises UserError where no file can be put into a folder, which is made if need be."""
    reached(option, folder, (folder.absolute(), *folder.absolute().parents))


def spared(option: str, path: Path, inputs: Iterable[Path]) -> None:
    """Raises UserError for a folder, and for one of the inputs, by whatever name."""
    if path.is_dir():
        raise UserError(f"{option} {printable(str(path))}: is a folder", "name a file in it")
    if path.exists() and any(os.path.exists(file) and path.samefile(file) for file in inputs):  # noqa: PTH110
        raise UserError(f"{option} {printable(str(path))}: is a video that is asked about, and would be lost", ANOTHER)


def reached(option: str, path: Path, way: Iterable[Path] = ()) -> None:
    """Raises UserError where the nearest folder on the way, else of those above, is none, or may not be written to."""
    above = next(parent for parent in way or path.absolute().parents if os.path.lexists(parent))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        what = "may not be written to" if above.is_dir() else "is no folder"
        raise UserError(f"{option} {printable(str(path))}: {printable(str(above))} {what}", ANOTHER)
