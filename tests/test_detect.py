"""detect: a person is one track, sure faces of missed frames are filled in, nothing is searched that need not be."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from deepfake import detect, likeness, track, video
from deepfake.base.errors import UserError
from deepfake.detect import DetectParams, Search, tracks
from deepfake.extract import Policy, keep
from deepfake.faces import DLIB_5, Face

P = DetectParams(
    detector="dlib_hog",
    weights=None,
    search_side=160,
    search_every=4,
    min_overlap=0.2,
    max_gap=0.13,
    size=32,
    margin=0.3,
)
POLICY = Policy(sampling="count", frames_per_video=4, fps=1, stride=1, max_side=None, crf=0)
RED, GREEN, BLUE = range(3)


class Blobs:
    """A detector of faces that are squares of one colour, of `window` px or more and hardly cut: one of each colour."""

    window = 24
    template = DLIB_5

    def __init__(self) -> None:
        self.searched: list[tuple[int, int]] = []  # (height, width) of the images it was shown

    def detect(self, image) -> list[Face]:
        assert image.flags.c_contiguous
        self.searched.append(image.shape[:2])
        faces = []
        for color in (RED, GREEN, BLUE):
            rows, columns = np.nonzero(image[..., color] > 127)
            sides = sorted((np.ptp(rows) + 1, np.ptp(columns) + 1)) if len(rows) else (0, 0)
            if sides[0] >= max(self.window, 0.85 * sides[1]):
                box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
                faces.append(Face(box, sides[0] / sides[1], box[:2] + (box[2:] - box[:2]) * DLIB_5))
        return sorted(faces, key=lambda face: -face.score)


@pytest.fixture
def blobs(monkeypatch) -> Blobs:
    """The detector of every run in this process."""
    detector = Blobs()
    monkeypatch.setattr(detect, "detector_of", lambda name, weights: detector)
    monkeypatch.setattr(likeness, "descriptor", lambda chip: chip[75, 75] / 255)  # people are told by their colour
    return detector


def scene(*squares: dict[int, tuple[int, int]], side: int = 60, dim: dict[int, int] | None = None) -> list[np.ndarray]:
    """Frames of 320 x 240 px, each with squares at {colour: (left, top)}.

    `dim`: {frame: colour} that is too dark there to be found, though it is there.
    """
    frames = []
    for i, places in enumerate(squares):
        image = np.zeros((240, 320, 3), np.uint8)
        for color, (left, top) in places.items():
            level = 120 if (dim or {}).get(i) == color else 255
            image[max(top, 0) : top + side, max(left, 0) : left + side, color] = level
        frames.append(image)
    return frames


def rows_of(folder: Path, frames: list[np.ndarray], p: DetectParams = P, step: float = 0.04) -> pd.DataFrame:
    """The rows of the tracks of these frames, `step` s apart."""
    with video.recording(folder / "frames.mkv") as record:
        for i, image in enumerate(frames):
            record(image, i * step)
    return pd.DataFrame(tracks(folder / "frames.mkv", folder, p))


def middles(path: Path) -> np.ndarray:
    """(T, 3): the color in the middle of each crop."""
    return video.images(path)[:, 16, 16]


# ---- tracks


def test_a_face_that_moves_is_one_track(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*({RED: (20 + 8 * i, 50 + 4 * i)} for i in range(10))))
    assert rows["track"].tolist() == [0] * 10
    assert rows["position"].tolist() == rows["frame"].tolist() == list(range(10))
    assert rows["time"].tolist() == pytest.approx([i / 25 for i in range(10)])
    assert rows["left"].tolist() == pytest.approx([20 + 8 * i for i in range(10)], abs=2)
    assert rows["top"].tolist() == pytest.approx([50 + 4 * i for i in range(10)], abs=2)
    assert rows[["width", "height"]].to_numpy() == pytest.approx(60, abs=3)
    assert rows["aligned"].all()
    assert not rows["recovered"].any()


def test_a_row_tells_of_its_crop(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*({RED: (20 + 8 * i, 50)} for i in range(5))))
    stored = list(video.read(tmp_path / "0.mkv"))
    assert [frame.time for frame in stored] == pytest.approx(rows["time"].tolist())
    crops = video.images(tmp_path / "0.mkv")
    assert crops.shape == (5, 32, 32, 3)
    differences = [cv2.absdiff(a, b).mean() for a, b in zip(crops[1:], crops, strict=False)]
    assert np.isnan(rows["difference"][0])
    assert rows["difference"][1:].tolist() == pytest.approx(differences, abs=1e-3)
    assert [len(landmarks) for landmarks in rows["landmarks"]] == [10] * 5
    assert rows["landmarks"][0][:2] == pytest.approx([20 + 60 * DLIB_5[0, 0], 50 + 60 * DLIB_5[0, 1]], abs=2)


def test_faces_that_cross_are_never_mixed(blobs, tmp_path):
    frames = scene(*({RED: (20 + 8 * i, 60), GREEN: (240 - 8 * i, 100)} for i in range(28)))
    rows = rows_of(tmp_path, frames)
    assert rows.groupby("track").size().to_dict() == {0: 28, 1: 28}
    for number, color in ((0, RED), (1, GREEN)):
        assert (middles(tmp_path / f"{number}.mkv")[:, color] > 200).all()
        assert rows.loc[rows["track"] == number, "top"].to_numpy() == pytest.approx((60, 100)[color], abs=3)


def test_one_person_whose_boxes_never_overlap_is_one_track(blobs, tmp_path):
    corners = [(20, 20), (240, 160), (240, 20), (20, 160)]
    rows = rows_of(tmp_path, scene(*({RED: corners[i % 4]} for i in range(16))), step=5.0)
    assert rows["track"].tolist() == [0] * 16
    assert not rows["recovered"].any()


def test_one_who_leaves_and_comes_back_is_one_track(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*[{RED: (20, 60)}] * 3, *[{}] * 12, *[{RED: (200, 60)}] * 3), step=1.0)
    assert rows["track"].tolist() == [0] * 6
    assert rows["frame"].tolist() == [0, 1, 2, 15, 16, 17]


def test_another_person_at_the_same_place_is_another_track(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*[{RED: (100, 60)}] * 4, *[{GREEN: (100, 60)}] * 4))
    assert rows["track"].tolist() == [0] * 4 + [1] * 4


def test_two_who_change_places_at_a_cut_are_two_tracks(blobs, tmp_path):
    left, right = (20, 60), (200, 60)
    rows = rows_of(tmp_path, scene(*[{RED: left, GREEN: right}] * 4, *[{RED: right, GREEN: left}] * 4))
    assert rows.groupby("track").size().tolist() == [8, 8]
    for number, color in ((0, RED), (1, GREEN)):
        assert (middles(tmp_path / f"{number}.mkv")[:, color] > 200).all()


def test_one_who_takes_turns_with_another_is_one_track(blobs, tmp_path):
    shots = [{RED: (100, 60)}, {GREEN: (100, 60)}] * 4
    rows = rows_of(tmp_path, scene(*(shot for shot in shots for _ in range(3))), step=1.0)
    assert rows.groupby("track")["frame"].agg(list).tolist() == [
        [i for i in range(24) if i // 3 % 2 == turn] for turn in (0, 1)
    ]


@pytest.mark.parametrize(("shift", "number"), [(39, 1), (41, 2)])  # of 60 px: overlaps .212 and .188
def test_who_is_not_recognised_goes_on_where_boxes_overlap_enough(blobs, tmp_path, monkeypatch, shift, number):
    monkeypatch.setattr(track, "SAME_PERSON", 0.0)
    p = P.model_copy(update={"search_side": 320})
    rows = rows_of(tmp_path, scene({RED: (20, 60)}, {RED: (20 + shift, 60)}), p)
    assert rows["track"].nunique() == number


def test_a_fast_face_is_expected_where_it_is_going(blobs, tmp_path, monkeypatch):
    monkeypatch.setattr(track, "SAME_PERSON", 0.0)
    p = P.model_copy(update={"search_side": 320})
    rows = rows_of(tmp_path, scene(*({RED: (left, 60)} for left in (10, 46, 96, 146, 196))), p)
    assert rows["track"].tolist() == [0] * 5  # 50 of 60 px a frame: an overlap of .09 with where it was


def test_a_person_is_described_only_where_it_decides_something(blobs, tmp_path, monkeypatch):
    def never(chip):
        raise AssertionError

    monkeypatch.setattr(likeness, "descriptor", never)
    rows = rows_of(tmp_path, scene(*({RED: (20 + 4 * i, 60), GREEN: (200, 60 + 4 * i)} for i in range(10))))
    assert rows.groupby("track").size().tolist() == [10, 10]


def test_a_face_that_comes_later_is_found_at_the_next_full_search(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*[{RED: (20, 60)}] * 2, *[{RED: (20, 60), GREEN: (200, 60)}] * 6))
    assert rows[rows["track"] == 1]["frame"].tolist() == [4, 5, 6, 7]


def test_a_video_without_a_face_has_no_rows_and_no_files(blobs, tmp_path):
    assert rows_of(tmp_path, scene({}, {}, {})).empty
    assert [path.name for path in tmp_path.glob("*.mkv")] == ["frames.mkv"]


def test_a_face_that_leaves_the_picture_is_followed_to_its_edge(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*({RED: (240 + 5 * i, 60)} for i in range(20))))
    assert rows["track"].unique().tolist() == [0]
    assert rows["frame"].tolist() == [0, 1, 2, 3, 4, 5]  # 55 of 60 px are left


# ---- frames in which a face is missed


PLACES = [{RED: (20 + 4 * i, 60 + 2 * i)} for i in range(12)]


@pytest.mark.parametrize(
    ("gap", "max_gap", "whole"),
    [(1, 0.09, True), (2, 0.13, True), (3, 0.17, True), (8, 1, True), (1, 0.07, False), (3, 0.15, False)],
)
def test_a_face_missed_for_a_short_time_is_recovered(blobs, tmp_path, gap, max_gap, whole):
    missed = range(3, 3 + gap)
    frames = scene(*PLACES, dim=dict.fromkeys(missed, RED))
    rows = rows_of(tmp_path, frames, P.model_copy(update={"max_gap": max_gap}))
    assert rows["track"].unique().tolist() == [0]
    assert rows["frame"].tolist() == [i for i in range(12) if whole or i not in missed]
    assert rows.loc[rows["recovered"], "frame"].tolist() == (list(missed) if whole else [])
    assert rows["score"].isna().equals(rows["recovered"])
    assert len(middles(tmp_path / "0.mkv")) == len(rows)


def test_a_gap_is_bounded_by_seconds_not_by_frames(blobs, tmp_path):
    frames = scene(*PLACES, dim={4: RED})
    for step, recovered in ((0.5, 1), (5.0, 0)):
        rows = rows_of(tmp_path, frames, P.model_copy(update={"max_gap": 2.0}), step=step)
        assert rows["recovered"].sum() == recovered


def test_what_does_not_look_like_the_face_is_not_recovered(blobs, tmp_path):
    frames = scene(*({} if i in (4, 5) else place for i, place in enumerate(PLACES)))
    frames[5][60:160, 20:160] = np.random.default_rng(0).integers(0, 120, (100, 140, 3))  # hair, or a flag
    rows = rows_of(tmp_path, frames)
    assert rows["frame"].tolist() == [i for i in range(12) if i not in (4, 5)]
    assert not rows["recovered"].any()


def test_nothing_is_recovered_where_another_face_is(blobs, tmp_path):
    frames = scene(*({GREEN: (30, 70)} if i == 4 else {RED: (30, 70)} for i in range(8)))
    rows = rows_of(tmp_path, frames)
    assert rows.groupby("track")["frame"].agg(list).tolist() == [[0, 1, 2, 3, 5, 6, 7], [4]]


def test_nothing_is_recovered_across_a_cut(blobs, tmp_path):
    frames = scene(*PLACES, dim={4: RED})
    for image in frames[4:]:
        image[:, :, BLUE] = np.minimum(np.arange(240) + 1, 120)[:, None]  # another scene
    rows = rows_of(tmp_path, frames)
    assert rows["track"].unique().tolist() == [0]
    assert not rows["recovered"].any()


def test_the_box_of_a_recovered_face_lies_between_its_neighbours(blobs, tmp_path):
    places = [{RED: (20 + 6 * i, 60 + 3 * i)} for i in range(8)]
    rows = rows_of(tmp_path, scene(*places, dim={3: RED, 4: RED}))
    boxes = rows[["left", "top", "width", "height"]].to_numpy()
    for step, i in ((1, 3), (2, 4)):
        np.testing.assert_allclose(boxes[i], boxes[2] + step / 3 * (boxes[5] - boxes[2]), atol=2e-3)
    landmarks = np.array(rows["landmarks"].tolist())
    np.testing.assert_allclose(landmarks[3], landmarks[2] + (landmarks[5] - landmarks[2]) / 3, atol=2e-3)
    assert (middles(tmp_path / "0.mkv")[[3, 4], RED] == 120).all()  # what is shown there, not what was elsewhere


def test_a_face_missed_beside_another_is_recovered(blobs, tmp_path):
    both = {RED: (20, 60), GREEN: (200, 60)}
    rows = rows_of(tmp_path, scene(*[both] * 5, dim={2: GREEN}))
    assert rows.groupby("track")["recovered"].sum().tolist() == [0, 1]
    assert rows.groupby("track")["frame"].agg(list).tolist() == [[0, 1, 2, 3, 4]] * 2


def test_a_face_that_never_comes_back_is_not_made_up(blobs, tmp_path):
    rows = rows_of(tmp_path, scene(*[{RED: (20, 60)}] * 3, *[{}] * 4))
    assert rows["frame"].tolist() == [0, 1, 2]


# ---- what is searched

NEAR, SMALL, FULL = "near", (120, 160), (240, 320)  # around the face; search_side; twice that


def kinds(blobs: Blobs) -> list[object]:
    """The searches: near ones, of two windows at most, by that name, the others by the size of what was searched."""
    return [NEAR if max(size) <= 2 * blobs.window else size for size in blobs.searched]


def test_a_face_is_searched_near_its_last_place(blobs):
    search = Search(blobs, P)
    for i, image in enumerate(scene(*[{RED: (100, 90)}] * 9)):
        assert len(search(image, i / 25)) == 1
    assert kinds(blobs) == [SMALL, FULL, NEAR, NEAR, NEAR, NEAR, SMALL, NEAR, NEAR, NEAR, NEAR, SMALL]


def test_a_missed_face_is_searched_everywhere_and_once_more_at_twice_the_size(blobs):
    search = Search(blobs, P)
    frames = scene({RED: (100, 90)}, {}, {RED: (40, 40)}, {RED: (40, 40)})
    counts = [len(search(image, i / 25)) for i, image in enumerate(frames)]
    assert counts == [1, 0, 1, 1]
    assert kinds(blobs) == [SMALL, FULL, NEAR, SMALL, FULL, NEAR, SMALL, FULL, NEAR, NEAR]  # the lost place as well


def test_a_face_too_small_for_the_first_search_is_found_by_the_second(blobs):
    search = Search(blobs, P)
    for i, image in enumerate(scene({RED: (100, 90)}, {RED: (102, 90)}, side=30)):  # 15 px at search_side
        (face,) = search(image, i / 25)
    assert face.box.tolist() == pytest.approx([102, 90, 132, 120], abs=2)
    assert kinds(blobs) == [SMALL, FULL, NEAR]


def test_a_small_picture_is_searched_as_it_is_and_enlarged_where_nothing_is_found(blobs):
    search = Search(blobs, P.model_copy(update={"search_side": 320}))
    (small,) = scene({RED: (100, 90)}, side=20)
    assert len(search(small, 0.0)) == 1
    assert blobs.searched == [FULL, (480, 640)]


def test_one_face_of_two_is_searched_everywhere_while_the_other_is_followed(blobs):
    search = Search(blobs, P)
    for i, image in enumerate(scene({RED: (40, 60), GREEN: (200, 60)}, {RED: (40, 60)})):
        faces = search(image, i / 25)
    assert len(faces) == 1
    assert kinds(blobs) == [SMALL, FULL, NEAR, NEAR, SMALL, FULL]


def test_a_lost_face_is_searched_where_it_was_while_it_may_be_recovered(blobs):
    search = Search(blobs, P.model_copy(update={"search_every": 99, "max_gap": 0.1}))
    for i, image in enumerate(scene({RED: (40, 60), GREEN: (200, 60)}, *[{RED: (40, 60)}] * 5)):
        search(image, i / 25)
    assert kinds(blobs) == [SMALL, FULL, NEAR, NEAR, SMALL, FULL, NEAR, NEAR, NEAR, NEAR, NEAR, NEAR]


def test_after_a_cut_the_whole_frame_is_searched_though_a_face_is_where_one_was(blobs):
    search = Search(blobs, P)
    first, second = scene({RED: (40, 60)}, {RED: (40, 60), GREEN: (200, 60)})
    assert [len(search(first, 0.0)), len(search(second, 0.04, cut=True))] == [1, 2]


def test_a_face_beyond_the_edge_is_searched_at_the_edge(blobs):
    search = Search(blobs, P)
    black = np.zeros((240, 320, 3), np.uint8)
    for corner in (-500.0, 210.0, 318.0, 5000.0):
        search.last = [Face(np.array([corner, corner, corner + 80, corner + 80]), 1.0, np.zeros((5, 2)))]
        assert search(black, 0.0) == []
    assert min(min(size) for size in blobs.searched) >= blobs.window / 2


@pytest.mark.parametrize("shape", [(1, 1), (2, 4000), (30, 40), (480, 10)])
def test_a_picture_too_small_for_a_face_is_searched_without_complaint(shape):
    search = Search(detect.detector_of("dlib_cnn", None), P)
    assert search(np.zeros((*shape, 3), np.uint8), 0.0) == []


# ---- every kind of video


@pytest.mark.parametrize(
    ("kind", "faces"),
    [
        ("plain", [4]), ("variable rate", [4]), ("10 bit", [4]), ("odd sides", [4]), ("grey", [4]), ("sideways", [4]),
        ("4K", [4]), ("cover", [4]), ("truncated", [4]), ("holes", [4]), ("one frame", [1]), ("leaves", [1]),
        ("tiny", []), ("black", []),
    ],
)  # fmt: skip
def test_the_face_of_every_kind_of_video_is_one_track(odd, tmp_path, kind, faces):
    keep(odd(kind), tmp_path / "frames.mkv", POLICY)
    rows = tracks(tmp_path / "frames.mkv", tmp_path, P.model_copy(update={"search_side": 480}))
    assert pd.DataFrame(rows, columns=["track"]).groupby("track").size().tolist() == faces
    assert all(row["aligned"] for row in rows)


BROKEN = {
    "audio_only_real.mp4": "no_video",
    "corrupted_tail.mp4": "truncated",
    "mp4_44bytes.mp4": "decode_error",
    "random_bytes.mp4": "decode_error",
    "text_as_mp4.mp4": "decode_error",
    "truncated_60pct.mp4": "decode_error",
    "truncated_faststart_60pct.mp4": "truncated",
    "unordered.mov": "ok",
    "zero_byte.mp4": "decode_error",
}
FACELESS = {
    "av1.mkv", "black_50f.mp4", "cartoon_bigbuckbunny.mp4", "dog_falsepositive.mp4", "h264_10bit.mp4", "h265_10bit.mp4",
    "h265_10frames.mp4", "no_face_caminandes.mp4", "rot0.mov", "rot90.mov", "rot180.mov", "rot270.mov",
    "tiny_32px_face.mp4", "vfr_testsrc.mp4",
}  # fmt: skip


@pytest.mark.slow
def test_every_shared_clip_has_its_status_and_its_faces(clips, tmp_path):
    files = [path for path in sorted(clips.rglob("*")) if path.suffix in video.SUFFIXES]
    statuses, seen = {}, set()
    for path in files:
        row = keep(path, tmp_path / "frames.mkv", POLICY)
        statuses[path.name] = row["status"]
        if row["kept"] and tracks(tmp_path / "frames.mkv", tmp_path, P.model_copy(update={"search_side": 480})):
            seen.add(path)
    assert statuses == {path.name: "ok" for path in files} | BROKEN
    assert {path for path in files if path.parent.name == "real"} <= seen
    assert not FACELESS & {path.name for path in seen}


FOLLOW = """
import sys
from pathlib import Path
from deepfake.detect import DetectParams, tracks
from deepfake.extract import Policy, keep
source, folder = map(Path, sys.argv[1:])
every = Policy(sampling="stride", frames_per_video=1, fps=1, stride=1, max_side=None, crf=0)
keep(source, folder / "frames.mkv", every)
p = DetectParams(
    detector="dlib_hog", weights=None, search_side=480, search_every=99, min_overlap=0.2, max_gap=1, size=96, margin=0.3
)
rows = tracks(folder / "frames.mkv", folder, p)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(len(rows), int(peak.split()[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of memory is read from /proc")
def test_memory_does_not_grow_with_the_video(odd, tmp_path):
    command = [sys.executable, "-c", FOLLOW, str(odd("4K")), str(tmp_path)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(detect.__file__).parents[1])
    faces, peak = map(int, run.stdout.split())
    assert faces == 12
    assert peak < 400  # MiB; the 12 frames as RGB and YUV would take 430 beside the 130 of the libraries


# ---- the report and the stage


def test_the_summary_counts_videos_without_a_face():
    videos = pd.DataFrame({"video_id": list("abcd"), "label": [0, 0, 1, 1], "kept": [4, 2, 4, 0]})
    rows = [("a", 0, 0), ("a", 1, 0), ("a", 0, 1), ("c", 0, 0), ("c", 0, 1), ("c", 0, 2)]
    faces = pd.DataFrame(rows, columns=["video_id", "track", "frame"])
    faces = faces.assign(recovered=[True] + [False] * 5, aligned=[False] * 3 + [True] * 3)
    assert detect.summary(videos, faces) == {
        "videos": 3,
        "no_face": {"real": 1, "fake": 0},
        "tracks": 3,
        "faces": 6,
        "frames_with_face": {"real": 0.25, "fake": 0.75},
        "recovered": pytest.approx(1 / 6),
        "aligned": 0.5,
    }


def test_an_unknown_detector_is_said_before_any_work():
    with pytest.raises(UserError, match="no detector 'dlib_hogg'") as error:
        detect.detector_of("dlib_hogg", None)
    assert error.value.hint == "did you mean 'dlib_hog'?"


def test_a_rerun_is_equal_to_the_byte(odd, tmp_path):
    keep(odd("plain"), tmp_path / "frames.mkv", POLICY)
    runs = []
    for name in "ab":
        (tmp_path / name).mkdir()
        runs.append(tracks(tmp_path / "frames.mkv", tmp_path / name, P))
    assert runs[0] == runs[1]
    assert (tmp_path / "a/0.mkv").read_bytes() == (tmp_path / "b/0.mkv").read_bytes()
