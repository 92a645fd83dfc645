"""study: the benchmark that says what helps: pairs of each kind, one thing changed in a row, and what that row adds."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from deepfake.learning.batches import Tracks
from deepfake.pseudo.blend import KINDS, Forging

ROOT = Path(__file__).parents[1]
SIDE = 32


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("study", ROOT / "benchmarks/study.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["study"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["study"]


@pytest.fixture
def tracks(tmp_path, heads) -> Tracks:
    files = []
    for number, images in enumerate(heads):
        files.append(tmp_path / f"{number}.npy")
        np.save(files[-1], images[:1, ::8, ::8])
    table = pd.DataFrame({"video_id": ["a", "b"], "track": 0, "label": 0, "group": ["a", "b"], "copy": 0})
    return Tracks(table.assign(source=table["group"]), files, Forging())


def test_shares_are_whole_and_lose_none(study):
    assert study.shares({"itself": 3.0, "mouth": 2.0, "drawn": 0.0}, 7) == {"itself": 4, "mouth": 3, "drawn": 0}


def test_a_row_changes_what_it_says_and_nothing_else(study, tracks):
    plain, changed = tracks.forging, study.varied(tracks, {"degradation": {"video": 0.5}}).forging
    assert changed.degradation.video == 0.5
    update = {"degradation": changed.degradation.model_copy(update={"video": plain.degradation.video})}
    assert changed.model_copy(update=update) == plain
    assert {kind for row in study.ROWS.values() for kind in row.without} == set(KINDS)


def test_pairs_are_made_again_the_same_and_a_network_learns_from_them(study, tracks, tmp_path, monkeypatch, one_thread):
    monkeypatch.setattr(study, "BATCH", 4)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        study.pool(tracks, tmp_path / name, {"itself": 8, "smooth": 4})
    for kind, count in (("itself", 8), ("smooth", 4)):
        one, two = (np.load(tmp_path / name / f"{kind}.npy") for name in ("one", "two"))
        np.testing.assert_array_equal(one, two)
        assert one.shape == (count, 2, SIDE, SIDE, 3)
        assert all((real != fake).any() for real, fake in one)
    crops = tmp_path / "crops"
    crops.mkdir()
    np.save(crops / "crops.npy", one[:, 0])
    about = {"file": ["v", "w"], "copy": "usual", "label": [0, 1], "method": ["real", "mouth"], "group": ["a", "b"]}
    pd.DataFrame(about | {"source": "v", "count": [4, 0], "start": [0, 4]}).to_csv(crops / "crops.csv", index=False)
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    settings |= {"encoder": "small_cnn", "head": "mean", "frames": 1, "side": SIDE}
    kinds = {"itself": 8, "smooth": 4}
    first, again = (study.trained("all", study.Row(), tmp_path / "one", kinds, 24, settings, crops) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert np.isfinite(first["logit"][0])
    assert np.isnan(first["logit"][1])  # no face
    other = study.trained("seed", study.Row(seed=1), tmp_path / "one", kinds, 24, settings, crops)
    assert other["logit"][0] != first["logit"][0]


def test_the_table_says_what_a_row_adds(study, tmp_path, capsys):
    rng, rows = np.random.default_rng(0), []
    for name, gap in (("all", 0.3), ("better", 9.0)):
        for person in range(20):
            for label, method in enumerate(("real", "mouth")):
                for copy in study.COPIES:
                    logit = gap * label + rng.normal()
                    about = {"file": f"x_{person}.mp4", "copy": copy, "label": label, "method": method}
                    rows.append(about | {"group": f"p{person}", "row": name, "logit": logit, "loss": 0.5})
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    study.table(study.argparse.Namespace(rows=[tmp_path / "rows.csv"]))
    lines = {line.split(" | ")[0]: line for line in capsys.readouterr().out.split("\n\n")[0].splitlines()}
    assert "+0.000 [+0.000, +0.000]" in lines["| all"]
    assert "| 1.000 [" in lines["| better"]
    gain, low = float(lines["| better"].split(" | ")[4].split()[0]), lines["| better"].split("[")[2].split(",")[0]
    assert gain > 0.1
    assert float(low) > 0
