"""cli: what is typed is done, or answered in one message; the exit code says which."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import cv2
import pandas as pd
import psutil
import pytest
from scipy.special import logit

from deepfake import Detector, bundle, video
from deepfake.app import cli
from deepfake.app.predict.command import listed
from deepfake.base import cache, tables
from deepfake.inference import load
from deepfake.layouts import manifest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- predict


def test_the_command_is_declared_where_it_is():
    module, _, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["deepfake"].partition(
        ":"
    )
    assert getattr(import_module(module), name) is cli.main


@pytest.mark.parametrize("command", ["predict", "forge", "recipe", "ensemble"])
def test_the_help_names_every_command_and_every_command_has_help(deepfake, command):
    code, output, _ = deepfake("--help")
    assert code == 0
    assert command in output
    code, output, _ = deepfake(command, "--help")
    assert code == 0
    assert f"deepfake {command} [OPTIONS]" in output


def test_a_video_is_told_with_its_faces(deepfake, detector, odd):
    code, output, complaint = deepfake("predict", odd("plain"), "--detector", detector)
    assert (code, complaint) == (0, "")
    first, face = output.splitlines()
    assert first.startswith((f"{odd('plain')}: fake  P(fake) 0.", f"{odd('plain')}: real  P(fake) 0."))
    assert re.search("threshold 0.500: (manipulated|authentic|suspicious|nothing suspicious)$", first)
    assert face.startswith("  face 0: P(fake) 0.")
    assert face.endswith(" from 12 frames, 0.00 to 0.44 s")


def test_a_damaged_video_is_told_with_its_damage(deepfake, detector, odd):
    code, output, _ = deepfake("predict", odd("truncated"), "--detector", detector)
    assert code == 0
    assert re.search(r"threshold 0.500: \w+( suspicious)?  \(truncated: ", output)


@pytest.mark.parametrize(
    ("kind", "reason"), [("black", "no_face: no face in 12 frames"), ("text", "decode_error: not a readable video")]
)
def test_a_video_without_a_score_makes_the_exit_code_1(deepfake, detector, odd, kind, reason):
    code, output, _ = deepfake("predict", odd("plain"), odd(kind), "--detector", detector)
    assert code == 1
    assert f"{odd(kind)}: no score: {reason}" in output
    assert f"{odd('plain')}: " in output.splitlines()[0]  # the other one is told all the same


def test_a_folder_stands_for_the_videos_in_it(deepfake, detector, odd, tmp_path):
    for path in ("films/b.mp4", "films/deep/a.MP4", "films/notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(odd("one frame"), tmp_path / path)
    code, output, _ = deepfake("predict", "films", "--json", "--detector", detector)
    assert [json.loads(line)["path"] for line in output.splitlines()] == ["films/b.mp4", "films/deep/a.MP4"]
    assert code == 1  # a face in one frame is too few


def test_a_pattern_stands_for_what_is_called_like_it(deepfake, tmp_path):
    for name in ("films/r2.mov", "films/r1.mov", "films/s.mov", "films/[x].mov", "films/r0/deep.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    code, _, complaint = deepfake("predict", "films/x*.mov")
    assert (code, complaint.splitlines()[0]) == (2, "error: no file or folder is called like films/x*.mov")
    assert list(map(str, listed(Path("films/r*.mov")))) == ["films/r1.mov", "films/r2.mov"]
    assert list(map(str, listed(Path("films/r*")))) == ["films/r0/deep.mp4", "films/r1.mov", "films/r2.mov"]
    assert list(map(str, listed(Path("films/[x].mov")))) == ["films/[x].mov"]  # a name before it is a pattern


def test_odd_files_of_a_folder_are_told_one_by_one(deepfake, detector, odd, tmp_path):
    films = tmp_path / "films"
    (films / "a.mp4").mkdir(parents=True)
    for name in (os.fsdecode(b"caf\xe9.mp4"), "x" * 251 + ".mp4", "two\nlines.mp4", "-b.mp4", "._c.mp4"):
        shutil.copy(odd("black"), films / name)
    os.mkfifo(films / "pipe.mp4")
    (films / "round").symlink_to(films)
    (films / "gone.mp4").symlink_to("nothing")
    (films / "list.txt").touch()
    code, output, complaint = deepfake("predict", "films", "--detector", detector)
    assert (code, complaint) == (1, "films: left out 1 .txt, 1 hidden\n")
    lines = output.splitlines()
    assert len(lines) == 6
    assert all(": no score: " in line for line in lines)
    assert r"films/caf\xe9.mp4: no score: no_face" in output
    assert r"films/two\nlines.mp4: no score: no_face" in output
    assert "films/pipe.mp4: no score: missing: no such file" in output
    output.encode()


def test_a_video_of_any_name_in_a_folder_of_any_name_is_scored(deepfake, detector, odd, tmp_path):
    name = os.fsdecode(b"f\xe9") + "/" + os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / name).parent.mkdir()
    shutil.copy(odd("plain"), tmp_path / name)
    code, output, complaint = deepfake("predict", name, odd("plain"), "--detector", detector)
    assert (code, complaint) == (0, "")
    assert output.splitlines()[0].startswith(r"f\xe9/caf\xe9.mp4: ")
    assert Detector.load(detector).predict(name).score == Detector.load(detector).predict(odd("plain")).score


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".mp4", "no/\nfolder"])
def test_a_path_that_no_disk_holds_is_a_mistake(deepfake, name):
    for arguments in (("predict", name), ("forge", name, "out")):
        code, _, complaint = deepfake(*arguments)
        assert code == 2
        assert complaint.startswith("error: no f")


def test_each_line_of_json_is_a_video(deepfake, detector, odd):
    code, output, _ = deepfake("predict", odd("plain"), odd("black"), "--json", "--detector", detector)
    assert code == 1
    scored, without = (json.loads(line) for line in output.splitlines())
    names = "path status reason score verdict threshold tracks wording novelty timeline detector"
    assert list(scored) == names.split()
    assert scored["path"] == str(odd("plain"))
    assert 0 < scored["score"] < 1
    assert scored["verdict"] == ("fake" if scored["score"] >= 0.5 else "real")
    assert [track["faces"] for track in scored["tracks"]] == [12]
    assert (without["status"], without["score"], without["verdict"]) == ("no_face", None, None)


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("none.mp4",), "no file or folder none.mp4", "mind the spelling"),
        ((".",), "no videos under .", "their names end in .264 .265"),
        (
            ("a.mp4", "--detector", "models/detector"),
            "no trained detector: models/detector/bundle.json is missing",
            "train one: dvc repro",
        ),
        (("a.mp4", "--detector", "x"), "no trained detector: x/bundle.json is missing", "train one: dvc repro"),
        (("a.mp4", "none.mp4"), "no file or folder none.mp4", "mind the spelling"),
    ],
)
def test_a_mistake_is_one_message_with_a_hint_and_exit_code_2(deepfake, odd, tmp_path, arguments, error, hint):
    if "a.mp4" in arguments:
        shutil.copy(odd("plain"), tmp_path / "a.mp4")
    code, output, complaint = deepfake("predict", *arguments)
    assert (code, output) == (2, "")
    first, second = complaint.splitlines()
    assert first == f"error: {error}"
    assert second.startswith(f"  hint: {hint}")


@pytest.mark.parametrize(
    "arguments", [(), ("predict",), ("predikt", "a.mp4"), ("forge", "a"), ("forge", "a", "b", "--crf", "99")]
)
def test_a_call_that_makes_no_sense_has_exit_code_2(deepfake, arguments):
    code, output, complaint = deepfake(*arguments)
    assert code == 2
    assert "Usage: " in output + complaint


def test_a_wrong_path_is_answered_without_waiting_for_pytorch():
    script = """
import sys
from deepfake.app.cli import main
try:
    main()
finally:
    print(sorted({"torch", "sklearn", "pandas", "matplotlib"} & set(sys.modules)))
"""
    call = [sys.executable, "-c", script, "predict", "none.mp4"]
    end = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (end.returncode, end.stdout) == (2, "[]\n")
    assert end.stderr.startswith("error: no file or folder none.mp4\n  hint: ")


# ---- predict, by several processes


@pytest.fixture
def films(odd, tmp_path) -> Path:
    """A folder of good and bad videos."""
    for name, kind in {"a": "plain", "b": "text", "c": "sideways", "d": "black", "e": "truncated"}.items():
        (tmp_path / "films").mkdir(exist_ok=True)
        shutil.copy(odd(kind), tmp_path / "films" / f"{name}.mp4")
    return tmp_path / "films"


def test_several_processes_say_what_one_says_in_the_same_order(deepfake, detector, films, tmp_path, monkeypatch):
    ends, rows, looks = [], [], []
    for jobs in ("1", "2"):
        monkeypatch.setenv("JOBS", jobs)
        more = ("--csv", f"{jobs}.csv", *(("--explain", f"looks{jobs}") if find_spec("captum") else ()))
        ends.append(deepfake("predict", "films", "--json", "--detector", detector, *more))
        rows.append((tmp_path / f"{jobs}.csv").read_bytes())
        looks.append({path.name: path.read_bytes() for path in (tmp_path / f"looks{jobs}").glob("*")})
    (code, output, complaint), several = ends
    assert (code, complaint) == (1, "")
    assert [json.loads(line)["path"] for line in output.splitlines()] == [f"films/{name}.mp4" for name in "abcde"]
    assert several == ends[0]
    assert rows[0] == rows[1]
    assert looks[0] == looks[1]


@pytest.mark.parametrize(
    ("jobs", "device", "videos", "count"),
    [
        ("", "cpu", 100, 6),  # one a core
        ("", "cpu", 16, 2),  # each has some
        ("", "cpu", 15, 1),
        ("", "cuda", 100, 1),  # each would hold the networks
        ("3", "cuda", 100, 3),
        ("3", "cpu", 2, 2),
        ("3", "cpu", 0, 1),
    ],
)
def test_as_many_processes_as_are_worth_their_start(monkeypatch, jobs, device, videos, count):
    from deepfake.app.predict import asking

    monkeypatch.setenv("JOBS", jobs)
    monkeypatch.setenv("DEVICE", device)
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    assert asking.processes(videos) == count


@pytest.mark.parametrize("said", [None, ""])
def test_a_gpu_is_known_by_its_driver_where_nobody_names_a_device(monkeypatch, tmp_path, said):
    from deepfake.app.predict import asking

    monkeypatch.delenv("JOBS")
    monkeypatch.delenv("DEVICE", raising=False)
    if said is not None:
        monkeypatch.setenv("DEVICE", said)
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    monkeypatch.setattr(asking, "DRIVERS", (tmp_path / "none",))
    assert asking.processes(100) == 6
    monkeypatch.setattr(asking, "DRIVERS", (tmp_path / "none", tmp_path))
    assert asking.processes(100) == 1


def test_ctrl_c_ends_all_processes(films, detector, odd):
    for number in range(40):
        shutil.copy(odd("plain"), films / f"f{number}.mp4")
    call = [sys.executable, "-c", "from deepfake.app.cli import main; main()", "predict", str(films)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "JOBS": "2"}
    with psutil.Popen(
        [*call, "--detector", str(detector)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as running:  # fmt: skip
        running.stdout.readline()
        family = running.children(recursive=True)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        told, _ = running.communicate(timeout=120)
    assert running.returncode != 0
    assert len(told.splitlines()) < 40
    assert psutil.wait_procs(family, timeout=30)[1] == []


# ---- forge


@pytest.fixture
def reals(tmp_path, heads) -> Path:
    for name, images in zip("ab", heads, strict=True):
        video.encode(tmp_path / "reals" / f"{name}.mp4", images[:4], 25.0)
    return tmp_path / "reals"


def test_forge_makes_a_dataset_that_the_pipeline_reads(deepfake, reals, tmp_path):
    code, output, complaint = deepfake("forge", reals, "out", "--seed", 3)
    assert (code, complaint) == (0, "")
    assert output == "forge: 2 reals, 2 fakes -> out\n"
    table = manifest.scan(tmp_path / "out").set_index("video_id")
    assert table["label"].to_dict() == {"real/a.mp4": 0, "real/b.mp4": 0, "fake/a_b.mp4": 1, "fake/b_a.mp4": 1}
    for name in table.index:
        assert video.images(tmp_path / "out" / name).shape == (4, 256, 256, 3)
    assert cv2.imread(str(tmp_path / "out/sheet.jpg")) is not None
    assert tables.read(tmp_path / "out/report.csv")["status"].tolist() == ["ok"] * 4


def test_forge_says_what_it_could_not_use(deepfake, reals, odd):
    shutil.copy(odd("text"), reals / "c.mp4")
    code, output, complaint = deepfake("forge", reals, "out", "--max-frames", 2)
    assert (code, output) == (0, "forge: 2 reals, 2 fakes -> out\n")
    assert complaint.startswith("c.mp4: decode_error: not a readable video")
    assert len(video.images(Path("out/fake/a_b.mp4"))) == 2


@pytest.mark.parametrize(
    ("spoil", "error", "hint"),
    [
        (lambda reals: shutil.rmtree(reals), "no folder ", "name the folder that holds the real videos"),
        (lambda reals: (reals / "b.mp4").unlink(), "a swap needs two people; of 1 videos 1 can be used", "add videos"),
        (lambda reals: (reals.parent / "out/old").mkdir(parents=True), "out is not empty", "name a new folder"),
    ],
)
def test_what_cannot_be_forged_is_said_and_leaves_nothing(deepfake, reals, tmp_path, spoil, error, hint):
    spoil(reals)
    code, output, complaint = deepfake("forge", reals, "out")
    assert (code, output) == (2, "")
    assert complaint.startswith("error: ")
    assert error in complaint
    assert f"\n  hint: {hint}" in complaint
    assert not [*tmp_path.glob("out/*.*"), *tmp_path.glob(".new-*")]


# ---- recipe, ensemble


def test_the_recipes_are_listed_a_line_each(deepfake, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, output, _ = deepfake("recipe", "--list")
    assert code == 0
    names = {path.stem for path in (ROOT / "recipes").glob("*.yaml")} - {"defaults"}
    assert [line.split()[0] for line in output.splitlines()] == sorted(names)


def test_a_recipe_is_a_line_of_settings(deepfake, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, output, _ = deepfake("recipe", "xception")
    assert code == 0
    assert " -S extract.sampling=stride " in output
    assert " -S extract.stride=15 " in output
    assert " -S train.backbone=legacy_xception " in output
    assert " -S train.pretrained=true " in output
    assert " -S train.pretrained=false " in deepfake("recipe", "xception", "--demo")[1]


def test_a_wrong_recipe_is_answered_with_the_known_ones(deepfake, monkeypatch):
    code, output, complaint = deepfake("recipe", "xception")
    assert (code, output) == (2, "")
    assert complaint.startswith("error: no recipes in ")
    monkeypatch.chdir(ROOT)
    code, _, complaint = deepfake("recipe", "exception")
    assert code == 2
    assert "no recipe 'exception'; there are: " in complaint
    assert "did you mean 'xception'?" in complaint


def test_detectors_are_joined_into_one_that_predicts(deepfake, tmp_path, odd, detector, saved_detector):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    loaded = load(detector)
    members, columns = (
        [(loaded.members[0].network, loaded.members[0].settings)],
        {"track": 0, "sequence": 0, "faces": 4},
    )
    for name, number in (("one", 1.0), ("two", -0.5)):
        rows = {"video_id": ["a", "b"], "label": [0, 1], "group": ["a", "b"], "logit": [-1.0, number], "member": 0}
        saved_detector(tmp_path / name, members, loaded.params, validation=pd.DataFrame(rows | columns))
    code, output, _ = deepfake("ensemble", "one", "two", "--out", "both")
    assert (code, output) == (0, "ensemble: validation AUC 1.000 of 1.000, 1.000 -> both\n")
    assert len(load(tmp_path / "both").members) == 2
    card = bundle.read(tmp_path / "both")
    assert card.validation["videos"] == 2
    code, output, _ = deepfake("predict", odd("plain"), "--json", "--detector", "both")
    alone = json.loads(deepfake("predict", odd("plain"), "--json", "--detector", detector)[1])
    slope, intercept = card.scoring.slope, card.scoring.intercept  # twice the same network, calibrated anew
    assert logit(json.loads(output)["score"]) == pytest.approx(slope * logit(alone["score"]) + intercept, abs=1e-4)


def test_a_detector_that_is_not_there_joins_nothing(deepfake, detector):
    code, _, complaint = deepfake("ensemble", detector, "none", "--out", "both")
    assert code == 2
    assert "no trained detector: none/bundle.json is missing" in complaint


# ---- cache


def test_the_store_is_listed_and_pruned(deepfake):
    for number in range(3):
        folder = cache.store() / "extract" / str(number)
        folder.mkdir(parents=True)
        (folder / "frames.mkv").write_bytes(bytes(1_000_000))
        for path in (folder / "frames.mkv", folder):
            os.utime(path, (path.stat().st_mtime - (10 - number) * cache.DAY,) * 2)
    code, output, _ = deepfake("cache")
    assert (code, output.splitlines()[1].split()[:3]) == (0, ["extract", "3", "0.003"])
    code, output, _ = deepfake("cache", "--prune", "--gigabytes", "0.002")
    assert (code, output.splitlines()[0]) == (0, "cache: 1 results removed, 0.001 GB")
    assert deepfake("cache", "--prune", "--days", "8.5")[1].startswith("cache: 1 results removed")
    assert deepfake("cache", "--prune")[1].startswith("cache: 0 results removed")
    assert [path.name for path in (cache.store() / "extract").iterdir()] == ["2"]
