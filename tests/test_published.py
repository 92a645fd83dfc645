"""published: datasets lie on disk as their authors publish them, and every field of every video is read right."""

import json
from pathlib import Path

import miniatures
import pytest
from miniatures import Miniature

from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.dataset.manifests import OPTIONAL
from deepfake.layouts import celebdf, deeperforensics, dfdc, faceforensics, fakeavceleb, several
from stages import code

LAYOUTS = plugins.names("layouts")
OF_DATASETS = [name for name in LAYOUTS if name not in miniatures.GENERAL]
TREES = {**miniatures.ALL, "celebdf with folders": miniatures.celebdf_plus}


def scan(layout: str, root):
    return plugins.load("layouts", layout.split()[0]).scan(root)


def test_every_layout_has_a_miniature():
    assert sorted(miniatures.ALL) == LAYOUTS


@pytest.mark.parametrize("name", TREES)
def test_a_layout_says_of_each_video_what_its_names_and_lists_say(tmp_path, name):
    tree = TREES[name]
    table = scan(name, tree.lay(tmp_path))
    assert set(table) == {"video_id", "path", "label", *OPTIONAL}
    columns = ["video_id", "path", "label", *miniatures.TEXTS]
    videos = sorted(table[columns].to_dict("records"), key=lambda row: row["path"])
    assert videos == tree.expected()
    assert table.attrs["left_out"] == tree.left
    notes = table.attrs.get("notes", [])
    assert len(notes) == len(tree.notes), notes
    assert all(note.startswith(begin) for note, begin in zip(notes, tree.notes, strict=True)), notes


@pytest.mark.parametrize("name", TREES)
def test_a_fake_is_one_and_a_real_is_zero(tmp_path, name):
    table = scan(name, TREES[name].lay(tmp_path))
    for row in table.itertuples():
        folder = row.path.lower()
        if any(word in folder for word in ("manipulated", "synthesis", "fakevideo", "fake_", "method_", "/fake/")):
            assert row.label == 1, row.path
        if any(word in folder for word in ("original_", "celeb-real/id", "youtube-real", "realvideo", "real_train")):
            assert row.label == (1 if "/cdf/" in folder else 0), row.path
    assert (table.loc[table["method"] != "", "label"] == 1).all()
    made_of = table[table["source"].isin(table["video_id"])]["source"]
    assert (table.set_index("video_id").loc[made_of, "label"] == 0).all()


@pytest.mark.parametrize("name", TREES)
def test_the_order_on_disk_and_folders_above_change_nothing(tmp_path, name):
    tree = TREES[name]
    above = tree.lay(tmp_path / "fake" / "train" / "Celeb-DF-v1")
    swapped = Miniature(dict(reversed(tree.rows.items())), tree.lists, tree.strays).lay(tmp_path / "b")
    first, second = scan(name, above), scan(name, swapped)
    assert first.equals(second)


@pytest.mark.parametrize("name", TREES)
def test_linked_and_unreadable_entries_are_rows_all_the_same(tmp_path, name):
    tree = TREES[name]
    root = tree.lay(tmp_path / "root")
    gone, locked, *_ = sorted(tree.rows)
    (root / gone).unlink()
    (root / gone).symlink_to(root / "nowhere.mp4")
    (root / locked).chmod(0)
    (tmp_path / "linked").symlink_to(root)
    assert len(scan(name, tmp_path / "linked")) == len(tree.rows)


@pytest.mark.parametrize("name", OF_DATASETS)
def test_a_dataset_that_is_not_there_is_told_with_its_tree(tmp_path, name):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.mp4").touch()
    with pytest.raises(UserError) as error:
        scan(name, tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("name", [name for name in OF_DATASETS if name != "several"])
def test_a_dataset_may_lie_deeper_than_its_root(tmp_path, name):
    tree = miniatures.ALL[name]
    table = scan(name, tree.lay(tmp_path / "downloads" / "unpacked").parent)
    assert sorted(table["path"]) == [f"unpacked/{path}" for path in sorted(tree.rows)]
    assert table["label"].sum() == sum(row["label"] for row in tree.expected())
    assert set(table["split"]) == {row["split"] for row in tree.expected()}


# ---- FaceForensics++


def official_pairs() -> dict[str, list[tuple[str, str]]]:
    """Lists of the published lengths: 360, 70 and 70 pairs of 1000 videos."""
    names = [f"{i:03d}" for i in range(1000)]
    pairs = list(zip(names[:500], reversed(names[500:]), strict=True))
    return {"train": pairs[:360], "val": pairs[360:430], "test": pairs[430:]}


def test_the_lists_of_faceforensics_give_the_published_counts():
    splits = faceforensics.splits_of(official_pairs())
    reals = {split: sum(of == split for name, of in splits.items() if "_" not in name) for split in official_pairs()}
    fakes = {split: sum(of == split for name, of in splits.items() if "_" in name) for split in official_pairs()}
    assert reals == {"train": 720, "val": 140, "test": 140}
    assert fakes == {"train": 720, "val": 140, "test": 140}  # of each method
    assert (splits["000_999"], splits["999_000"], splits["000"], splits["999"]) == ("train",) * 4
    assert "000_001" not in splits


def test_a_video_in_two_lists_is_a_mistake():
    with pytest.raises(UserError, match="003 is in the lists of train and test"):
        faceforensics.splits_of({"train": [("000", "003")], "test": [("003", "004")]})


@pytest.mark.parametrize("text", ["{}", '[["000"]]', '[["000", "b"]]', "[1]", "[", "\xff"])
def test_a_list_that_is_none_is_named(tmp_path, text):
    root = miniatures.faceforensics.lay(tmp_path)
    (root / "splits" / "val.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"splits/val\.json"):
        faceforensics.scan(root)


def test_without_lists_there_is_no_official_split_and_it_is_said(tmp_path):
    (tmp_path / "original_sequences/youtube/raw").mkdir(parents=True)
    (tmp_path / "original_sequences/youtube/raw/000.mp4").touch()
    table = faceforensics.scan(tmp_path)
    assert table[["split", "compression"]].to_numpy().tolist() == [["", "raw"]]
    assert table.attrs["notes"] == ["no train.json, val.json, test.json: no official split"]


def test_the_seven_videos_of_the_web_that_straddle_the_official_split_are_found(tmp_path):
    """Source: conversion_dict.json and the lists of the authors' repository."""
    straddling = ["605 606", "639 640", "755 756", "837 838", "875 876", "954 955", "982 983"]
    texts = {
        "train": "605-591 639-841 756-503 838-810 876-891 976-954 983-113",
        "val": "606-567 640-638 837-890 979-875 004-982",
        "test": "755-759 078-955",
    }
    lists = {split: [pair.split("-") for pair in pairs.split()] for split, pairs in texts.items()}
    ids = {name: f"id{i} {j}" for i, pair in enumerate(straddling) for j, name in enumerate(pair.split())}
    ids |= {name: f"own{name} 0" for pairs in lists.values() for pair in pairs for name in pair if name not in ids}
    for name in ids:
        path = tmp_path / "original_sequences/youtube/c23/videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for split, pairs in lists.items():
        (tmp_path / f"{split}.json").write_text(json.dumps(pairs))
    (tmp_path / "conversion_dict.json").write_text(json.dumps(ids))
    table = faceforensics.scan(tmp_path)
    sides = table.groupby("source")["split"].nunique()
    assert sorted(sides[sides > 1].index) == [f"youtube:id{i}" for i in range(7)]


def test_two_cuts_of_one_video_of_the_web_show_one_person_whose_reals_are_nowhere(tmp_path):
    for name in ("605_591", "567_606"):
        path = tmp_path / f"manipulated_sequences/Deepfakes/c23/videos/{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert faceforensics.scan(tmp_path)["identities"].tolist() == ["567+606", "605+591"]
    (tmp_path / "conversion_dict.json").write_text(json.dumps(miniatures.YOUTUBE))
    assert faceforensics.scan(tmp_path)["identities"].tolist() == ["567+605", "605+591"]


def test_who_is_one_person_by_name_or_by_video_is_called_by_the_least_number():
    """343 is 043, and 183 and 826 are 179, though their videos differ."""
    youtube = {"343": "a", "700": "a", "043": "b", "010": "b", "826": "c", "050": "c", "900": "d"}
    who = faceforensics.one_name(youtube)
    assert {who[name] for name in ("343", "700", "043", "010")} == {"010"}
    assert {who[name] for name in ("183", "179", "826", "050")} == {"050"}
    assert "900" not in who


@pytest.mark.parametrize("text", ["[]", '{"000": 1}', '{"000": ["x", 0]}', "{"])
def test_a_table_of_the_videos_of_the_web_that_is_none_is_named(tmp_path, text):
    root = miniatures.faceforensics.lay(tmp_path)
    (root / "conversion_dict.json").write_text(text)
    with pytest.raises(UserError, match=r"conversion_dict\.json"):
        faceforensics.scan(root)


# ---- Celeb-DF


def test_in_the_list_of_celeb_df_1_is_real(tmp_path):
    (tmp_path / "list.txt").write_text("1 YouTube-real/00170.mp4\n0  Celeb-synthesis/id1_id0_0007.mp4\r\n\n")
    assert celebdf.listed(tmp_path / "list.txt") == {"YouTube-real/00170": 0, "Celeb-synthesis/id1_id0_0007": 1}


def test_a_list_of_celeb_df_that_denies_the_folders_is_refused(tmp_path):
    root = miniatures.celebdf.lay(tmp_path)
    (root / celebdf.LIST).write_text("0 Celeb-real/id0_0000.mp4\n")
    with pytest.raises(UserError, match="Celeb-real/id0_0000 is said to be fake"):
        celebdf.scan(root)


def test_a_line_that_is_none_of_the_list_of_celeb_df_is_named(tmp_path):
    root = miniatures.celebdf.lay(tmp_path)
    (root / celebdf.LIST).write_text("1 Celeb-real/id0_0000.mp4\nCeleb-real/id1_0000.mp4\n")
    with pytest.raises(UserError, match=r"List_of_testing_videos\.txt:2"):
        celebdf.scan(root)


@pytest.mark.parametrize(("lines", "version"), [(100, "Celeb-DF-v1"), (518, "Celeb-DF-v2"), (0, "Celeb-DF-v2")])
def test_versions_of_celeb_df_are_told_by_the_length_of_their_list(tmp_path, lines, version):
    root = Miniature({"Celeb-real/id0_0000.mp4": {}}).lay(tmp_path)
    if lines:
        (root / celebdf.LIST).write_text("".join(f"1 YouTube-real/{i:05d}.mp4\n" for i in range(lines)))
    assert celebdf.scan(root)["dataset"].tolist() == [version]


def test_two_versions_under_one_root_have_lists_of_their_own(tmp_path):
    miniatures.celebdf.lay(tmp_path / "Celeb-DF-v2")
    miniatures.celebdf_plus.lay(tmp_path / "Celeb-DF-v3")
    table = celebdf.scan(tmp_path).set_index("video_id")
    assert table.loc["Celeb-DF-v2/Celeb-synthesis/id0_id16_0000.mp4", "split"] == "test"
    assert table.loc["Celeb-DF-v3/Celeb-synthesis/FaceSwap/SimSwap/videos/id0_id1_0000.mp4", "source"] == (
        "Celeb-DF-v3/Celeb-real/videos/id0_0000.mp4"
    )
    assert set(table["dataset"]) == {"Celeb-DF-v2", "Celeb-DF++"}


@pytest.mark.parametrize(
    ("homes", "files", "lists"),
    [
        (["a"], ["a/L"], {"a": "a/L"}),
        (["a/b"], ["L"], {"a/b": "L"}),
        (["a/b"], ["L", "a/L"], {"a/b": "a/L"}),  # the nearest
        (["a"], ["lists/L"], {"a": "lists/L"}),  # the only one of an only home
        (["a", "b"], ["lists/L"], {}),
        (["a", "b"], ["b/L"], {"b": "b/L"}),
        (["a", "b"], ["L", "b/L"], {"a": "L", "b": "b/L"}),
        (["a"], ["x/L", "y/L"], {}),
        (["."], ["x/L"], {".": "x/L"}),
    ],
)
def test_a_list_of_celeb_df_is_that_beside_or_above_its_videos(homes, files, lists):
    taken = celebdf.lists_of(map(Path, homes), list(map(Path, files)))
    assert {home.as_posix(): file.as_posix() for home, file in taken.items()} == lists


def test_a_list_of_celeb_df_above_its_folder_gives_the_split_and_one_that_is_not_taken_is_said(tmp_path):
    root = miniatures.celebdf.lay(tmp_path / "data" / "Celeb-DF-v2")
    (root / celebdf.LIST).rename(tmp_path / "data" / celebdf.LIST)
    assert set(celebdf.scan(tmp_path)["split"]) == {"train", "test"}
    miniatures.celebdf_plus.lay(tmp_path / "other")
    (tmp_path / "other" / celebdf.LIST).unlink()
    table = celebdf.scan(tmp_path)
    assert set(table["split"][table["dataset"] == "Celeb-DF++"]) == {""}
    (note,) = [note for note in table.attrs["notes"] if note.startswith(f"no {celebdf.LIST}")]
    assert note == f"no {celebdf.LIST} beside Celeb-real/ nor above in 1 (other): no official split there"


# ---- DFDC, DeeperForensics, FakeAVCeleb


def test_the_test_of_dfdc_may_say_is_fake_instead(tmp_path):
    root = Miniature({"test/a.mp4": {}, "test/b.mp4": {}}).lay(tmp_path)
    (root / "test/metadata.json").write_text('{"a.mp4": {"is_fake": 1}, "b.mp4": {"is_fake": 0}}')
    table = dfdc.scan(root)
    assert table[["label", "split"]].to_numpy().tolist() == [[1, "test"], [0, "test"]]


@pytest.mark.parametrize("text", ['{"a.mp4": {"label": "MAYBE"}}', '["a.mp4"]', '{"a.mp4": "FAKE"}', "{"])
def test_a_list_of_dfdc_that_is_wrong_is_named(tmp_path, text):
    root = Miniature({"part/a.mp4": {}}).lay(tmp_path)
    (root / "part/metadata.json").write_text(text)
    with pytest.raises(UserError, match=r"part/metadata\.json"):
        dfdc.scan(root)


def test_a_test_of_dfdc_whose_metadata_says_no_labels_has_them_from_the_table_beside_it(tmp_path):
    root = Miniature({"test/a.mp4": {}, "test/b.mp4": {}}).lay(tmp_path)
    (root / "test/metadata.json").write_text('{"a.mp4": {"augmentations": []}, "b.mp4": {}}')
    with pytest.raises(UserError, match=r"a\.mp4 is neither REAL nor FAKE but None"):
        dfdc.scan(root)
    (root / "test/labels.csv").write_text("Filename; Label\na.mp4; 1\nb.mp4;0\n")
    table = dfdc.scan(root)
    assert table[["label", "split"]].to_numpy().tolist() == [[1, "test"], [0, "test"]]


@pytest.mark.parametrize(
    ("layout", "file", "text", "reason"),
    [
        ("fakeavceleb", "meta_data.csv", "source,method,type,path\na,b,c,d\nid00076,-\n", ":3: no type, path"),
        ("fakeavceleb", "meta_data.csv", "source,method\na,b\n", ": no columns type, path"),
        (
            "deepfake_eval_2024",
            "video-metadata-publish-with-links.csv",
            "Ground Truth,Filename\nReal,a.mp4\nFake\n",
            ":3: no filename",
        ),
        (
            "deepfake_eval_2024",
            "video-metadata-publish-with-links.csv",
            "Filename\na.mp4\n",
            ": no column Video Ground Truth",
        ),
        ("dfdc", "test/labels.csv", "filename,label\na.mp4,1\nb.mp4\n", ":3: no label"),
        ("dfdc", "test/labels.csv", 'filename,label\na.mp4,"1\n', ":2: not a table"),
    ],
)
def test_a_row_of_a_list_that_ends_early_is_named_with_its_line(tmp_path, layout, file, text, reason):
    root = miniatures.ALL[layout].lay(tmp_path)
    (root / file).write_text(text)
    with pytest.raises(UserError, match=f"{Path(file).name}{reason}"):
        scan(layout, root)


def test_names_and_verdicts_of_deepfake_eval_are_read_without_capitals_and_blanks(tmp_path):
    root = Miniature({"video-data/a.MP4": {}, "video-data/B.mp4": {}, "video-data/c.mp4": {}}).lay(tmp_path)
    text = "FileName, Video Ground Truth ,Finetuning Set\nA.mp4, REAL ,Train\nb.mp4,Fake\nc.mp4\n"
    (root / "video-metadata-publish.csv").write_text(text)
    table = scan("deepfake_eval_2024", root)
    assert table[["path", "label", "split"]].to_numpy().tolist() == [
        ["video-data/B.mp4", 1, ""], ["video-data/a.MP4", 0, "train"],
    ]  # fmt: skip
    assert table.attrs["left_out"]["said to be nothing"] == 1


def test_a_target_whose_fakes_are_on_two_sides_is_in_no_split():
    targets, doubtful = deeperforensics.splits_of_targets({"000_M101": "train", "000_W004": "test", "001_W004": "val"})
    assert (targets, doubtful) == ({"001": "val"}, ["000"])


def test_without_its_table_fakeavceleb_counts_every_id_as_a_face(tmp_path):
    root = miniatures.fakeavceleb.lay(tmp_path)
    (root / fakeavceleb.TABLE).unlink()
    table = fakeavceleb.scan(root).set_index("video_id")
    name = "FakeVideo-RealAudio/African/men/id00076/00109_10_id00476_wavtolip.mp4"
    assert table.loc[name, ["identities", "method"]].tolist() == ["id00076+id00476", "FakeVideo"]
    assert "no meta_data.csv" in table.attrs["notes"][0]


# ---- several


def test_datasets_side_by_side_are_guessed_where_nothing_names_them(tmp_path):
    miniatures.uadfv.lay(tmp_path / "x")
    miniatures.celebdf.lay(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    (tmp_path / "x").rename(tmp_path / "root" / "x")
    (tmp_path / "root" / "y").symlink_to(tmp_path / "elsewhere")
    table = several.scan(tmp_path / "root")
    assert set(table["dataset"]) == {"UADFV", "Celeb-DF-v2"}
    assert table["video_id"].is_unique
    fake = table.set_index("path").loc["y/Celeb-synthesis/id0_id16_0000.mp4"]
    assert fake["source"] == "y/Celeb-real/id0_0000.mp4"
    assert table.attrs["notes"][0].startswith("x looks like the layout uadfv")


@pytest.mark.parametrize(
    "text",
    [
        "\ufefffolder,layout\r\nu, uadfv\r\nmine/,folders\r\n",
        "Folder;Layout;note\n./u ; uadfv ;\n\nmine;folders\n",
        "layout,folder\nuadfv,u\nfolders,./mine/\n",
    ],
)
def test_datasets_are_named_as_a_person_writes_them(tmp_path, text):
    miniatures.uadfv.lay(tmp_path / "u")
    miniatures.folders.lay(tmp_path / "mine")
    (tmp_path / "datasets.csv").write_text(text, encoding="utf-8")
    table = several.scan(tmp_path)
    assert sorted(table["path"]) == sorted(
        [*(f"u/{path}" for path in miniatures.uadfv.rows), *(f"mine/{path}" for path in miniatures.folders.rows)]
    )
    assert table["video_id"].tolist() == table["path"].tolist()


def test_a_folder_that_is_no_dataset_is_said_and_stops_nothing(tmp_path):
    miniatures.uadfv.lay(tmp_path / "x")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "readme.txt").touch()
    table = several.scan(tmp_path)
    assert set(table["dataset"]) == {"UADFV"}
    assert table.attrs["notes"][0].startswith(f"docs is left out: {tmp_path}/docs: no layout fits")
    for path in (tmp_path / "x").rglob("*.*"):
        path.unlink()
    with pytest.raises(UserError, match="no folder is a dataset: docs is left out") as error:
        several.scan(tmp_path)
    assert "datasets.csv" in error.value.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("folder,layout\nx,nothing\n", "no layout 'nothing'"),
        ("folder,layout\nz,uadfv\n", "no folder z"),
        ("name\nx\n", "no columns folder, layout"),
        ("folder,layout\nx\n", "datasets.csv:2: no layout"),
        ("folder,layout\n../x,uadfv\n", "no folder ../x"),
        ("folder,layout\nx/../x,uadfv\n", "no folder x/../x"),
        ("folder,layout\n/tmp,uadfv\n", "no folder /tmp"),
        ("folder,layout\nx,uadfv\n./x,folders\n", "x is both uadfv and folders"),
        ("", "no columns folder, layout"),
    ],
)
def test_a_wrong_table_of_datasets_is_a_mistake(tmp_path, text, reason):
    miniatures.uadfv.lay(tmp_path / "x")
    (tmp_path / "datasets.csv").write_text(text)
    with pytest.raises(UserError, match=reason):
        several.scan(tmp_path)


def test_an_edit_of_a_layout_is_noticed_where_several_may_need_it():
    modules = code.made_of("extract", {"extract": {"layout": "several"}})["code"]
    assert {f"deepfake.layouts.{name}" for name in LAYOUTS} <= modules.keys()
    alone = code.made_of("extract", {"extract": {"layout": "uadfv"}})["code"]
    assert [name for name in alone if name.startswith("deepfake.layouts.")] == ["deepfake.layouts.uadfv"]


def test_a_fake_of_faceforensics_has_the_mask_of_its_own_method(tmp_path, film, noise):
    base = tmp_path / "manipulated_sequences"
    for method in ("Deepfakes", "FaceSwap"):
        for folder in ("c23/videos", "c40/videos", *(["masks/videos"] if method == "Deepfakes" else [])):
            (base / method / folder).mkdir(parents=True)
            film(base / method / folder / "000_003.mp4", noise[:2])
    table = scan("faceforensics", tmp_path).set_index("path")
    mask = "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4"
    for level in ("c23", "c40"):
        assert table.loc[f"manipulated_sequences/Deepfakes/{level}/videos/000_003.mp4", "mask"] == mask
        assert table.loc[f"manipulated_sequences/FaceSwap/{level}/videos/000_003.mp4", "mask"] == ""
    (tmp_path / "above").mkdir()
    base.rename(tmp_path / "above" / "manipulated_sequences")
    inside = scan("several", tmp_path)
    assert f"above/{mask}" in set(inside["mask"])


@pytest.mark.parametrize(
    ("fake", "mask"),
    [
        ("Deepfakes/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", "000_003.mp4"),  # a method's name above
        ("manipulated_sequences/x/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", "000_003.mp4"),
        ("manipulated_sequences/Deepfakes/c23/videos/000_003.MP4", "000_003.mp4"),
        ("manipulated_sequences/Deepfakes/c23/frames/000_003.mkv", "000_003.mp4"),
        ("manipulated_sequences/Deepfakes/c23/000_003.mp4", "000_003.MP4"),
    ],
)
def test_a_mask_is_found_wherever_the_dataset_lies_and_whatever_its_suffix(tmp_path, fake, mask):
    home = fake[: fake.rindex("manipulated_sequences")]
    path = f"{home}manipulated_sequences/Deepfakes/masks/videos/{mask}"
    Miniature({fake: {}}, strays=(path,)).lay(tmp_path)
    assert scan("faceforensics", tmp_path)["mask"].tolist() == [path]
