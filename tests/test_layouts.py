"""layouts: every video is a row with the right label, and nothing is guessed in silence."""

from pathlib import Path

import pytest

from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.layouts import folders, manifest

COLUMNS = {"video_id", "path", "label", "split", "identities", "method", "source", "dataset"}


def tree(root, *names):
    """Empty files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def listed(root, text: str):
    """A root with this manifest."""
    (root / "manifest.csv").write_text(text)
    return root


@pytest.mark.parametrize("layout", plugins.names("layouts"))
def test_a_layout_gives_a_row_a_video_with_every_column(tmp_path, layout):
    names = ["real/b.mp4", "real/a.mp4", "fake/a.mp4"]
    listed(tree(tmp_path, *names), "path,label\nreal/b.mp4,real\nreal/a.mp4,real\nfake/a.mp4,fake\n")
    table = plugins.load("layouts", layout).scan(tmp_path)
    assert set(table) == COLUMNS
    assert sorted(table["path"]) == sorted(names)
    assert table["video_id"].is_unique
    assert table.set_index("path")["label"].to_dict() == {"real/b.mp4": 0, "real/a.mp4": 0, "fake/a.mp4": 1}
    assert (table[["split", "identities", "method", "source", "dataset"]] == "").all(axis=None)


@pytest.mark.parametrize("layout", plugins.names("layouts"))
def test_a_root_without_videos_is_a_mistake(tmp_path, layout):
    tree(tmp_path, "real/readme.txt", "fake/notes.md")
    with pytest.raises(UserError, match=str(tmp_path)):
        plugins.load("layouts", layout).scan(tmp_path)


@pytest.mark.parametrize(
    ("path", "label", "split"),
    [
        ("real/a.mp4", 0, ""),
        ("fake/a.mp4", 1, ""),
        ("Fake/a.MP4", 1, ""),
        ("real_videos/a.mp4", 0, ""),
        ("deepfake_videos/deep/er/a.webm", 1, ""),
        ("original_sequences/youtube/c23/videos/000.mp4", 0, ""),
        ("manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", 1, ""),
        ("Celeb-real/id0_0000.mp4", 0, ""),
        ("Celeb-synthesis/id0_id16_0000.mp4", 1, ""),
        ("train/real/a.mp4", 0, "train"),
        ("Test/fake/a.mp4", 1, "test"),
        ("fake/valid/a.mp4", 1, "val"),
        ("validation/real/a.mp4", 0, "val"),
        ("fake/real/a.mp4", 0, ""),  # the nearest folder tells
        ("unreal/real/fakery/a.mp4", 0, ""),  # whole words only
    ],
)
def test_folders_tell_the_label_and_the_split(tmp_path, path, label, split):
    (row,) = folders.scan(tree(tmp_path, path)).to_dict("records")
    assert (row["video_id"], row["path"]) == (path, path)
    assert (row["label"], row["split"]) == (label, split)


def test_folders_above_the_root_tell_nothing(tmp_path):
    root = tree(tmp_path / "fake" / "train", "real/a.mp4")
    (row,) = folders.scan(root).to_dict("records")
    assert (row["label"], row["split"]) == (0, "")


def test_one_name_in_two_methods_is_two_videos(tmp_path):
    names = ["fake/Deepfakes/000_003.mp4", "fake/Face2Face/000_003.mp4", "real/000.mp4"]
    assert folders.scan(tree(tmp_path, *names))["video_id"].tolist() == names


def test_videos_come_sorted_and_other_files_are_left_out(tmp_path):
    tree(tmp_path, "real/b.mp4", "real/a.mp4", "real/a.json", "real/c.png", "fake/a.avi", "notes.txt")
    assert folders.scan(tmp_path)["path"].tolist() == ["fake/a.avi", "real/a.mp4", "real/b.mp4"]


def test_videos_that_no_folder_labels_are_named(tmp_path):
    tree(tmp_path, "real/a.mp4", "new/b.mp4", "other/c.mp4", "other/d.mp4")
    with pytest.raises(UserError, match="neither real nor fake: new, other\n") as error:
        folders.scan(tmp_path)
    assert "real/ and fake/" in error.value.hint


def test_a_folder_that_names_both_labels_tells_none(tmp_path):
    tree(tmp_path, "real_vs_fake/real/a.mp4", "real_vs_fake/b.mp4")
    assert folders.label_of(Path("real_vs_fake/real/a.mp4")) == 0
    with pytest.raises(UserError, match="neither real nor fake: real_vs_fake\n"):
        folders.scan(tmp_path)


@pytest.mark.parametrize(("said", "label"), [("real", 0), ("REAL", 0), ("0", 0), ("fake", 1), (" Fake ", 1), ("1", 1)])
def test_a_manifest_names_labels_by_word_or_number(tmp_path, said, label):
    assert manifest.scan(listed(tmp_path, f"path,label\na.mp4,{said}\n"))["label"].tolist() == [label]


def test_a_manifest_says_what_is_known_of_a_video(tmp_path):
    head, row = "label,path,identities,method,source,dataset,split,mood", "fake,a.mp4,01+02,swap,b.mp4,mine,test,good"
    listed(tmp_path, f"{head}\n{row}\n")
    (row,) = manifest.scan(tmp_path).to_dict("records")
    assert row == {
        "video_id": "a.mp4", "path": "a.mp4", "label": 1, "identities": "01+02", "method": "swap", "source": "b.mp4",
        "dataset": "mine", "split": "test",
    }  # fmt: skip


def test_an_unknown_label_is_told_with_its_line_and_the_nearest(tmp_path):
    listed(tmp_path, "path,label\na.mp4,real\nb.mp4,fakee\n")
    with pytest.raises(UserError, match=r"csv:3: b\.mp4: no label 'fakee'; there are: 0, 1, fake, real") as error:
        manifest.scan(tmp_path)
    assert error.value.hint == "did you mean 'fake'?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na.mp4,real\na.mp4,fake\n", "a.mp4 is listed twice"),
        ("path,lable\na.mp4,real\n", "no column label"),
        ("file,class\na.mp4,real\n", "no column label, path"),
        ("path,label\n", "lists no video"),
        ("", "not a table: No columns"),
        ("path,label\na.mp4,\n", "manifest.csv:2: a.mp4: no label ''"),
        ("path,label\na.mp4,real\nb.mp4,real,x\n", "not a table: .*line 3"),
        ("path,label\n,real\n", "manifest.csv:2: path '': must lie in "),
        ("path,label\n/b/a.mp4,real\n", "manifest.csv:2: path '/b/a.mp4': must lie in "),
        ("path,label\nb/../../a.mp4,real\n", "must lie in "),
        ("path,label\n./a.mp4,real\n", "must lie in "),  # a second name of a.mp4
    ],
)
def test_a_faulty_manifest_is_a_mistake(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        manifest.scan(listed(tmp_path, text))


def test_a_manifest_is_read_as_spreadsheets_write_it_and_told_when_it_cannot_be(tmp_path):
    text = 'path,label\r\n"Zoë, 1.mp4",fake\r\n'
    (tmp_path / "manifest.csv").write_bytes(text.encode("utf-8-sig"))
    assert manifest.scan(tmp_path)["path"].tolist() == ["Zoë, 1.mp4"]
    (tmp_path / "manifest.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"not a table: .*utf-8"):
        manifest.scan(tmp_path)


def test_a_missing_manifest_says_what_it_would_hold(tmp_path):
    with pytest.raises(UserError, match=r"no .*manifest\.csv") as error:
        manifest.scan(tmp_path)
    assert "path, label" in error.value.hint
