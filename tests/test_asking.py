"""asking: deepfake predict with several detectors, tables, annotated copies, heat maps, a folder that is watched."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import films
import numpy as np
import pytest
import torch

from deepfake import annotate, bundle, explain, predict, video
from deepfake.app.predict import outputs, watch
from deepfake.app.predict.several import pooled
from deepfake.base.errors import UserError
from deepfake.inference import load
from deepfake.models.network import to_clips
from deepfake.prediction import Box, Prediction, Track, Window

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def detectors(tmp_path_factory, untrained) -> list[Path]:
    """Two untrained ones, for videos prepared as params.yaml says."""
    folder = tmp_path_factory.mktemp("models")
    return [untrained(folder / f"detector_{seed}", seed) for seed in range(2)]


def prediction(score: float | None, verdict: str | None, **fields) -> Prediction:
    """What a detector says of a.mp4."""
    return replace(Prediction("a.mp4", "ok" if score else "no_face", "", score, verdict, 0.5, ()), **fields)


# ---- several detectors


def test_several_detectors_are_told_side_by_side_and_together(deepfake, detectors, odd):
    asked = [word for detector in detectors for word in ("--detector", detector)]
    _, told, _ = deepfake("predict", odd("plain"), *asked, "--json")
    first, second, both = (json.loads(line) for line in told.splitlines())
    assert [answer["detector"] for answer in (first, second, both)] == [*map(str, detectors), "ensemble"]
    _, alone, _ = deepfake("predict", odd("plain"), "--detector", detectors[1], "--json")
    assert json.loads(alone) == second
    odds = [np.log(answer["score"] / (1 - answer["score"])) for answer in (first, second)]
    assert both["score"] == pytest.approx(1 / (1 + np.exp(-np.mean(odds))), abs=2e-6)
    code, told, _ = deepfake("predict", odd("plain"), odd("black"), *asked, "--csv", "all.csv")
    assert code == 1
    assert len(told.splitlines()) == 8
    assert f"  {detectors[0]}  " in told
    rows = list(csv.DictReader(Path("all.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["detector"] for row in rows] == [*map(str, detectors), "ensemble"] * 2
    assert [row["score"] for row in rows[:3]] == [str(answer["score"]) for answer in (first, second, both)]
    assert {row["score"] for row in rows[3:]} == {""}


UNSURE = ("inconclusive", "none of the detectors gives a verdict")


@pytest.mark.parametrize(
    ("opinions", "score", "verdict", "reason"),
    [
        ([(0.8, "fake"), (0.8, "fake")], 0.8, "fake", ""),
        ([(0.9, "fake"), (0.1, "real")], 0.5, "fake", "they differ"),
        ([(0.9, "fake"), (0.6, "inconclusive")], 0.9, "fake", "of 1 of 2 detectors"),
        ([(1.0, "fake"), (0.5, "fake")], 0.999001, "fake", ""),
        ([(None, None), (0.2, "real")], 0.2, "real", "of 1 of 2 detectors"),
        ([(0.2, "inconclusive"), (0.5, "inconclusive")], 0.333333, *UNSURE),
        ([(None, None), (0.6, "inconclusive")], 0.6, *UNSURE),
        ([(None, None), (None, None)], None, None, UNSURE[1]),
    ],
)
def test_an_ensemble_is_the_mean_of_the_log_odds_of_those_that_give_a_verdict(opinions, score, verdict, reason):
    both = pooled([prediction(*opinion) for opinion in opinions])
    assert (both.score, both.verdict, both.reason) == (score, verdict, reason)


def test_several_detectors_that_give_no_verdict_have_scored_all_the_same(deepfake, detectors, odd, tmp_path):
    copies = [Path(shutil.copytree(detector, tmp_path / detector.name)) for detector in detectors]
    asked = [word for detector in (*copies, copies[0]) for word in ("--detector", detector)]
    for detector in copies:
        card = json.loads((detector / bundle.CARD).read_text())
        card["scoring"]["doubt"] = 99.0
        (detector / bundle.CARD).write_text(json.dumps(card))
    code, told, _ = deepfake("predict", odd("plain"), *asked, "--json")
    *each, both = (json.loads(line) for line in told.splitlines())
    assert code == 0
    assert len(each) == 2  # one that is named twice speaks once
    assert (both["status"], both["verdict"], both["wording"]) == ("ok", "inconclusive", "inconclusive")
    assert min(answer["score"] for answer in each) <= both["score"] <= max(answer["score"] for answer in each)


# ---- forms


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00.0"), (7.46, "0:07.5"), (59.96, "1:00.0"), (3723.0, "1:02:03.0")]
)
def test_a_time_is_written_as_people_do(seconds, text):
    assert outputs.clock(seconds) == text


def test_a_long_video_is_told_window_by_window():
    faces = (Track(0, 0.2, 16, 0.0, 9.9), Track(1, 0.9, 16, 0.0, 9.9))
    shown = (Window(0.0, 10.0, "ok", "", 0.8, "fake", faces), Window(10.0, 20.0, "no_face", "", None, None))
    assert list(outputs.alone(prediction(0.3, "real", timeline=shown)))[1:] == [
        "  0:00.0 to 0:10.0  P(fake) 0.800 [########  ]  fake  faces 0.200, 0.900",
        "  0:10.0 to 0:20.0  no_face",
    ]
    row = outputs.row("d", prediction(0.3, "real", timeline=shown))
    assert list(row) == list(outputs.COLUMNS)
    assert (row["windows"], row["windows_fake"], row["loudest_end"]) == (2, 1, 10.0)


@pytest.mark.parametrize(
    "call",
    [
        *(("--csv", "none/a.csv"), ("--watch", "none"), ("--annotate", "b.mp4", "a.mp4")),
        ("--window", "0.1"),
    ],
)
def test_what_cannot_be_written_or_watched_is_said_at_once(deepfake, detectors, tmp_path, odd, call):
    os.link(odd("black"), tmp_path / "a.mp4")
    code, _, complaint = deepfake("predict", "a.mp4", *call, "--detector", detectors[0])
    assert code == 2
    assert "hint: " in complaint


# ---- a copy that shows what was said


FACE = Track(0, 0.9, 2, 0.0, 1.0, (), None, (Box(0.0, 10, 20, 40, 40), Box(1.0, 30, 20, 40, 60)))


@pytest.mark.parametrize(
    ("time", "box"), [(0.0, (10, 20, 40, 40)), (0.5, (20, 20, 40, 50)), (1.8, (30, 20, 40, 60)), (2.1, None)]
)
def test_a_box_goes_from_sight_to_sight(time, box):
    assert annotate.box_at(FACE, time) == box


@pytest.mark.parametrize(("score", "shade"), [(0.0, annotate.REAL), (0.5, annotate.EVEN), (1.0, annotate.FAKE)])
def test_a_colour_tells_a_score(score, shade):
    assert annotate.colour(score) == shade


@pytest.mark.parametrize(("name", "codec", "kept"), [("a.mp4", "aac", "aac"), ("a.mkv", "pcm_s16le", "aac")])
def test_the_copy_has_each_frame_the_boxes_a_strip_and_the_sound(tmp_path, name, codec, kept):
    path = films.with_sound(tmp_path / name, np.full((20, 120, 160, 3), 127, np.uint8), codec)
    shown = (Window(0.0, 1.0, "ok", "", 0.9, "fake", (FACE,)), Window(1.0, 2.0, "no_face", "", None, None))
    target = tmp_path / "out.mp4"
    assert annotate.write(target, path, prediction(0.9, "fake", wording="manipulated", timeline=shown)) == 20
    with av.open(target) as file:
        [sound] = file.streams.audio
        assert sound.codec_context.name == kept
        heard = sum(frame.samples for frame in file.decode(audio=0))
        assert abs(heard / 16000 - 2.0) < 0.15
    frames = list(video.read(target))
    assert [round(frame.time, 2) for frame in frames] == [round(i / 10, 2) for i in range(20)]
    first, late = frames[0].rgb(), frames[15].rgb()
    assert first.shape == (144, 160, 3)
    red, green = first[40, 10, :2].astype(int)  # the left edge of the box
    assert red > green + 60
    assert np.abs(late[40:100, 10:60].astype(int) - 127).max() < 12  # in the second window nobody is
    assert first[140, 40, 0] > 150  # the strip: .9 in the first half
    assert first[140, 120, 0] < 60


def test_a_video_without_sound_or_faces_is_copied_all_the_same(tmp_path, odd):
    assert annotate.write(tmp_path / "out.mp4", odd("truncated"), prediction(None, None)) == len(
        list(annotate.shown(odd("truncated"), prediction(None, None)))
    )


def test_the_command_writes_the_copy(deepfake, detectors, odd, tmp_path):
    call = ("predict", odd("plain"), "--detector", detectors[0], "--annotate", "shown.mp4")
    assert deepfake(*call)[0] == 0
    assert len(list(video.read(tmp_path / "shown.mp4"))) == 12


# ---- heat maps


def test_the_loudest_faces_come_with_where_they_are_loud(detectors, odd):
    detector = load(detectors[0])
    with predict.prepared(odd("plain"), detector) as shown:
        [track] = predict.scored(odd("plain"), shown, detector).tracks
        looked = explain.loudest(detector, shown.images[0], track, most=5)
    assert len(looked) == 5
    assert [look.time for look in looked] == sorted(look.time for look in looked)
    assert {look.heat.shape for look in looked} == {look.face.shape[:2] for look in looked} == {(112, 112)}
    assert all(look.heat.min() >= 0 and look.heat.max() <= 1.01 for look in looked)
    assert explain.strip({"a.mp4": looked}).shape == (2 * 22 + 2 * 160, 5 * 160, 3)


def test_heat_is_the_last_map_weighed_by_its_mean_gradients(detectors):
    network = load(detectors[0]).members[0].network
    clip = np.random.default_rng(0).integers(0, 255, (1, 8, 64, 64, 3), np.uint8)
    mask = np.arange(8)[None] < 5
    heat = explain.gradients(network, clip, mask, fake=True)
    maps: list[torch.Tensor] = []
    hook = network.encoder.blocks.register_forward_hook(lambda _, __, out: maps.append(out))
    logit = network(to_clips(torch.from_numpy(clip)), torch.from_numpy(mask))
    hook.remove()
    [slopes] = torch.autograd.grad(logit, maps[0])
    expected = (slopes.mean((2, 3), keepdim=True) * maps[0]).sum(1).relu().detach().numpy()
    assert heat.shape == (5, 8, 8)
    assert heat.max() == pytest.approx(1.0)
    np.testing.assert_allclose(heat, expected / expected.max(), atol=1e-5)


def test_a_network_that_sees_clips_whole_is_not_explained(detectors, odd):
    detector = load(detectors[0])
    detector.members[0].network.encoder.whole = True
    with pytest.raises(UserError, match="--explain shows networks that see each frame"):
        explain.gradients(
            detector.members[0].network, np.zeros((1, 8, 64, 64, 3), np.uint8), np.ones((1, 8), bool), True
        )


def test_the_command_writes_a_strip_for_each_video_with_a_face(deepfake, detectors, odd, tmp_path):
    call = ("predict", odd("plain"), odd("black"), "--detector", detectors[0], "--explain", "looks")
    assert deepfake(*call)[0] == 1
    assert [file.name for file in (tmp_path / "looks").iterdir()] == [f"{odd('plain').name}.png"]


# ---- a folder that is watched


def test_a_file_is_given_once_when_it_no_longer_grows(tmp_path):
    old, growing = tmp_path / "old.mp4", tmp_path / "growing.mp4"
    old.write_bytes(b"1")
    turns: list[str] = []

    def sleep(_: float) -> None:
        turns.append("")
        if len(turns) <= 4:  # it grows at each look
            growing.write_bytes(b"1" * len(turns))
        if len(turns) == 10:
            growing.write_bytes(b"written anew")
        if len(turns) == 15:
            raise KeyboardInterrupt

    given: list[tuple[int, str]] = []
    with suppress(KeyboardInterrupt):
        for path in watch.arrivals(tmp_path, sleep):
            given.append((len(turns), path.name))
    assert given == [(2, "old.mp4"), (6, "growing.mp4"), (12, "growing.mp4")]


def test_watching_ends_cleanly_at_ctrl_c(tmp_path, detectors, odd):
    os.link(odd("black"), tmp_path / "a.mp4")
    call = [sys.executable, "-c", "from deepfake.app.cli import main; main()", "predict", "--watch", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*call, "--detector", str(detectors[0])],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert "no score: no_face" in running.stdout.readline()
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, complaint = running.communicate(timeout=60)
    assert running.returncode == 1  # one had no score
    assert complaint.splitlines()[-1] == "predict: no longer waiting"
