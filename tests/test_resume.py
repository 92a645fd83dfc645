"""resume: a training that was killed ends with the weights of an unbroken one; several processes learn as one does."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from huggingface_hub import constants

from deepfake.base import items
from deepfake.base.errors import UserError
from deepfake.learning import resume
from deepfake.learning.batches import Tracks
from deepfake.learning.devices import loading, trained_on
from deepfake.train import TrainParams, fit, shape_of

ROOT = Path(__file__).parents[1]
P = TrainParams(
    **yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    | {"head": "lstm", "hidden": 8, "frames": 2, "side": 32, "epochs": 4, "batch_size": 8}
    | {"learning_rate": 0.002, "ema": 0.5, "decay_every": 1}
)
# Runs fit as a program does; it may kill itself in the middle of an epoch, and writes what came out.
PROGRAM = """
import os, signal, sys
from pathlib import Path
import pandas as pd, torch
from deepfake.learning.batches import Tracks
from deepfake.learning.devices import is_first
from deepfake.learning.learner import Learner, validated, video_scores
from deepfake.train import TrainParams, fit

folder, settings, epoch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
out = Path(os.environ.get("MADE_IN", folder))
torch.set_num_threads(1)
step = Learner.training_step

def dies(self, batch, index):
    if self.current_epoch == epoch and index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, index)

Learner.training_step = dies
table = pd.read_json(folder / "table.json")
tracks = Tracks(table, [folder / f"{name}.npy" for name in table["video_id"]])
train, val = (tracks.where(table["split"] == name) for name in ("train", "val"))
made = fit(train, val, TrainParams.model_validate_json(settings), out / "curves")
if is_first():
    torch.save([one.network.state_dict() for one in made], out / "made.pth")
    clips = made[0].validation.groupby("video_id").agg({"label": "first", "logit": list}).reset_index()
    (out / "loss.txt").write_text(str(validated(*video_scores(clips, clips["logit"].tolist()))["loss"]))
"""

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Clips of 12 reals and 12 fakes, told apart by a bright patch; a third for validation."""
    rows = []
    for i in range(24):
        images = np.random.default_rng(i).integers(0, 120, (3, 32, 32, 3), dtype=np.uint8)
        images[:, 8:20, 8:20] += np.uint8(i % 2 * 60)
        name, split = f"v{i:02d}", "val" if i % 6 > 3 else "train"
        np.save(tmp_path / f"{name}.npy", images)
        rows.append(
            {
                "track": 0,
                "video_id": name,
                "label": i % 2,
                "group": f"g{i // 2}",
                "source": f"g{i // 2}",
                "split": split,
                "copy": 0,
            }
        )
    pd.DataFrame(rows).to_json(tmp_path / "table.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def halves(folder: Path) -> tuple[Tracks, Tracks]:
    table = pd.read_json(folder / "table.json")
    tracks = Tracks(table, [folder / f"{name}.npy" for name in table["video_id"]])
    train, val = (tracks.where(table["split"] == name) for name in ("train", "val"))
    return train, val


def program(folder: Path, p: TrainParams, *, dies_in: int = -1, launch: tuple[str, ...] = (), **settings: str) -> int:
    """Run the program in a process of its own; its exit code."""
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, *launch, "program.py", str(folder), p.model_dump_json(), str(dies_in)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | settings
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def weights(folder: Path) -> list[dict[str, torch.Tensor]]:
    return torch.load(folder / "made.pth", weights_only=True)


def same(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in state.items())


# ---- resume


@pytest.mark.parametrize(
    ("schedule", "optimizer"),
    [
        pytest.param("step", "adam", marks=pytest.mark.slow),
        pytest.param("plateau", "sgd", marks=pytest.mark.slow),
        ("cosine", "adamw"),
    ],
)
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(folder, schedule, optimizer):
    p = P.model_copy(update={"schedule": schedule, "optimizer": optimizer})
    assert program(folder, p, dies_in=2) == -signal.SIGKILL
    assert not (folder / "made.pth").exists()
    assert program(folder, p) == 0
    broken = weights(folder)
    (unbroken,) = fit(*halves(folder), p, folder / "whole")
    assert same(broken[0], unbroken.network.state_dict())
    for name in ("train/loss", "val/loss", "val/auc"):
        curves = [
            pd.read_csv(folder / which / f"plots/metrics/{name}.tsv", sep="\t").drop(
                columns="timestamp", errors="ignore"
            )
            for which in ("curves", "whole")
        ]
        assert len(curves[0]) == 4
        pd.testing.assert_frame_equal(*curves)
    (state,) = (items.store() / "train").iterdir()
    assert sorted(file.name for file in state.iterdir()) == ["done.ckpt", "lock"]  # no more is left of it


def test_a_training_of_other_settings_begins_anew(folder):
    assert program(folder, P, dies_in=2) == -signal.SIGKILL
    other = P.model_copy(update={"learning_rate": 0.001})
    (learnt,) = fit(*halves(folder), other, folder / "curves")
    (again,) = fit(*halves(folder), other, folder / "again")
    assert same(learnt.network.state_dict(), again.network.state_dict())
    kept = [sorted(file.name for file in state.iterdir()) for state in (items.store() / "train").iterdir()]
    assert sorted(map(tuple, kept)) == [
        ("best.ckpt", "last.ckpt", "lock"),
        ("done.ckpt", "lock"),
    ]  # it waits


def test_other_weights_of_the_hub_are_another_training(folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    revision = folder / "hub/models--timm--resnet18.a1_in1k/refs/main"
    revision.parent.mkdir(parents=True)
    p = P.model_copy(update={"encoder": "timm", "backbone": "resnet18", "pretrained": True})
    shapes = []
    for commit in ("c0ffee", "decade", "c0ffee"):
        revision.write_text(commit)
        shapes.append(shape_of(*halves(folder), p, 0.0))
    assert shapes[0] == shapes[2] != shapes[1]


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_training_that_was_done_is_not_done_again(folder, capsys, ema):
    p = P.model_copy(update={"epochs": 2, "ema": ema})
    (learnt,) = fit(*halves(folder), p, folder / "curves")
    (again,) = fit(*halves(folder), p, folder / "again")
    assert "this very training was done before" in capsys.readouterr().err
    assert (same(learnt.network.state_dict(), again.network.state_dict()), again.epoch) == (True, learnt.epoch)
    pd.testing.assert_frame_equal(again.validation, learnt.validation)
    for name in ("train/loss", "val/loss"):
        files = [folder / which / f"plots/metrics/{name}.tsv" for which in ("curves", "again")]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
@pytest.mark.parametrize("name", ["last.ckpt", "done.ckpt"])
def test_a_checkpoint_that_cannot_be_read_is_said_and_training_begins_anew(folder, capsys, name, content):
    p = P.model_copy(update={"epochs": 2})
    (learnt,) = fit(*halves(folder), p, folder / "curves")
    (state,) = (items.store() / "train").iterdir()
    (state / "done.ckpt").unlink()
    (state / name).write_bytes(content)
    (again,) = fit(*halves(folder), p, folder / "again")
    assert f"{name} cannot be read" in capsys.readouterr().err
    assert same(learnt.network.state_dict(), again.network.state_dict())


@pytest.mark.slow
def test_two_equal_trainings_at_once_end_alike_and_one_waits_for_the_other(folder):
    p = P.model_copy(update={"epochs": 2})
    for name in ("a", "b"):
        (folder / name).mkdir()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(program, folder, p, MADE_IN=str(folder / name)) for name in ("a", "b")]
        assert [job.result() for job in jobs] == [0, 0]
    first, second = (torch.load(folder / name / "made.pth", weights_only=True)[0] for name in ("a", "b"))
    assert same(first, second)


def test_a_seed_that_was_finished_is_not_trained_again(folder):
    p = P.model_copy(update={"seeds": 2, "epochs": 2})
    whole = fit(*halves(folder), p, folder / "whole")
    assert not same(*(learnt.network.state_dict() for learnt in whole))
    single = [fit(*halves(folder), p.model_copy(update={"seeds": 1, "seed": i}), folder / f"c{i}") for i in range(2)]
    for learnt, (alone,) in zip(whole, single, strict=True):
        assert same(learnt.network.state_dict(), alone.network.state_dict())
    assert (folder / "whole/plots/metrics/val/loss.tsv").is_file()
    assert (folder / "whole/seed_1/plots/metrics/val/loss.tsv").is_file()


# ---- several processes


@pytest.mark.slow
@pytest.mark.parametrize("started_by", ["Lightning", "torchrun"])
def test_two_processes_learn_as_one_does(folder, started_by):
    # without batch norm, which sees half of a batch in each of two processes, and without dropout, which each draws
    p = P.model_copy(update={"head": "mean", "encoder": "squeezenet", "dense_dropout": 0.0, "epochs": 3, "ema": 0.0})
    assert program(folder, p) == 0
    alone, loss = weights(folder), float((folder / "loss.txt").read_text())
    (folder / "made.pth").unlink()
    launch = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29511")
    if started_by == "torchrun":
        assert program(folder, p, launch=launch, ACCELERATOR="cpu") == 0
    else:
        assert program(folder, p, ACCELERATOR="cpu", DEVICES="2") == 0
    assert float((folder / "loss.txt").read_text()) == pytest.approx(loss, abs=0.01)
    gaps = [
        (value - weights(folder)[0][name]).abs().max() for name, value in alone[0].items() if value.is_floating_point()
    ]
    assert max(gaps) < 0.01


def test_devices_come_from_the_environment(monkeypatch):
    assert (trained_on()["devices"], trained_on()["num_nodes"], trained_on()["strategy"]) == (1, 1, "auto")
    monkeypatch.setenv("DEVICES", "4")
    assert (trained_on()["devices"], trained_on()["strategy"]) == (4, "ddp")
    monkeypatch.setenv("NUM_NODES", "2")
    monkeypatch.setenv("STRATEGY", "fsdp")
    assert (trained_on()["num_nodes"], trained_on()["strategy"]) == (2, "fsdp")
    monkeypatch.setenv("WORLD_SIZE", "8")  # of a process that Lightning has started
    monkeypatch.delenv("NUM_NODES")
    assert trained_on()["num_nodes"] == 1
    for name, value in (("LOCAL_WORLD_SIZE", "4"), ("WORLD_SIZE", "8")):  # of one that torchrun has
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DEVICES")
    assert (trained_on()["devices"], trained_on()["num_nodes"]) == (4, 2)
    monkeypatch.setenv("WORKERS", "3")
    assert loading()["num_workers"] == 3
    assert loading()["persistent_workers"]


@pytest.mark.parametrize(("name", "value"), [("DEVICES", "two"), ("NUM_NODES", "0"), ("WORKERS", "-1")])
def test_a_wrong_number_of_the_environment_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name}={value}: must be a number from"):
        (loading if name == "WORKERS" else trained_on)()


def test_the_generators_of_a_gpu_go_on_too_each_rank_with_its_own(monkeypatch):
    """On a machine without one, by what PyTorch is asked."""
    restored = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.tensor([7])])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    (own,) = resume.generators()
    before = torch.rand(3)
    resume.set_generators([own | {"cuda": [torch.tensor([5])]}, own], 1)
    assert restored == [[torch.tensor([7])]]
    assert torch.equal(torch.rand(3), before)
