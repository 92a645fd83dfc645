"""predict: a video is scored as the stages would score it, and one that cannot be scored says why."""

import json
import os
import re
import tempfile
from dataclasses import astuple, replace
from importlib import import_module
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from deepfake import video
from deepfake.base import params, tables
from deepfake.dataset.videos import read
from deepfake.demo import DemoParams, render
from deepfake.inference import Detector, Member, architecture, load
from deepfake.measures.protocol import EvaluateParams
from deepfake.models.network import Network
from deepfake.predict import beside, predict, prepared, windows
from deepfake.prediction import Prediction, Window
from deepfake.scores import Scoring
from stages.evaluate import predict as evaluated

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
SECTIONS = {
    "extract": {"root": "videos", "layout": "manifest", "sampling": "count", "frames_per_video": 5, "fps": 1.0}
    | {"stride": 15, "max_side": None, "crf": 0},
    "detect": {"detector": "dlib_hog", "weights": None, "search_side": 480, "search_every": 8, "min_overlap": 0.2}
    | {"max_gap": 2.0, "size": 64, "margin": 0.3},
    "filter": {"min_sharpness": 20, "min_side": 30, "min_score": 0.0, "min_share": 0.0, "min_faces": 2},
    "split": {"mode": "official", "train": 0.4, "val": 0.3, "test": 0.3, "seed": 0},
    "augment": {
        "copies": 1,
        "self_blend": 0.0,
        "rotation": 9,
        "shift": 0.1,
        "scale": 0.1,
        "flip": 0.5,
        "brightness": 0.1,
        "contrast": 0.1,
    }
    | {"blur": 1.0, "noise": 0.0, "quality": 50, "probability": 0.5, "seed": 0},
    "train": USUAL["train"] | {"encoder": "cnn", "head": "lstm", "frames": 2, "side": 48},
    "evaluate": USUAL["evaluate"],
}
SCORED = ["one.mp4", "two.mp4", "blurred.mp4", "sideways.mp4", "truncated.mp4"]  # of test
UNSCORED = {"black.mp4": "no_face", "text.mp4": "decode_error"}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def project(heads, odd, tmp_path_factory) -> Path:
    """A folder in which the stages before train have run; it holds videos of every kind for test."""
    folder = tmp_path_factory.mktemp("project")
    videos = folder / "videos"
    soft = heads[1].copy()
    soft[6] = cv2.GaussianBlur(soft[6], None, 5)
    p = DemoParams(identities=6, frames=8, size=256, resolution=0, seed=0)
    others = [np.stack(list(render(identity, p))) for identity in range(2, 6)]  # nobody of test
    films = dict(zip(("a.mp4", "b.mp4", "c.mp4", "d.mp4"), others, strict=True))
    films |= {"one.mp4": heads[0][2:], "two.mp4": np.concatenate(heads, 2), "blurred.mp4": soft}
    for name, images in films.items():
        video.encode(videos / name, images, 25.0)
    for name in ("sideways", "truncated", "black", "text"):
        os.link(odd(name), videos / f"{name}.mp4")
    names = [*list(films)[:4], *SCORED, *UNSCORED]
    rows = {"path": names, "label": [0, 1] * 5 + [1], "split": ["train", "train", "val", "val"] + ["test"] * 7}
    tables.write(videos / "manifest.csv", pd.DataFrame(rows))
    (folder / "params.yaml").write_text(yaml.safe_dump(SECTIONS))
    (folder / "data/weights").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBS", "1")
        patch.setenv("ITEM_CACHE", str(folder / "store"))
        patch.chdir(folder)
        for name in ("extract", "detect", "filter", "split", "augment"):
            import_module(f"stages.{name}").run()
    return folder


@pytest.fixture
def inside(project, monkeypatch) -> Path:
    """The project, as the current folder."""
    monkeypatch.chdir(project)
    return project


def detector(tracks: str = "max", **train) -> Detector:
    """Untrained, but for the settings of train given."""
    settings = SECTIONS["train"] | train
    torch.manual_seed(1)
    network = Network(architecture(settings))
    shades = torch.rand(8, 2, 3, 1, 1)
    with torch.no_grad():
        for _ in range(20):  # statistics of batch norm that make faces differ
            network(shades + 0.1 * torch.rand(8, 2, 3, 48, 48), torch.ones(8, 2, dtype=torch.bool))
    network.eval()
    names = ("extract", "detect", "filter")
    policy = {key: value for key, value in SECTIONS["extract"].items() if key not in ("root", "layout")}
    params = {name: SECTIONS[name] for name in names} | {"extract": policy}
    return Detector((Member(network, settings),), Scoring(tracks=tracks), params, {"untrained": "", "auc": 0.95})


# ---- the same score


@pytest.mark.parametrize("tracks", ["max", "evidence"])
@pytest.mark.parametrize("head", ["lstm", "mean"])
def test_a_videos_score_is_that_of_the_stages(inside, tracks, head):
    whole = detector(tracks=tracks, head=head)
    clips, faces = tables.read(inside / "data/clips.parquet"), inside / "data/faces"
    kept, p = tables.read(inside / "data/kept.parquet"), params.load("evaluate", EvaluateParams)
    logits = evaluated(whole, clips, kept, faces, p)[1]["logit"]
    with torch.no_grad():  # so that it has an opinion
        last = whole.members[0].network.logit
        last.bias.sub_(logits.mean()).div_(logits.std())
        last.weight.div_(logits.std())
    rows = evaluated(whole, clips, kept, faces, p)[0].set_index("video_id")
    expected = rows["score"]
    assert sorted(expected.index) == sorted(SCORED)
    assert np.diff(np.sort(expected)).min() > 1e-3  # no two alike: else equal scores would say nothing
    predictions = {name: predict(Path("videos", name), whole) for name in SCORED}
    assert {name: prediction.score for name, prediction in predictions.items()} == pytest.approx(
        expected.to_dict(), abs=1e-5
    )
    assert {name: prediction.verdict for name, prediction in predictions.items()} == rows["verdict"].to_dict()


def test_evaluate_writes_what_predict_says(inside, saved_detector):
    whole = detector()
    saved_detector(inside / "models/calibrated", [(whole.members[0].network, whole.members[0].settings)], whole.params)
    import_module("stages.extra").run()
    import_module("stages.evaluate").run()
    written = read(inside / "reports/predictions.csv").set_index("video_id")
    parts = read(inside / "reports/sequences.csv")
    assert sorted(written.index) == sorted([*SCORED, *UNSCORED])
    assert sorted(set(parts["video_id"])) == sorted(SCORED)
    for name, row in written.iterrows():
        prediction = predict(Path("videos", name), load(inside / "models/calibrated"))
        assert prediction.status == row["status"]
        assert prediction.score == (pytest.approx(row["score"], abs=1e-5) if name in SCORED else None)
        assert prediction.verdict == (row["verdict"] if name in SCORED else None)
        own = parts[parts["video_id"] == name].groupby("track")
        spans = list(zip(own.groups, own["first"].min(), own["last"].max(), strict=True))
        assert spans == [(t.track, t.start, t.end) for t in prediction.tracks]
    metrics = json.loads((inside / "reports/metrics.json").read_text())
    missing = {reason: number for reason, number in metrics["coverage"]["missing"].items() if number}
    assert missing == {"decode_error": 1, "no_face": 1}
    assert metrics["video"]["count"] == len(SCORED)


def test_a_track_is_told_by_its_times_and_its_faces(inside):
    both, soft = (predict(Path("videos", name), detector()) for name in ("two.mp4", "blurred.mp4"))
    assert [(t.track, t.faces, t.start, t.end) for t in both.tracks] == [(0, 5, 0.0, 0.44), (1, 5, 0.0, 0.44)]
    assert both.score == max(t.score for t in both.tracks)
    assert [t.faces for t in soft.tracks] == [4]  # frame 6 is blurred
    assert soft.score == soft.tracks[0].score


def test_a_face_has_a_timeline_and_a_box_where_it_speaks_loudest(inside):
    [face] = predict(Path("videos", "sideways.mp4"), detector(frames=2, sampling="contiguous")).tracks
    assert [(span.start, span.end) for span in face.timeline] == [(0.0, 0.12), (0.24, 0.32), (0.32, 0.44)]
    side = max if face.score >= 0.5 else min
    loudest = side(face.timeline, key=lambda span: span.score)
    assert loudest.start <= face.box.time <= loudest.end
    assert face.box in face.boxes
    assert [box.time for box in face.boxes] == [0.0, 0.12, 0.24, 0.32, 0.44]
    with prepared(Path("videos", "sideways.mp4"), detector()) as video:
        rows = video.faces[video.faces["time"].between(loudest.start, loudest.end)]
    row = rows.loc[rows["sharpness"].idxmax()]
    assert astuple(face.box) == (row["time"], *(round(row[k]) for k in ("left", "top", "width", "height")))


def test_a_box_is_told_in_the_pixels_of_the_video_as_shown(inside):
    whole = detector()
    small = replace(whole, params=whole.params | {"extract": whole.params["extract"] | {"max_side": 128}})
    [large], [scaled] = (predict(Path("videos/one.mp4"), detector).tracks for detector in (whole, small))
    assert np.abs(np.subtract(astuple(large.box), astuple(scaled.box))).max() <= 12  # found in half the size


def test_a_verdict_is_worded_no_surer_than_the_detector(inside):
    strong, weak = (replace(detector(), validation={"untrained": "", "auc": auc}) for auc in (0.95, 0.7))
    words = {"fake": ("manipulated", "suspicious"), "real": ("authentic", "nothing suspicious")}
    for prediction, word in zip(
        [predict(Path("videos/one.mp4"), detector) for detector in (strong, weak)], (0, 1), strict=True
    ):
        assert prediction.wording == words[prediction.verdict][word]
    unsure = replace(strong, scoring=strong.scoring.model_copy(update={"doubt": 50.0}))
    prediction = predict(Path("videos/one.mp4"), unsure)
    assert (prediction.verdict, prediction.wording) == ("inconclusive", "inconclusive")
    assert "nearer to even" in prediction.reason


def test_the_good_faces_of_a_video_are_there_to_be_shown(inside):
    with prepared(Path("videos", "blurred.mp4"), detector()) as video:
        assert {track: images.shape for track, images in video.images.items()} == {0: (4, 64, 64, 3)}
        assert video.faces["reason"].tolist() == ["", "", "blurred", "", ""]
        assert isinstance(video.images[0], np.memmap)  # a long track is not held in memory


def test_the_score_is_the_same_each_time(inside):
    assert predict(Path("videos/two.mp4"), detector()) == predict(Path("videos/two.mp4"), detector())


# ---- a long video


@pytest.fixture(scope="module")
def long(heads, tmp_path_factory) -> Path:
    """12 s, a frame each: two people after one another, 6 s each, and from 8 s on nobody."""
    shown = np.concatenate([heads[0][:6], heads[1][6:]])
    shown[8:] = 0
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    with video.recording(path) as put:
        for second, image in enumerate(shown):
            put(image, float(second))
    return path


def test_a_long_video_has_a_timeline_of_all_of_it_and_the_score_that_it_has_without(long):
    whole = detector(frames=2)
    prediction, plainly = predict(long, whole, window=3.0), predict(long, whole, window=0.0)
    assert prediction.score == plainly.score
    assert plainly.timeline == ()
    assert [(window.start, window.end) for window in prediction.timeline] == [
        (0.0, 2.75),
        (2.75, 5.5),
        (5.5, 8.25),
        (8.25, 11.0),
    ]
    assert [[track.faces for track in window.tracks] for window in prediction.timeline] == [[3], [3], [2], []]
    assert [window.status for window in prediction.timeline] == ["ok", "ok", "ok", "no_face"]
    assert [box.time for box in prediction.timeline[1].tracks[0].boxes] == [3.0, 4.0, 5.0]


def test_a_window_is_scored_as_a_video_of_its_own(long, heads, tmp_path):
    whole = detector(frames=2)
    with video.recording(tmp_path / "window.mkv") as put:
        for second, image in enumerate(heads[0][:3]):
            put(image, float(second))
    [first, *_] = windows(long, whole, 3.0)
    assert first.score == predict(tmp_path / "window.mkv", whole).score


@pytest.mark.parametrize(("window", "count"), [(8.0, 0), (7.0, 2), (5.5, 2), (4.0, 3), (100.0, 0)])
def test_windows_are_equal_and_about_as_long_as_asked_for(long, window, count):
    spans = [part.end - part.start for part in windows(long, detector(frames=2), window)]
    assert len(spans) == count
    assert np.ptp([*spans, *spans[:1], 11 / max(count, 1)] if spans else [0]) < 2e-3


def test_progress_is_told_in_seconds(long):
    told: list[tuple[float, float]] = []
    predict(long, detector(frames=2), 3.0, lambda done, whole: told.append((done, whole)))
    assert told == [(2.75, 11.0), (5.5, 11.0), (8.25, 11.0), (11.0, 11.0)]


@pytest.mark.parametrize(
    ("verdict", "scores", "wording", "note"),
    [
        ("real", (0.1, 0.2, 0.3), "authentic", ""),
        ("fake", (0.8, 0.9), "manipulated", ""),
        ("real", (0.1, 0.9, None), "suspicious", "1 of 2 are called fake, the highest P(fake) is 0.900, at 1.0 to 2.0"),
        ("fake", (0.1, 0.9), "manipulated", "1 of 2 are called fake"),
        ("fake", (0.1, 0.2), "manipulated", "0 of 2 are called fake"),
        ("real", (0.9, 0.8), "suspicious", "2 of 2 are called fake"),
        ("real", (0.2, 0.1, 0.1, 0.1, 0.6), "authentic", "1 of 5 are called fake"),  # one is by chance above
        ("real", (0.1, 0.1, 0.1, 0.1, 0.9), "suspicious", "1 of 5 are called fake"),
        ("real", (None, None), "authentic", ""),
    ],
)
def test_a_video_whose_windows_differ_says_so(verdict, scores, wording, note):
    strong = detector()
    shown = tuple(
        Window(float(i), i + 1.0, "ok" if s else "no_face", "", s, s and ("fake" if s >= 0.5 else "real"))
        for i, s in enumerate(scores)
    )
    prediction = Prediction("a.mp4", "ok", "", 0.5, verdict, 0.5, (), strong.wording(verdict))
    told = beside(prediction, shown, strong)
    assert (told.verdict, told.wording) == (verdict, wording)
    assert (told.reason.startswith("windows differ: ") and note in told.reason) if note else told.reason == ""


def test_faces_that_the_frames_of_the_score_do_not_show_are_told_of():
    shown = (Window(0.0, 10.0, "ok", "", 0.9, "fake"), Window(10.0, 20.0, "no_face", "", None, None))
    prediction = Prediction("a.mp4", "no_face", "no face in 16 frames", None, None, 0.5, (), "inconclusive")
    told = beside(prediction, shown, detector())
    assert told.reason == "no face in 16 frames; 1 of 2 windows show faces, 1 of them are called fake"
    assert told.score is None


# ---- no score


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("black", "no_face", "no face in 5 frames"),
        ("text", "decode_error", "not a readable video"),
        ("empty", "decode_error", "the file is empty"),
        ("no index", "decode_error", "not a readable video"),
        ("sound", "no_video", "no video stream"),
    ],
)
def test_a_video_that_cannot_be_scored_says_why(odd, kind, status, reason):
    prediction = predict(odd(kind), detector())
    assert (prediction.status, prediction.score, prediction.verdict, prediction.tracks) == (status, None, None, ())
    assert reason in prediction.reason


def test_a_missing_video_is_said_to_be_missing(tmp_path):
    prediction = predict(tmp_path / "none.mp4", detector())
    assert (prediction.status, prediction.score) == ("missing", None)


def test_a_video_without_good_faces_says_what_was_wrong_with_them(inside):
    strict = detector()
    strict = replace(strict, params=strict.params | {"filter": SECTIONS["filter"] | {"min_side": 999}})
    prediction = predict(Path("videos/one.mp4"), strict)
    assert (prediction.status, prediction.score) == ("too_few_faces", None)
    assert prediction.reason == "none of 5 faces is good: 5 small"


def test_a_damaged_video_without_a_face_says_both(tmp_path):
    path = tmp_path / "black.mp4"
    with av.open(path, "w", options={"movflags": "faststart"}) as file:  # its index comes first, its end is cut off
        stream = file.add_stream("mjpeg", rate=25, options={"qscale": "2"})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuvj420p"
        for _ in range(12):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    prediction = predict(path, detector())
    assert prediction.status == "no_face"
    assert re.fullmatch(r"no face in \d frames; \d frames decode, then: .+", prediction.reason)


def test_a_damaged_video_is_scored_and_said_to_be_damaged(odd):
    prediction = predict(odd("truncated"), detector())
    assert prediction.status == "truncated"
    assert prediction.reason
    assert prediction.score is not None


def test_a_detector_that_learnt_nothing_abstains(inside):
    reason = "the validation AUC is 0.510"
    prediction = predict(Path("videos/one.mp4"), replace(detector(), validation={"untrained": reason, "auc": 0.5}))
    assert (prediction.verdict, prediction.status) == ("inconclusive", "ok")
    assert prediction.reason == f"this detector did not learn to tell fakes: {reason}"


def test_a_prediction_is_json(inside, odd):
    for path in (Path("videos/two.mp4"), odd("black")):
        prediction = predict(path, detector())
        read = json.loads(json.dumps(prediction.to_dict(), allow_nan=False))
        assert read["path"] == str(path)
        assert read["threshold"] == 0.5
        assert read["wording"] == (prediction.wording or "inconclusive")
        assert (read["score"], len(read["tracks"])) == (prediction.score, len(prediction.tracks))


def test_nothing_is_left_behind(inside, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(Path("videos").iterdir())
    predict(Path("videos/two.mp4"), detector())
    assert list(tmp_path.iterdir()) == []
    assert sorted(Path("videos").iterdir()) == before
