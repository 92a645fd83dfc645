"""forge: faces are swapped, nothing but the faces tells a fake, and what cannot be used is said."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from deepfake import forge as module
from deepfake import video
from deepfake.base import tables
from deepfake.base.errors import UserError
from deepfake.demo import FPS, DemoParams, render
from deepfake.forge import ForgeParams, Real, forge, listing, pair
from deepfake.forgeries import faceswap
from deepfake.layouts import manifest
from deepfake.swap import Finder, steady, swap

SIZE, FRAMES = 256, 6
P = ForgeParams()


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS", "1")


@pytest.fixture(scope="session")
def people() -> list[list[video.Images]]:
    """Three people, six frames each."""
    p = DemoParams(identities=4, frames=FRAMES, size=SIZE, resolution=0, seed=0)
    return [list(render(identity, p)) for identity in range(3)]


@pytest.fixture
def reals(tmp_path: Path, people: list[list[video.Images]]) -> Path:
    """A folder with a video of each of two people."""
    for name, frames in zip(("ann", "bob"), people, strict=False):
        video.encode(tmp_path / "reals" / f"{name}.mp4", frames, FPS)
    return tmp_path / "reals"


def person(identity: str, video: str = "") -> Real:
    return Real(Path(f"{video or identity}.mp4"), video or identity, identity)


# ---- one image


def test_only_the_face_changes(people):
    image, other = people[0][0], people[1][0]
    shape = Finder()(image)
    changed = np.abs(swap(image, shape, other, Finder()(other)).astype(int) - image).max(2)
    forehead = shape[17:27] + 0.4 * (shape[17:27].mean(0) - shape[33])
    outside, inside = np.ones((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillConvexPoly(outside, cv2.convexHull(np.rint(np.concatenate([shape, forehead])).astype(np.int32)), 0)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(shape[27:68]).astype(np.int32)), 1)  # eyes, nose and mouth
    assert not changed[cv2.erode(outside, np.ones((3, 3))) == 1].any()  # but for the rounding of the outline
    assert (changed[inside == 1] > 2).mean() > 0.9


def test_a_face_swapped_for_itself_stays_as_it_is(people):
    image = people[0][0]
    shape = Finder()(image)
    assert np.abs(swap(image, shape, image, shape).astype(int) - image).max() <= 2


def test_the_face_of_the_source_lies_on_the_landmarks_of_the_target(people):
    """The eyes and mouth of a source that is moved and enlarged come to lie where the target's are."""
    image = people[0][0]
    shape = Finder()(image)
    matrix = np.array([[1.3, 0.1, -20], [-0.1, 1.3, -15]])
    other = cv2.warpAffine(image, matrix, (2 * SIZE, 2 * SIZE), flags=cv2.INTER_CUBIC)
    back = swap(image, shape, other, shape @ matrix[:, :2].T + matrix[:, 2])
    assert np.abs(back.astype(int) - image).mean() < 1


@pytest.mark.parametrize("resolution", [0, 100, 60])
def test_a_swapped_face_is_as_sharp_as_the_one_in_its_place(people, resolution):
    """However coarse it was drawn: else sharpness alone tells a fake."""
    finder = Finder()
    shapes = [finder(images[0]) for images in people[:2]]
    fake = swap(people[0][0], shapes[0], people[1][0], shapes[1], resolution)
    left, top, right, bottom = *shapes[0][17:].min(0).astype(int), *shapes[0][17:].max(0).astype(int)
    before, after = (
        cv2.Laplacian(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY), cv2.CV_64F).std()
        for image in (people[0][0], fake)
    )
    assert after == pytest.approx(before, rel=0.15)


def test_landmarks_that_tremble_are_made_steady_and_others_stay():
    """A stiff face that moves, turns and grows; then set to whole pixels, as dlib does."""
    form, time = np.random.default_rng(0).uniform(60, 160, (68, 2)), np.linspace(0, 1, 12)
    turns = [np.array([[1 + 0.1 * t, 0.2 * t], [-0.2 * t, 1 + 0.1 * t]]) for t in time]
    true = np.stack([form @ turn.T + 9 * t for turn, t in zip(turns, time, strict=True)])
    np.testing.assert_allclose(steady(true), true, atol=1e-6)
    assert np.abs(steady(np.rint(true)) - true).mean() < 0.6 * np.abs(np.rint(true) - true).mean()


def test_frames_without_a_face_stay_without_one_when_landmarks_are_made_steady():
    shapes = np.random.default_rng(0).uniform(60, 160, (1, 68, 2)).repeat(5, 0)
    shapes[[0, 3]] = np.nan
    assert np.isnan(steady(shapes)[:, 0, 0]).tolist() == [True, False, False, True, False]
    np.testing.assert_allclose(steady(shapes), shapes, atol=1e-6)
    assert np.isnan(steady(shapes[:1])).all()


def test_an_image_without_a_face_has_no_landmarks():
    assert np.isnan(Finder()(np.zeros((SIZE, SIZE, 3), np.uint8))).all()


# ---- who with whom


@pytest.mark.parametrize(
    ("count", "pairs", "groups"), [(6, 1, [2, 2, 2]), (7, 1, [2, 2, 3]), (7, 2, [3, 4]), (2, 5, [2])]
)
def test_people_are_swapped_within_small_groups(count, pairs, groups):
    swaps = pair([person(str(i)) for i in range(count)], ForgeParams(pairs=pairs))
    partners = {str(i): {str(i)} for i in range(count)}
    for target, source, _ in swaps:
        partners[target.identity] |= partners[source.identity]
        for identity in partners[target.identity]:
            partners[identity] = partners[target.identity]
    assert sorted(map(len, {frozenset(group) for group in partners.values()})) == groups
    assert len(swaps) == len(set((t.name, s.name) for t, s, _ in swaps)) == count * min(pairs, count - 1)
    assert all(target.identity != source.identity for target, source, _ in swaps)


def test_every_video_of_a_person_is_a_target():
    swaps = pair([person("a", "a1"), person("a", "a2"), person("b")], P)
    assert [(t.name, s.name) for t, s, _ in swaps] == [("a1", "b"), ("a2", "b"), ("b", "a1")]


def test_methods_are_dealt_within_each_group_of_people():
    swaps = pair([person(str(i)) for i in range(8)], ForgeParams(methods=("faceswap", "stutter")))
    method = {target.name: method for target, _, method in swaps}
    assert all({method[target.name], method[source.name]} == {"faceswap", "stutter"} for target, source, _ in swaps)


def test_an_index_says_who_is_on_a_video(reals):
    (reals / "manifest.csv").write_text("path,label,identity\nann.mp4,real,01\nbob.mp4,real,02\nx.mp4,fake,03\n")
    assert [(real.name, real.identity) for real in listing(reals)] == [("ann", "01"), ("bob", "02")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "manifest.csv",
            "Path;LABEL;Identity\r\n ann.mp4 ; Real;01\r\nbob.mp4;0; 02\r\nx.mp4;FAKE;03\r\ny.mp4;;\r\n",
        ),
        (
            "INDEX.csv",
            "path\tidentities\tlabel\nann.mp4\t01\treal\nbob.mp4\t02\tREAL \nx.mp4\t03\tfake\ny.mp4\t4\t1\n",
        ),
        ("INDEX.csv", "path,identity\nann.mp4,01\nbob.mp4,02\n"),
    ],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_index_is_read_as_the_layout_reads_it(reals, name, text, coding):
    (reals / name).write_bytes(text.encode(coding))
    assert [(real.name, real.identity) for real in listing(reals)] == [("ann", "01"), ("bob", "02")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a table: No columns"),
        ("path,label\nann.mp4,reel\n", "no label 'reel'"),
        ("path,identity\nann.mp4\n", "line 2 has 1 fields, the header 2"),
        ("file,identity\nann.mp4,1\n", "no column label, path"),
    ],
)
def test_a_faulty_index_is_a_mistake(reals, text, reason):
    (reals / "INDEX.csv").write_text(text)
    with pytest.raises(UserError, match=reason):
        listing(reals)


def empty(root: Path, *names: str) -> Path:
    """Empty files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_fake_is_never_taken_for_a_real(tmp_path, capsys):
    root = empty(
        tmp_path / "all", "real/ann.mp4", "real/x/bob.mp4", "fake/ann_bob.mp4", "fake/masks/a.mp4", "real/a.txt"
    )
    assert [real.name for real in listing(root)] == ["ann", "bob"]
    assert capsys.readouterr().err == f"{root}: left out 1 .txt, 1 in masks, 1 called fake\n"
    empty(root, "cid.mp4")
    with pytest.raises(UserError, match=r"neither real nor fake: \."):
        listing(root)
    with pytest.raises(UserError, match="neither real nor fake"):
        listing(empty(tmp_path / "Fakes", "a.mp4", "b.mp4"))
    with pytest.raises(UserError, match="both real and fake, or neither: non_fake, real/fake"):
        listing(empty(tmp_path / "odd", "real/fake/a.mp4", "non_fake/b.mp4"))


def test_hidden_files_pictures_and_folders_that_are_called_like_videos_are_no_reals(tmp_path):
    root = empty(tmp_path, "a.mp4", "._a.mp4", "__MACOSX/b.mp4", "c.mp4/d.mp4", "a.jpg")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [real.name for real in listing(root)] == ["a", "d"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["x/a.mp4", "y/a.mp4"], ["x-a-mp4", "y-a-mp4"]),
        (["a.mp4", "a_b.mp4", "b.mp4", "b_c.mp4", "c.mp4"], ["a", "a-b", "b", "b-c", "c"]),  # a_b + c and a + b_c
        (["000_1.mp4", "001_1.mp4"], ["000_1", "001_1"]),
        (["a+b.mp4", "c,d;e.mp4"], ["a-b", "c-d-e"]),  # one person, not two
    ],
)
def test_every_video_has_a_name_of_its_own(tmp_path, paths, names):
    assert [real.name for real in listing(empty(tmp_path, *paths))] == names


@pytest.mark.parametrize(
    "paths",
    [
        ["a/b-c.mp4", "a-b/c.mp4", "x/b-c.mp4", "x/c.mp4"],  # a-b-c-mp4 both
        ["a.mp4", "A.avi", "b.mp4"],  # one file on disks without capitals
        ["a+b.mp4", "a-b.avi", "a,b.mkv"],
        ["a_b.mp4", "a.mp4", "a-b.mp4", "a-b_c.mp4", "c.mp4", "b_c.mp4"],
        ["x" * 250 + ".mp4", "x" * 249 + "y.mp4", "x" * 200 + ".mp4"],
        ["a\nb.mp4", "a\\nb.mp4", os.fsdecode(b"caf\xe9.mp4"), "caf\\xe9.mp4"],
        ["e\u0301.mp4", "\u00e9.mp4"],
    ],
)
def test_no_two_fakes_share_a_name_however_the_reals_are_called(tmp_path, paths):
    names = [real.name for real in listing(empty(tmp_path, *paths))]
    assert len(names) == len(paths)
    fakes = [f"{a}_{b}.mp4".casefold() for a in names for b in names if a != b]
    assert len(set(fakes)) == len(fakes)
    assert all(len(fake.encode()) <= 200 and fake.isprintable() and not set(fake) & set("+,;/") for fake in fakes)


# ---- the whole


def test_a_manifest_lists_reals_and_fakes(reals, tmp_path):
    forge(reals, tmp_path / "out", P)
    table = pd.read_csv(tmp_path / "out" / "manifest.csv", keep_default_na=False)
    assert list(table.columns) == ["path", "label", "identities", "method", "source"]
    assert table.to_numpy().tolist() == [
        ["real/ann.mp4", "real", "ann", "", ""],
        ["real/bob.mp4", "real", "bob", "", ""],
        ["fake/ann_bob.mp4", "fake", "ann+bob", "faceswap", "real/ann.mp4"],
        ["fake/bob_ann.mp4", "fake", "bob+ann", "faceswap", "real/bob.mp4"],
    ]


def test_a_fake_and_its_real_share_codec_size_and_length(reals, tmp_path):
    manifest = forge(reals, tmp_path / "out", P).manifest
    for row in manifest[manifest["label"] == "fake"].itertuples():
        real, fake = (video.probe(tmp_path / "out" / path) for path in (row.source, row.path))
        for field in ("codec", "pix_fmt", "width", "height", "fps", "duration", "packet_times"):
            assert getattr(real, field) == getattr(fake, field)
        assert fake.bitrate == pytest.approx(real.bitrate, rel=0.03)


def test_long_videos_that_are_not_held_in_memory_give_the_same_files(reals, tmp_path, monkeypatch):
    forge(reals, tmp_path / "held", P)
    monkeypatch.setattr(module, "HELD", 2)
    forge(reals, tmp_path / "streamed", P)
    for file in (tmp_path / "held").rglob("*.mp4"):
        assert file.read_bytes() == (tmp_path / "streamed" / file.relative_to(tmp_path / "held")).read_bytes()


def test_frames_without_a_face_stay_and_are_counted(reals, tmp_path, people, monkeypatch):
    monkeypatch.setattr(faceswap, "PACES", (1.0,))  # slowed, bob's face would last for all six
    grey = np.full((SIZE, SIZE, 3), 128, np.uint8)
    video.encode(reals / "bob.mp4", [*people[1][:4], grey, grey], FPS)
    report = forge(reals, tmp_path / "out", P).report.set_index("path")
    assert report["faceless"].to_dict() == {"ann.mp4": 0, "bob.mp4": 2, "fake/ann_bob.mp4": 2, "fake/bob_ann.mp4": 2}
    assert video.images(tmp_path / "out/fake/bob_ann.mp4")[-1].mean() == pytest.approx(128, abs=2)


def test_a_source_that_ends_sooner_starts_again_and_frames_can_be_limited(reals, tmp_path, people):
    video.encode(reals / "bob.mp4", people[1][:2], FPS)
    report = forge(reals, tmp_path / "out", ForgeParams(max_frames=5)).report.set_index("path")
    assert report["frames"].to_dict() == {"ann.mp4": 5, "bob.mp4": 2, "fake/ann_bob.mp4": 5, "fake/bob_ann.mp4": 2}


def test_a_broken_file_is_reported_and_skipped(reals, tmp_path):
    (reals / "broken.mp4").write_bytes(b"this is no video")
    forged = forge(reals, tmp_path / "out", P)
    row = forged.report.set_index("path").loc["broken.mp4"]
    assert row["status"] == "decode_error"
    assert "not a readable video" in row["reason"]
    assert len(forged.manifest) == 4


def test_odd_names_and_odd_files_are_reported_and_the_table_reads_back(reals, tmp_path):
    """A name that no table holds, one as long as a disk takes, a pipe, a link to nothing: none ends the run."""
    strange = [os.fsdecode(b"caf\xe9.mp4"), "two\nlines.mp4", "x" * 251 + ".mp4"]
    for name in strange:
        shutil.copy(reals / "ann.mp4", reals / name)
    os.mkfifo(reals / "pipe.mp4")
    (reals / "gone.mp4").symlink_to("nothing")
    forged = forge(reals, tmp_path / "out", ForgeParams(max_frames=2))
    assert forged.report["status"].value_counts().to_dict() == {"ok": 10, "missing": 2}
    assert tables.read(tmp_path / "out/report.csv", ("reason",)).equals(forged.report.astype({"reason": str}))
    assert sorted(manifest.scan(tmp_path / "out")["path"]) == sorted(forged.manifest["path"])
    assert all((tmp_path / "out" / path).is_file() for path in forged.manifest["path"])


def test_a_video_that_is_gone_when_it_is_swapped_ends_no_run(reals, tmp_path, people, monkeypatch):
    video.encode(reals / "cid.mp4", people[2], FPS)
    frames, seen = module._frames, set()

    def once(path, p, lost):
        if path.stem == "cid" and path in seen:
            raise video.Unreadable("missing", "no such file")
        seen.add(path)
        yield from frames(path, p, lost)

    monkeypatch.setattr(module, "_frames", once)
    forged = forge(reals, tmp_path / "out", ForgeParams(max_frames=2))
    gone = forged.report[forged.report["status"] == "decode_error"]
    assert len(gone) > 0
    assert gone["path"].str.contains("cid").all()
    assert set(gone["reason"]) == {"no such file"}
    assert not set(gone["path"]) & set(forged.manifest["path"])
    assert all((tmp_path / "out" / path).is_file() for path in forged.manifest["path"])


def test_fewer_than_two_people_are_an_error_that_says_why(reals, tmp_path):
    (reals / "bob.mp4").write_bytes(b"this is no video")
    with pytest.raises(UserError, match=r"(?s)two people.*bob\.mp4: not a readable video") as error:
        forge(reals, tmp_path / "out", P)
    assert "add videos" in error.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_overwritten(reals):
    with pytest.raises(UserError, match="not empty"):
        forge(reals, reals, P)
