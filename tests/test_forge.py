"""forge: faces are swapped, nothing but the faces tells a fake, and what cannot be used is said."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from deepfake import forge as module
from deepfake import video
from deepfake.base.errors import UserError
from deepfake.demo import FPS, DemoParams, render
from deepfake.forge import ForgeParams, Real, forge, listing, pair
from deepfake.swap import Finder, swap

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


def test_an_image_without_a_face_has_no_landmarks():
    assert np.isnan(Finder()(np.zeros((SIZE, SIZE, 3), np.uint8))).all()


# ---- who with whom


@pytest.mark.parametrize(
    ("count", "pairs", "groups"), [(6, 1, [2, 2, 2]), (7, 1, [2, 2, 3]), (7, 2, [3, 4]), (2, 5, [2])]
)
def test_people_are_swapped_within_small_groups(count, pairs, groups):
    swaps = pair([person(str(i)) for i in range(count)], ForgeParams(pairs=pairs))
    partners = {str(i): {str(i)} for i in range(count)}
    for target, source in swaps:
        partners[target.identity] |= partners[source.identity]
        for one in partners[target.identity]:
            partners[one] = partners[target.identity]
    assert sorted(map(len, {frozenset(group) for group in partners.values()})) == groups
    assert len(swaps) == len(set((t.name, s.name) for t, s in swaps)) == count * min(pairs, count - 1)
    assert all(target.identity != source.identity for target, source in swaps)


def test_every_video_of_a_person_is_a_target():
    swaps = pair([person("a", "a1"), person("a", "a2"), person("b")], P)
    assert [(t.name, s.name) for t, s in swaps] == [("a1", "b"), ("a2", "b"), ("b", "a1")]


def test_an_index_says_who_is_on_a_video(reals):
    (reals / "manifest.csv").write_text("path,label,identity\nann.mp4,real,01\nbob.mp4,real,02\nx.mp4,fake,03\n")
    assert [(one.name, one.identity) for one in listing(reals)] == [("ann", "01"), ("bob", "02")]


def test_videos_of_one_name_in_two_folders_are_kept_apart(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").touch()
    assert [one.name for one in listing(tmp_path)] == ["x-a-mp4", "y-a-mp4"]


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


def test_frames_without_a_face_stay_and_are_counted(reals, tmp_path, people):
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


def test_fewer_than_two_people_are_an_error_that_says_why(reals, tmp_path):
    (reals / "bob.mp4").write_bytes(b"this is no video")
    with pytest.raises(UserError, match=r"(?s)two people.*bob\.mp4: not a readable video") as error:
        forge(reals, tmp_path / "out", P)
    assert "add videos" in error.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_overwritten(reals):
    with pytest.raises(UserError, match="not empty"):
        forge(reals, reals, P)
