"""dataset: a folder's layout is found by itself, what is missing is said, pictures become videos."""

import io
import tarfile
from pathlib import Path

import cv2
import miniatures
import numpy as np
import pytest
import yaml
from miniatures import Miniature

from deepfake import video
from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.dataset import datasets, packs
from deepfake.dataset.videos import read
from deepfake.layouts import wilddeepfake
from stages.extract import run


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory) -> bytes:
    """A tiny video."""
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    return film(tmp_path_factory.mktemp("clip") / "a.mp4", images).read_bytes()


def png(shade: int, side: int = 8) -> bytes:
    """A picture of one colour, that is no grey."""
    return cv2.imencode(".png", np.full((side, side, 3), (shade, 0, 255 - shade), np.uint8))[1].tobytes()


# ---- guess


@pytest.mark.parametrize("name", plugins.names("layouts"))
def test_the_layout_of_every_miniature_is_guessed(tmp_path, name):
    assert datasets.guess(miniatures.ALL[name].lay(tmp_path)).layout == name


def test_a_dataset_is_preferred_to_plain_folders_that_know_as_much(tmp_path):
    guess = datasets.guess(miniatures.celebdf.lay(tmp_path))
    assert guess.layout == "celebdf"
    assert guess.known["folders"] >= guess.known["celebdf"]


def test_a_few_strays_of_a_dataset_do_not_make_folders_one(tmp_path):
    tree = Miniature({f"real/clip{i}.mp4": {} for i in range(9)} | {"real/0000.mp4": {}, "fake/0000_fake.mp4": {}})
    assert datasets.guess(tree.lay(tmp_path)).layout == "folders"


@pytest.mark.parametrize("fakes", [range(10), range(100, 108)])
def test_folders_of_numbered_videos_are_no_dataset_that_calls_its_fakes_otherwise(tmp_path, fakes):
    names = [f"real/{i:04d}.mp4" for i in range(10)] + [f"fake/{i:04d}.mp4" for i in fakes]
    assert datasets.guess(Miniature({name: {} for name in names}).lay(tmp_path)).layout == "folders"


@pytest.mark.parametrize("number", [2, 4, 9])
def test_folders_of_ones_own_beside_a_dataset_are_several(tmp_path, number):
    film = ("original_sequences/youtube/c23/videos/{}.mp4", "manipulated_sequences/Deepfakes/c23/videos/{0}_{0}.mp4")
    ff = [f"ff/{path.format(f'{i:03d}')}" for i in range(4) for path in film]
    mine = [f"mine/{kind}/{i:04d}.mp4" for i in range(number) for kind in ("real", "fake")]
    root = Miniature({name: {} for name in [*ff, *mine]}).lay(tmp_path)
    guess = datasets.guess(root)
    assert (guess.layout, guess.known) == ("several", {"faceforensics": 8, "folders": 2 * number})
    table = plugins.load("layouts", "several").scan(root)
    assert sorted(table["path"]) == sorted([*ff, *mine])
    assert table.set_index("path").loc[ff[1], "identities"] == "000"


def test_folders_that_tell_clearly_more_than_a_dataset_are_folders(tmp_path):
    names = [f"Celeb-{kind}/id0_id1_{i:04d}.mp4" for i in range(6) for kind in ("real", "synthesis")]
    more = [f"Celeb-{kind}/clip {i}.mp4" for i in range(6) for kind in ("real", "synthesis")]
    assert datasets.guess(Miniature({name: {} for name in [*names, *more]}).lay(tmp_path)).layout == "folders"
    assert datasets.guess(Miniature({name: {} for name in [*names, *more[:3]]}).lay(tmp_path / "a")).layout == "celebdf"


def test_pictures_beside_a_dataset_of_videos_do_not_make_folders_of_it(tmp_path):
    tree = miniatures.celebdf.lay(tmp_path)
    Miniature({f"Celeb-real/faces/{i}.png": {} for i in range(99)}).lay(tmp_path)
    assert datasets.guess(tree).layout == "celebdf"


def test_what_a_dataset_leaves_out_does_not_hide_it(tmp_path):
    filmed = [f"source_videos/M{i:03d}/light_up/M{i:03d}_camera_{side}.mp4" for i in range(9) for side in range(5)]
    root = miniatures.deeperforensics.lay(tmp_path)
    assert datasets.guess(Miniature({name: {} for name in filmed}).lay(root)).layout == "deeperforensics"


def test_reals_of_faceforensics_alone_are_no_dataset_that_borrows_them(tmp_path):
    tree = Miniature({f"original_sequences/youtube/c23/videos/{i:03d}.mp4": {} for i in range(3)})
    assert datasets.guess(tree.lay(tmp_path)).layout == "faceforensics"


def test_a_folder_that_is_nothing_is_told(deepfake, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.mp4").touch()
    code, _, complaint = deepfake("dataset", "guess", "x")
    assert code == 2
    assert "no layout fits" in complaint
    assert "docs/datasets.md" in complaint
    assert deepfake("dataset", "guess", "nowhere")[0] == 2


def test_the_lines_to_write_are_lines_of_params_yaml(deepfake, tmp_path):
    miniatures.uadfv.lay(tmp_path / "data")
    code, output, _ = deepfake("dataset", "guess", "data")
    lines = output.split("params.yaml:\n")[1]
    assert code == 0
    assert yaml.safe_load(lines) == {"extract": {"root": str(tmp_path / "data"), "layout": "uadfv"}}


# ---- check


@pytest.mark.parametrize("name", ["faceforensics", "celebdf", "dfdc", "several"])
def test_what_is_there_and_what_is_missing_is_said(deepfake, tmp_path, clip, name):
    tree = miniatures.ALL[name]
    tree.lay(tmp_path / "data", clip)
    code, output, _ = deepfake("dataset", "check", "data")
    fakes = sum(row["label"] for row in tree.expected())
    assert code == 0
    assert f"layout {name}: {len(tree.rows)} videos, {len(tree.rows) - fakes} real, {fakes} fake\n" in output
    assert f"unreadable: 0 of {len(tree.rows)}\n" in output
    assert all(f"note: {note}" in output for note in tree.notes)
    assert f"layout: {name}" in output


def test_counts_stand_beside_those_published(deepfake, tmp_path):
    miniatures.faceforensics.lay(tmp_path / "data")
    _, output, _ = deepfake("dataset", "check", "data", "--quick")
    assert "  FaceForensics++ Deepfakes c23: 2 of 1000 published, 998 missing\n" in output
    assert "  DFD real c23: 1 of 363 published, 362 missing\n" in output
    assert "official split: " in output
    assert "unreadable" not in output


def test_a_method_of_which_there_is_nothing_is_missing_too(tmp_path):
    tree = Miniature({"original_sequences/youtube/c23/videos/000.mp4": {}})
    table = plugins.load("layouts", "faceforensics").scan(tree.lay(tmp_path))
    kinds = list(datasets.compared(table, "faceforensics"))
    assert kinds[0] == ("FaceForensics++", "real", "c23", 1, 1000)
    assert ("FaceForensics++", "NeuralTextures", "", 0, 1000) in kinds


def test_videos_that_cannot_be_read_are_named_with_the_reason(deepfake, tmp_path, clip):
    root = miniatures.uadfv.lay(tmp_path / "data", clip)
    (root / "real/0000.mp4").write_bytes(b"not a video")
    (root / "fake/0000_fake.mp4").unlink()
    (root / "fake/0000_fake.mp4").symlink_to("nowhere.mp4")
    code, output, _ = deepfake("dataset", "check", "data")
    assert code == 1
    assert "unreadable: 2 of 3\n" in output
    assert "  fake/0000_fake.mp4: no such file\n" in output
    assert "  real/0000.mp4: not a readable video" in output


def test_the_groups_that_no_split_can_divide_are_counted(deepfake, tmp_path):
    Miniature({f"Celeb-synthesis/id{i}_id{i + 1}_0000.mp4": {} for i in range(4)}).lay(tmp_path / "data")
    (tmp_path / "data/YouTube-real").mkdir()
    (tmp_path / "data/YouTube-real/00000.mp4").touch()
    _, output, _ = deepfake("dataset", "check", "data", "--quick", "--layout", "celebdf")
    assert "people: 6 known, 0 videos say nobody\n" in output
    assert "groups that share people or sources: 2, the largest of 4 videos (80%)\n" in output


def test_the_stage_takes_a_dataset_by_its_two_lines_and_keeps_what_is_broken_as_rows(
    tmp_path, monkeypatch, capsys, clip
):
    monkeypatch.chdir(tmp_path)
    root = miniatures.faceforensics.lay(tmp_path / "ff", clip)
    broken = "manipulated_sequences/Face2Face/c23/videos/000_003.mp4"
    (root / broken).write_bytes(b"")
    settings = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["extract"]
    settings |= {
        "root": "ff",
        "layout": "faceforensics",
        "methods": ["Deepfakes", "Face2Face"],
        "compressions": ["c23"],
    }
    Path("params.yaml").write_text(yaml.safe_dump({"extract": settings}))
    run()
    table = read(tmp_path / "data/videos.csv").set_index("video_id")
    assert len(table) == 7  # four reals of YouTube, three fakes; none of DFD
    assert table.loc[broken, ["status", "identities", "split"]].tolist() == ["decode_error", "000+003", "test"]
    assert (table["status"].drop(broken) == "ok").all()
    assert "extract: ff: Deepfakes c23: of 6 that the lists name are not on disk" in capsys.readouterr().err


# ---- pack


def archive(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def shades(path: Path) -> list[int]:
    """The red of each frame's first pixel."""
    return [int(image[0, 0, 0]) for image in video.images(path)]


def test_archives_of_face_crops_become_videos_that_the_layout_reads(deepfake, tmp_path):
    root = tmp_path / "wild"
    frames = {f"7/real/12/{n}.png": png(n) for n in (2, 10, 1)}  # in no order, and 10 after 2
    archive(root / "real_train/7.tar.gz", frames | {"7/real/13/5.png": png(5), "7/readme.txt": b"x"})
    archive(root / "fake_test/7.tar.gz", {"7/fake/12/0.png": png(0)})
    with pytest.raises(UserError, match="2 archives of face crops") as error:
        wilddeepfake.scan(root)
    assert "dataset pack" in error.value.hint
    with pytest.raises(UserError, match=r"no layout fits: .*2 archives of face crops") as error:
        datasets.guess(root)
    assert "dataset pack" in error.value.hint
    code, output, _ = deepfake("dataset", "pack", root, "new")
    assert (code, output) == (0, "pack: 3 videos made, 0 there already, 0 not packed -> new\n")
    assert shades(tmp_path / "new/real_train/7/7/real/12.mkv") == [254, 253, 245]
    table = wilddeepfake.scan(tmp_path / "new").set_index("path")
    assert table.loc["real_train/7/7/real/12.mkv", ["label", "source"]].tolist() == [0, "archive:real_train/7"]
    assert table.loc["fake_test/7/7/fake/12.mkv", ["label", "split"]].tolist() == [1, "test"]
    assert datasets.guess(tmp_path / "new").layout == "wilddeepfake"
    assert "3 there already" in deepfake("dataset", "pack", root, "new")[1]


def test_folders_of_numbered_pictures_become_videos_and_single_pictures_do_not(deepfake, tmp_path):
    root = tmp_path / "df40"
    for name in ("simswap/ff/frames/000_003/001.png", "simswap/ff/frames/000_003/000.png", "stargan/fake/17.png",
                 "simswap/ff/frames/notes/cover.png"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(int(Path(name).stem) if Path(name).stem.isdecimal() else 9))
    assert deepfake("dataset", "pack", root, "new")[0] == 0
    assert [path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*.*")] == [
        "simswap/ff/frames/000_003.mkv"
    ]
    assert shades(tmp_path / "new/simswap/ff/frames/000_003.mkv") == [255, 254]


def test_what_cannot_be_packed_is_named_and_leaves_nothing_behind(deepfake, tmp_path):
    root = tmp_path / "data"
    for name, content in {"a/0.png": png(0), "a/1.png": png(1, side=10), "b/0.png": b"no picture", "c/0.png": b"",
                          "d/0.png": png(3)}.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    archive(root / "e.tar.gz", {"0/0.png": png(0), "../../0/1.png": png(1), "/0/2.png": png(2)})
    (root / "f.tar.gz").write_bytes((root / "e.tar.gz").read_bytes()[:60])
    code, output, _ = deepfake("dataset", "pack", root, "new")
    assert code == 1
    assert "  a: its picture 2 is of another size than the first\n" in output
    assert "  b: its picture 1 cannot be read\n" in output
    assert "  c: its picture 1 cannot be read\n" in output
    assert "  f.tar.gz: the archive cannot be read to its end" in output
    assert "pack: 2 videos made, 0 there already, 4 not packed" in output
    assert sorted(path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*.*")) == [
        "d.mkv", "e/0.mkv",
    ]  # fmt: skip
    assert video.images(tmp_path / "new/e/0.mkv").shape == (1, 8, 8, 3)


def test_packing_into_the_folder_itself_or_nothing_is_a_mistake(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match="lies in"):
        packs.pack(tmp_path / "data", tmp_path / "data" / "new")
    with pytest.raises(UserError, match="no folders of numbered pictures"):
        packs.pack(tmp_path / "data", tmp_path / "new")
