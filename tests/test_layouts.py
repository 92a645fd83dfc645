"""layouts: every video is a row with the right label, and nothing is guessed in silence."""

import os
from pathlib import Path

import pytest

from deepfake.base import plugins, tables
from deepfake.base.errors import UserError
from deepfake.dataset.files import printable
from deepfake.dataset.manifests import OPTIONAL
from deepfake.dataset.videos import read
from deepfake.layouts import folders, images, manifest

GENERAL = ["folders", "images", "manifest"]  # those of datasets: test_published.py


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


@pytest.mark.parametrize("layout", GENERAL)
def test_a_layout_gives_a_row_a_video_with_every_column(tmp_path, layout):
    names = ["real/b.png", "real/a.png", "fake/c.png"]
    listed(tree(tmp_path, *names), "path,label\nreal/b.png,real\nreal/a.png,real\nfake/c.png,fake\n")
    table = plugins.load("layouts", layout).scan(tmp_path)
    assert set(table) == {"video_id", "path", "label", *OPTIONAL}
    assert sorted(table["path"]) == sorted(names)
    assert table["video_id"].is_unique
    assert table.set_index("path")["label"].to_dict() == {"real/b.png": 0, "real/a.png": 0, "fake/c.png": 1}
    assert (table[list(OPTIONAL)] == "").all(axis=None)


@pytest.mark.parametrize("layout", plugins.names("layouts"))
def test_a_root_without_videos_is_a_mistake(tmp_path, layout):
    tree(tmp_path, "real/readme.txt", "fake/notes.md", "real/.a.mp4", "fake/._b.png")
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
        ("surreal/real/fakery/a.mp4", 0, ""),  # whole words only
        ("real_vs_fake/real-vs-fake/fake/a.mp4", 1, ""),  # what names both tells nothing
        ("real/original/a.mp4", 0, ""),
        ("nonlinear/no/real/notes/a.mp4", 0, ""),
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
    tree(
        tmp_path, "real/b.mp4", "real/a.mp4", "real/a.json", "real/c.PNG", "fake/a.avi", "notes.txt", "fake/masks/a.png"
    )
    table = folders.scan(tmp_path)
    assert table["path"].tolist() == ["fake/a.avi", "real/a.mp4", "real/b.mp4", "real/c.PNG"]
    assert table.attrs["left_out"] == {".json": 1, ".txt": 1, "in masks": 1}


def test_the_thumbnail_of_a_video_is_no_video(tmp_path):
    table = folders.scan(tree(tmp_path, "real/a.mp4", "real/a.jpg", "real/a.b.jpg", "fake/a.png"))
    assert table["path"].tolist() == ["fake/a.png", "real/a.b.jpg", "real/a.mp4"]
    assert table.attrs["left_out"] == {"thumbnails": 1}


def test_videos_that_no_folder_labels_are_named(tmp_path):
    tree(tmp_path, "real/a.mp4", "new/b.mp4", "other/c.mp4", "other/d.mp4")
    with pytest.raises(UserError, match="neither real nor fake: new, other\n") as error:
        folders.scan(tmp_path)
    assert "real/ and fake/" in error.value.hint


def test_a_folder_that_names_both_labels_tells_none(tmp_path):
    tree(tmp_path, "real_vs_fake/real/a.mp4", "real_vs_fake/b.mp4")
    with pytest.raises(UserError, match="neither real nor fake: real_vs_fake\n"):
        folders.scan(tmp_path)


@pytest.mark.parametrize("layout", ["folders", "images"])
@pytest.mark.parametrize(
    "folder",
    [
        *("fake/original", "real/fake", "original/deep/Deepfakes", "fake/real_videos"),
        *("non_fake", "not-fake", "unfake", "Not Fake", "nonfake", "non-real", "unreal", "real/NotFake", "no fakes"),
    ],
)
def test_labels_that_contradict_each_other_are_refused_by_name(tmp_path, layout, folder):
    tree(tmp_path, "real/a.png", f"{folder}/b.png")
    with pytest.raises(UserError, match=f"both real and fake, or neither: {folder}\n"):
        plugins.load("layouts", layout).scan(tmp_path)


def test_every_folder_that_contradicts_is_named_and_no_more_than_five(tmp_path):
    tree(tmp_path, *(f"fake/real{i}/real/a.mp4" for i in range(7)))
    with pytest.raises(UserError, match=r"fake/real0/real, .*fake/real4/real \.\.\."):
        folders.scan(tmp_path)


def people(*names: str) -> dict[str, str]:
    """Who is on the files of these names, by the layout of folders."""
    labels = {Path(name): int(name.startswith("fake")) for name in names}
    return {file.as_posix(): shown for file, shown in folders.tied(labels).items()}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["real/a.mp4", "real/b.mp4", "fake/c.mp4"], {}),
        (["real/a.mp4", "real/b.mp4", "fake/A.avi"], {"real/a.mp4": "a", "fake/A.avi": "a"}),
        (
            ["real/000.mp4", "real/003.mp4", "real/004.mp4", "fake/000_003.mp4"],
            {"real/000.mp4": "000", "real/003.mp4": "003", "fake/000_003.mp4": "000+003"},
        ),
        (
            ["real/ann-1.mp4", "real/bob.mp4", "fake/bob to ann_1, take 2.mp4"],
            {"real/ann-1.mp4": "ann_1", "real/bob.mp4": "bob", "fake/bob to ann_1, take 2.mp4": "ann_1+bob"},
        ),
        (  # the longer name, not the shorter in it
            ["real/id0_0000.mp4", "real/id16_0000.mp4", "real/0000.mp4", "fake/id0_id16_0000.mp4"],
            {"real/id0_0000.mp4": "id0_0000", "real/id16_0000.mp4": "id16_0000",
             "fake/id0_id16_0000.mp4": "id0_0000+id16_0000"},
        ),
        (["fake/x/a_b.mp4", "fake/y/a_b.mp4", "real/c.mp4", "real/d.mp4"],
         {"fake/x/a_b.mp4": "a_b", "fake/y/a_b.mp4": "a_b"}),
        (["real/c23/1.mp4", "real/c40/1.mp4", "real/c23/2.mp4", "real/3.mp4"],
         {"real/c23/1.mp4": "1", "real/c40/1.mp4": "1"}),
        ([f"{kind}/{name}/video.mp4" for kind in ("real", "fake") for name in "abc"], {}),  # it tells nothing
        (["real/10.mp4", "fake/100.mp4"], {}),  # whole words only
    ],
)  # fmt: skip
def test_names_tell_who_a_fake_shows(names, told):
    assert people(*names) == told


def test_people_told_by_names_are_in_the_table_and_said(tmp_path):
    table = folders.scan(tree(tmp_path, "real/000.mp4", "real/003.mp4", "fake/000_003.mp4", "real/7.mp4"))
    assert table.set_index("path")["identities"].to_dict() == {
        "fake/000_003.mp4": "000+003", "real/000.mp4": "000", "real/003.mp4": "003", "real/7.mp4": "",
    }  # fmt: skip
    (note,) = table.attrs["notes"]
    assert note.startswith("3 videos, 1 of them fake, are tied by their names (fake/000_003.mp4 shows 000 and 003)")


def test_names_that_cannot_be_stored_have_a_name_that_can_be(tmp_path):
    strange = [
        "real/" + "a" * 250 + ".mp4",
        "real/two\nlines.mp4",
        os.fsdecode(b"real/caf\xe9.mp4"),
        'real/a,b;"c".mp4',
    ]
    table = folders.scan(tree(tmp_path, *strange))
    assert sorted(table["path"]) == sorted(strange)
    assert table["video_id"].is_unique
    shown = table.assign(path=table["path"].map(printable))
    tables.write(tmp_path / "videos.csv", shown)
    assert read(tmp_path / "videos.csv")[["video_id", "path"]].equals(shown[["video_id", "path"]].astype(str))


# ---- images


def test_pictures_are_real_unless_a_folder_says_otherwise(tmp_path):
    tree(tmp_path, "london/b.jpg", "a.PNG", "fake/c.webp", "test/d.jpeg", "masks/e.png", "f.mp4")
    table = images.scan(tmp_path)
    assert table.set_index("path")[["label", "split"]].to_dict("index") == {
        "a.PNG": {"label": 0, "split": ""},
        "fake/c.webp": {"label": 1, "split": ""},
        "london/b.jpg": {"label": 0, "split": ""},
        "test/d.jpeg": {"label": 0, "split": "test"},
    }
    assert table.attrs["left_out"] == {".mp4": 1, "in masks": 1}


def test_an_index_says_who_is_on_a_picture_and_its_collections_make_no_relatives(tmp_path):
    tree(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "INDEX.csv").write_text(
        "path,identity,width,source\na.jpg,mps:1,9,some site\nb.jpg,mps:2,9,some site\n"
    )
    table = images.scan(tmp_path)
    assert table[["path", "label", "identities", "source"]].to_numpy().tolist() == [
        ["a.jpg", 0, "mps:1", ""], ["b.jpg", 0, "mps:2", ""],
    ]  # fmt: skip


# ---- manifest


@pytest.mark.parametrize(("word", "label"), [("real", 0), ("REAL", 0), ("0", 0), ("fake", 1), (" Fake ", 1), ("1", 1)])
def test_a_manifest_names_labels_by_word_or_number(tmp_path, word, label):
    assert manifest.scan(listed(tmp_path, f"path,label\na.mp4,{word}\n"))["label"].tolist() == [label]


def test_a_manifest_says_what_is_known_of_a_video(tmp_path):
    head, row = "label,path,identities,method,source,dataset,split,mood", "fake,a.mp4,01+02,swap,b.mp4,mine,test,good"
    listed(tmp_path, f"{head}\n{row}\n")
    (row,) = manifest.scan(tmp_path).to_dict("records")
    assert row == {
        "video_id": "a.mp4", "path": "a.mp4", "label": 1, "identities": "01+02", "method": "swap", "source": "b.mp4",
        "dataset": "mine", "split": "test", "about_mood": "good", "compression": "", "collection": "", "mask": "",
    }  # fmt: skip


def test_an_unknown_label_is_told_with_its_line_and_the_nearest(tmp_path):
    listed(tmp_path, "path,label\na.mp4,real\nb.mp4,fakee\n")
    with pytest.raises(UserError, match=r"csv:3: b\.mp4: no label 'fakee'; there are: 0, 1, fake, real") as error:
        manifest.scan(tmp_path)
    assert error.value.hint == "did you mean 'fake'?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,label\na.mp4,real\na.mp4,fake\n", "a.mp4 is listed twice"),
        ("path,lable\na.mp4,real\n", "no column label"),
        ("file,class\na.mp4,real\n", "no column label, path"),
        ("path,label\n", "lists no video"),
        ("", "not a table: No columns"),
        ("\n\n", "not a table: No columns"),
        ("path,label\na.mp4,\n", "manifest.csv:2: a.mp4: no label ''"),
        ("path,label\na.mp4,real\nb.mp4,real,x\n", "manifest.csv:3: not a table: line 3 has 3 fields, the header 2"),
        ("path,label,method\na.mp4,real\n", "manifest.csv:2: not a table: line 2 has 2 fields, the header 3"),
        ('path,label\na.mp4,"real\nb.mp4,real\n', "manifest.csv:2: not a table: line 2: unexpected end of data"),
        ("path,label,Path\na.mp4,real,a.mp4\n", "two columns path"),
        ("path,label,identity,identities\na.mp4,real,1,2\n", "two columns identities"),
        ("path,label\na.mp4,real\n a.mp4 ,fake\n", "a.mp4 is listed twice: lines 2 and 3"),
        ("path,label\na\0.mp4,real\n", "not a table: it holds zero bytes"),
        ("path,label\n,real\n", "manifest.csv:2: path '': must lie in "),
        ("path,label\n/b/a.mp4,real\n", "manifest.csv:2: path '/b/a.mp4': must lie in "),
        ("path,label\nb/../../a.mp4,real\n", "must lie in "),
        ("path,label\n./a.mp4,real\n", "must lie in "),  # a second name of a.mp4
    ],
)
def test_a_faulty_manifest_is_a_mistake(tmp_path, text, reason):
    with pytest.raises(UserError, match=reason):
        manifest.scan(listed(tmp_path, text))


def test_a_manifest_is_read_as_spreadsheets_write_it_and_told_when_it_cannot_be(tmp_path):
    text = 'path,label\r\n"Zoë, 1.mp4",fake\r\n'
    (tmp_path / "manifest.csv").write_bytes(text.encode("utf-8-sig"))
    assert manifest.scan(tmp_path)["path"].tolist() == ["Zoë, 1.mp4"]
    for coding in ("utf-16", "utf-32"):
        (tmp_path / "manifest.csv").write_bytes(text.encode(coding))
        assert manifest.scan(tmp_path)["path"].tolist() == ["Zoë, 1.mp4"]
    (tmp_path / "manifest.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(UserError, match=r"csv:2: not a table: no utf-8 from byte 0xeb on") as error:
        manifest.scan(tmp_path)
    assert "CSV UTF-8" in error.value.hint
    (tmp_path / "manifest.csv").write_bytes(text.encode("utf-16-le"))
    with pytest.raises(UserError, match=r"not a table: .*utf-16 without its mark"):
        manifest.scan(tmp_path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("head", ["path", "Path", " PATH ", "\u00a0path"])
def test_a_manifest_may_be_separated_as_spreadsheets_do_and_its_header_written_anyhow(tmp_path, separator, head):
    rows = [
        [head, "Label", "Identity"],
        ["a.mp4", " REAL\u3000", "id0"],
        ["", "", ""],
        ["b, c.mp4", "1", '"id0 + id1"'],
    ]
    rows[3][0] = f'"{rows[3][0]}"'
    text = "".join(separator.join(row) + "\r\n" for row in rows)
    for start in ("", f"sep={separator}\n"):
        table = manifest.scan(listed(tmp_path, start + text))
        assert table[["path", "label", "identities"]].to_numpy().tolist() == [
            ["a.mp4", 0, "id0"],
            ["b, c.mp4", 1, "id0+id1"],
        ]


@pytest.mark.parametrize(
    ("identities", "known"),
    [
        ("id0", "id0"),
        (" id0 + id1 ", "id0+id1"),
        ("id0;id1", "id0+id1"),
        ('"id0, id1"', "id0+id1"),
        ("id0\u00a0+\u200bid1\ufeff", "id0+id1"),
        ("id1+id0+id1", "id1+id0"),
        ("+ id0 +", "id0"),
        ("Ann \u00a0 Lee", "Ann Lee"),
        ("Zoe\u0308", "Zo\u00eb"),  # one person, whichever way the accent is written
        ("000", "000"),
        ("nan", "nan"),
        (" ; ", ""),
    ],
)
def test_people_are_written_in_one_way(tmp_path, identities, known):
    table = manifest.scan(listed(tmp_path, f"path,label,identities\na.mp4,fake,{identities}\n"))
    assert table["identities"].tolist() == [known]


def test_every_text_of_a_manifest_is_stripped(tmp_path):
    listed(
        tmp_path,
        "path,label,method,source,dataset,split\n a.mp4\t, fake , swap ,\u00a0b.mp4, mine ,test \nb.mp4,real,,,,\n",
    )
    row = manifest.scan(tmp_path).iloc[0]
    assert row[["path", "method", "source", "dataset", "split"]].tolist() == ["a.mp4", "swap", "b.mp4", "mine", "test"]


@pytest.mark.parametrize("path", ["..\\outside\\z.mp4", "real\\..\\..\\outside\\z.mp4", "ABSOLUTE"])
@pytest.mark.parametrize("column", ["path", "mask"])
def test_a_path_in_the_words_of_windows_leads_nowhere_else(tmp_path, path, column):
    tree(tmp_path, "outside/z.mp4", "root/real/a.mp4")
    path = str(tmp_path / "outside" / "z.mp4").replace("/", "\\") if path == "ABSOLUTE" else path
    row = f"{path},fake," if column == "path" else f"real/a.mp4,fake,{path}"
    with pytest.raises(UserError, match="must lie in"):
        manifest.scan(listed(tmp_path / "root", f"path,label,mask\n{row}\n"))


def test_a_file_that_is_listed_in_two_ways_is_listed_twice(tmp_path):
    tree(tmp_path, "real/a.mp4")
    with pytest.raises(UserError, match=r"a\.mp4 is listed twice: lines 2 and 3"):
        manifest.scan(listed(tmp_path, "path,label\nreal/a.mp4,real\n.\\real\\a.mp4,fake\n"))


@pytest.mark.parametrize("name", ["Jose\u0301.mp4", "a  b.mp4", "c\u00a0d.mp4"])
def test_a_source_is_its_video_whatever_blanks_and_accents_it_has(tmp_path, name):
    tree(tmp_path, f"real/{name}", "fake/0.mp4", f"masks/{name}")
    rows = f"real/{name},real,,\nfake/0.mp4,fake,real/{name},masks/{name}\n"
    table = manifest.scan(listed(tmp_path, f"path,label,source,mask\n{rows}")).set_index("path")
    assert table.loc["fake/0.mp4", "source"] == table.loc[f"real/{name}", "video_id"]
    assert table.loc["fake/0.mp4", "mask"] == f"masks/{name}"


@pytest.mark.parametrize("source", ["real/b.mp4", "./real/b.mp4", "real\\b.mp4", " real/b.mp4 "])
def test_a_source_is_the_name_of_its_video(tmp_path, source):
    table = manifest.scan(listed(tmp_path, f"path,label,source\nreal/b.mp4,real,\nfake/a.mp4,fake,{source}\n"))
    assert table["source"].tolist() == ["", "real/b.mp4"]


def test_a_source_of_a_name_that_cannot_be_stored_is_its_video_too(tmp_path):
    long = "a" * 251 + ".mp4"
    table = manifest.scan(listed(tmp_path, f"path,label,source\n{long},real,\nb.mp4,fake,{long}\n"))
    assert table["source"].tolist() == ["", table["video_id"][0]]
    assert table["path"][0] == long


@pytest.mark.parametrize(("disk", "path"), [("Zo\u00eb.mp4", "Zoe\u0308.mp4"), ("Zoe\u0308.mp4", "Zo\u00eb.mp4")])
def test_a_file_is_found_whichever_way_its_accents_are_written(tmp_path, disk, path):
    tree(tmp_path, disk, "real/b.mp4")
    table = manifest.scan(listed(tmp_path, f"path,label\n{path},real\nreal\\b.mp4,real\n"))
    assert table["path"].tolist() == [disk, "real/b.mp4"]


def test_videos_that_a_manifest_does_not_list_are_counted(tmp_path):
    tree(tmp_path, "a.mp4", "b.mp4", "c.png", "report.csv")
    table = manifest.scan(listed(tmp_path, "path,label\na.mp4,real\n"))
    assert table.attrs["left_out"] == {".mp4 not in manifest.csv": 1, ".png not in manifest.csv": 1}


def test_a_manifest_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(UserError, match=r"manifest\.csv: cannot be read: Permission denied"):
        manifest.scan(listed(tmp_path, "path,label\na.mp4,real\n"))


def test_a_missing_manifest_says_what_it_would_hold(tmp_path):
    with pytest.raises(UserError, match=r"no .*manifest\.csv") as error:
        manifest.scan(tmp_path)
    assert "path, label" in error.value.hint
