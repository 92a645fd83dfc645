"""files: everything under a folder is found once or said to be left out, and every name can be stored."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from deepfake.base.errors import UserError
from deepfake.dataset.files import LONGEST, counted, name_of, printable, walk

MP4 = {".mp4"}


def tree(root: Path, *names: str) -> Path:
    """Empty files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root: Path) -> list[str]:
    return [file.as_posix() for file in walk(root, MP4).files]


def test_files_come_sorted_and_what_is_not_taken_is_counted_by_suffix(tmp_path):
    tree(tmp_path, "b.mp4", "a.MP4", "x/c.mp4", "notes.txt", "x/more.TXT", "x/README", "a.mp4.part")
    walked = walk(tmp_path, MP4)
    assert [file.as_posix() for file in walked.files] == ["a.MP4", "b.mp4", "x/c.mp4"]
    assert walked.left == {".part": 1, ".txt": 2, "without a suffix": 1}
    assert counted(walked.left) == "1 .part, 2 .txt, 1 without a suffix"


@pytest.mark.parametrize(
    "name", [".a.mp4", "._a.mp4", ".hidden/a.mp4", "__MACOSX/a.mp4", "Thumbs.db", "x/.DS_Store", "desktop.ini"]
)
def test_hidden_files_and_what_systems_leave_behind_are_no_videos(tmp_path, name):
    walked = walk(tree(tmp_path, "a.mp4", name), MP4)
    assert (listed(tmp_path), walked.left) == (["a.mp4"], {"hidden": 1})


def test_masks_are_left_out_and_counted(tmp_path):
    tree(tmp_path, "Deepfakes/c23/a.mp4", "Deepfakes/masks/videos/a.mp4", "Deepfakes/Mask/b.mp4", "masked/c.mp4")
    walked = walk(tmp_path, MP4)
    assert listed(tmp_path) == ["Deepfakes/c23/a.mp4", "masked/c.mp4"]
    assert walked.left == {"in masks": 2}


def test_a_folder_that_is_called_like_a_video_is_none(tmp_path):
    assert listed(tree(tmp_path, "a.mp4/b.mp4")) == ["a.mp4/b.mp4"]


def test_linked_folders_are_entered_and_each_real_one_once(tmp_path):
    root = tree(tmp_path / "root", "own/a.mp4", "own/deep/b.mp4")
    elsewhere = tree(tmp_path / "elsewhere", "c.mp4", "deep/d.mp4")
    (root / "again").symlink_to(root / "own")  # sorts before the folder itself, which keeps its name all the same
    (root / "link").symlink_to(elsewhere)
    (root / "later").symlink_to(elsewhere / "deep")
    assert listed(root) == ["later/d.mp4", "link/c.mp4", "own/a.mp4", "own/deep/b.mp4"]


def test_loops_of_links_end(tmp_path):
    root = tree(tmp_path / "root", "own/a.mp4")
    tree(tmp_path, "beside.mp4")
    for name, target in {"self": root, "up": tmp_path, "own/round": root / "own", "own/two": "two"}.items():
        (root / name).symlink_to(target)
    tree(tmp_path / "other", "b.mp4")
    (root / "other").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(root)
    assert listed(root) == ["other/b.mp4", "own/a.mp4"]


def test_what_is_called_like_a_video_is_listed_whatever_it_is(tmp_path):
    """A pipe, a socket and a link to nothing become rows with a reason, later on."""
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing.mp4")
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(os.path.relpath(tmp_path / "socket.mp4"))
        assert listed(tmp_path) == ["gone.mp4", "pipe.mp4", "socket.mp4"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    tree(tmp_path, "real/a.mp4", "real/locked/b.mp4")
    scan = os.scandir

    def denied(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(UserError, match=r"real/locked: the folder cannot be read: Permission denied") as error:
        walk(tmp_path, MP4)
    assert "chmod" in error.value.hint


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every folder")
def test_a_folder_without_rights_is_named(tmp_path):
    tree(tmp_path, "locked/b.mp4")
    (tmp_path / "locked").chmod(0)
    with pytest.raises(UserError, match=r"locked: the folder cannot be read"):
        walk(tmp_path, MP4)
    (tmp_path / "locked").chmod(0o700)


# ---- names


@pytest.mark.parametrize(
    "path",
    [
        "a.mp4",
        "real/Zoë 1.mp4",
        "con.mp4",
        "-a.mp4",
        "#1, \"x\" 'y'.mp4",
        "日本/東京.mp4",
        "a" * (LONGEST - 4) + ".mp4",
    ],
)
def test_a_name_that_can_be_stored_stays_as_it_is(path):
    assert name_of(path) == path
    assert printable(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "real/" + "a" * 251 + ".mp4",
        "real/" + "é" * 125 + ".mp4",
        "real/" + "a" * 250 + "/b.mp4",
        "real/new\nline.mp4",
        "real/re\rturn\t.mp4",
        "real/line\u2028end.mp4",
        os.fsdecode(b"real/caf\xe9.mp4"),
        os.fsdecode(b"r\xe9al/a.mp4"),
        "real/a.mp4.mkv/b.mp4",  # where the frames of a.mp4 would be stored
        "/".join(["x" * 190] * 8) + "/a.mp4",
    ],
)
def test_a_name_that_cannot_be_stored_is_written_another_way(tmp_path, path):
    name = name_of(path)
    assert name != path
    assert name.encode().decode() == name
    assert name.isprintable()
    assert name.endswith(".mp4")
    assert len(name.encode()) <= 1000
    file = tmp_path / f"{name}.mkv"
    file.parent.mkdir(parents=True)
    file.touch()
    other = name_of(path.replace("a", "b", 1) if "a" in path else f"{path}x")
    assert other != name


def test_names_that_look_alike_once_they_are_cut_stay_apart():
    long = ["a" * 250 + f"{i}.mp4" for i in range(3)]
    strange = [os.fsdecode(b"caf\xe9.mp4"), "caf\\xe9.mp4", "caf\n.mp4", "caf\\n.mp4"]
    names = list(map(name_of, [*long, *strange]))
    assert len(set(names)) == len(names)
