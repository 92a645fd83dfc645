"""extra: further datasets are tested on and nothing is fitted on them; who was learnt from is found and left out."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from deepfake import bundle, video
from deepfake.base import params, tables
from deepfake.base.errors import UserError
from deepfake.dataset.videos import read
from deepfake.demo import DemoParams, render
from deepfake.measures.extra import TEXTS, shared
from deepfake.measures.protocol import EvaluateParams, Extra
from stages import code

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
BIT = "0123456789abcdef" * 16  # a fingerprint


def videos(**columns) -> pd.DataFrame:
    """A real of two people, but for the columns given."""
    usual = {"video_id": "v", "identities": "", "dataset": "", "source": "", "collection": "", "kept": 4}
    pictures = {"sha256": "", "pictures_sha256": "", "fingerprint": ""}
    return pd.DataFrame(usual | pictures | {name: values for name, values in columns.items()})


@pytest.mark.parametrize(
    ("learnt", "further", "tie"),
    [
        ({"identities": ["anna"]}, {"identities": ["anna+bob"]}, "identity::anna"),
        ({"identities": ["anna"]}, {"identities": ["anna"], "dataset": "celeb"}, ""),  # another anna
        ({"identities": ["a"], "dataset": "celeb"}, {"identities": ["a"], "dataset": "celeb"}, "identity:celeb:a"),
        (
            {"identities": ["000"], "dataset": "FaceForensics++"},
            {"identities": ["000+M101"], "dataset": "DeeperForensics-1.0"},
            "identity:FaceForensics++:000",
        ),
        ({"source": ["youtube:x"]}, {"source": ["youtube:x"]}, "source::youtube:x"),
        ({"pictures_sha256": ["c0ffee"]}, {"pictures_sha256": ["c0ffee"], "dataset": "celeb"}, "twin:c0ffee"),
        ({"fingerprint": [BIT]}, {"fingerprint": [BIT[:-1] + "e"], "dataset": "celeb"}, "twin:seen v"),
        ({}, {}, ""),
    ],
)
def test_what_a_further_video_shares_with_training_is_named(learnt, further, tie):
    for split, expected in (("train", tie), ("val", tie), ("test", "")):
        dealt = pd.DataFrame({"video_id": ["seen"], "split": [split]})
        own = videos(**{"video_id": ["v"], **further})
        assert shared(own, videos(**{"video_id": ["seen"], **learnt}), dealt).tolist() == [expected]


def test_two_datasets_of_one_name_have_to_be_told_apart():
    with pytest.raises(ValidationError, match="two datasets of extra are called celeb: give each a name"):
        EvaluateParams.model_validate(
            USUAL["evaluate"] | {"extra": [{"root": f"{i}/celeb", "layout": "x"} for i in "ab"]}
        )
    assert Extra(root="a/celeb", layout="x").column == "celeb"
    assert Extra(root="a/celeb", layout="x", name="first").column == "first"


# ---- the stages


@pytest.fixture(scope="module")
def project(heads, tmp_path_factory, saved_detector) -> Path:
    """A folder in which all before `extra` is there, and two further datasets: strangers, and some who were seen."""
    import torch

    from deepfake.inference import architecture
    from deepfake.models.network import Network

    folder = tmp_path_factory.mktemp("project")
    p = DemoParams(identities=12, frames=6, size=192, resolution=0, seed=3)
    people = [np.stack(list(render(identity, p))) for identity in range(12)]
    own = {f"{i}.mp4": ("real", "fake")[i % 2] for i in range(6)}
    for i, name in enumerate(own):
        video.encode(folder / "videos" / name, people[i], 25.0)
    listed = {"path": list(own), "label": list(own.values()), "identities": list("abcdef")}
    tables.write(
        folder / "videos/manifest.csv", pd.DataFrame(listed | {"split": ["train"] * 2 + ["val"] * 2 + ["test"] * 2})
    )
    seen = {  # path: what is shown, who it is called, how it is encoded
        "again.mp4": (people[2], "someone", 30),  # the pictures of validation's 2.mp4, encoded anew
        "anna.mp4": (people[6], "a", 18),  # somebody else, called as one of train
        "tested.mp4": (people[4], "e", 18),  # known from the test alone
        "new.mp4": (people[7], "g", 18),
    }
    for name, (images, _, crf) in seen.items():
        video.encode(folder / "mixed" / name, images, 25.0, crf=crf)
    rows = {
        "path": list(seen),
        "label": ["real", "real", "real", "fake"],
        "identities": [who for _, who, _ in seen.values()],
    }
    tables.write(folder / "mixed/manifest.csv", pd.DataFrame(rows))
    for i in range(8, 12):
        video.encode(folder / "strangers" / ("real", "fake")[i % 2] / f"{i}.mp4", people[i], 25.0)
    (folder / "strangers/fake/broken.mp4").write_bytes(b"no video")
    sections = USUAL | {
        "extract": USUAL["extract"] | {"root": "videos", "frames_per_video": 4},
        "detect": USUAL["detect"] | {"size": 64},
        "filter": USUAL["filter"] | {"min_sharpness": 0, "min_faces": 1},
        "split": USUAL["split"] | {"mode": "official"},
        "augment": USUAL["augment"] | {"copies": 0},
        "evaluate": USUAL["evaluate"] | {"resamples": 100, "shuffles": 1},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    settings = sections["train"] | {"encoder": "cnn", "head": "mean", "frames": 2, "side": 32}
    torch.manual_seed(0)
    prepared = {name: sections[name] for name in ("detect", "filter")}
    policy = {key: value for key, value in sections["extract"].items() if key not in ("root", "layout")}
    policy = {
        key: policy[key] for key in ("seconds", "sampling", "frames_per_video", "fps", "stride", "max_side", "crf")
    }
    saved_detector(
        folder / "models/calibrated",
        [(Network(architecture(settings)).eval(), settings)],
        prepared | {"extract": policy},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBS", "1")
        patch.setenv("ITEM_CACHE", str(folder / "store"))
        patch.chdir(folder)
        for name in ("extract", "detect", "filter", "split", "augment"):
            import_module(f"stages.{name}").run()
    return folder


@pytest.fixture
def inside(project, monkeypatch) -> Path:
    monkeypatch.chdir(project)
    monkeypatch.setenv("ITEM_CACHE", str(project / "store"))
    return project


def add(*datasets: dict[str, str]) -> None:
    sections = yaml.safe_load(Path("params.yaml").read_text())
    sections["evaluate"]["extra"] = list(datasets)
    Path("params.yaml").write_text(yaml.safe_dump(sections))


STRANGERS = {"root": "strangers", "layout": "folders"}
MIXED = {"root": "mixed", "layout": "manifest", "name": "some known"}


def test_a_further_dataset_has_a_column_of_its_own_and_is_in_no_split(inside, capsys):
    from deepfake import inference, predict

    before = {
        name: (inside / name).read_bytes() for name in ("data/splits.csv", "data/clips.parquet", "data/videos.csv")
    }
    add(STRANGERS, MIXED)
    import_module("stages.extra").run()
    output = capsys.readouterr()
    assert "extra: 9 videos of 2 further datasets" in output.out
    assert "2 of 4 videos of some known share people, sources or pictures with training and are left out" in output.err
    table = tables.read(inside / "reports/extra.csv", TEXTS).set_index("video_id")
    assert table["shared"][table["shared"] != ""].to_dict() == {
        "some known/again.mp4": "twin:2.mp4 some known/again.mp4",
        "some known/anna.mp4": "identity::a",
    }
    assert table["status"]["strangers/fake/broken.mp4"] == "decode_error"
    prediction = predict.predict(inside / "strangers/real/8.mp4", inference.load(inside / "models/calibrated"))
    assert table["score"]["strangers/real/8.mp4"] == prediction.score
    assert {name: (inside / name).read_bytes() for name in before} == before

    import_module("stages.evaluate").run()
    figures = json.loads((inside / "reports/metrics.json").read_text())
    assert set(read(inside / "reports/predictions.csv")["video_id"]) == {"4.mp4", "5.mp4"}
    assert figures["video"]["count"] == 2
    assert list(figures["extra"]) == ["strangers", "some known"]
    strangers, mixed = figures["extra"].values()
    assert (strangers["reals"], strangers["fakes"], strangers["left_out"]) == (2, 2, 0)
    assert (strangers["coverage"]["expected"], strangers["coverage"]["missing"]["decode_error"]) == (5, 1)
    assert (mixed["reals"], mixed["fakes"], mixed["left_out"]) == (1, 1, 2)
    own = table[(table["dataset"] == "strangers") & table["score"].notna()]
    gaps = [f - r for f in own["score"][own["label"] == 1] for r in own["score"][own["label"] == 0]]
    assert strangers["auc"] == pytest.approx(np.mean([(gap > 0) + (gap == 0) / 2 for gap in gaps]))
    assert strangers["best_baseline"]["auc"] is not None

    import_module("stages.describe").run()
    card = bundle.read(inside / "models/detector")
    assert {name: (own.reals, own.fakes, own.auc.value) for name, own in card.scope.extra.items()} == {
        name: (own["reals"], own["fakes"], own["auc"]) for name, own in figures["extra"].items()
    }
    assert card.scope.extra["strangers"].unscored == 1
    first = (inside / "models/detector" / bundle.CARD).read_bytes()
    import_module("stages.describe").run()
    assert (inside / "models/detector" / bundle.CARD).read_bytes() == first


def test_what_is_there_is_not_scored_again(inside, capsys):
    add(STRANGERS)
    import_module("stages.extra").run()
    first = (inside / "reports/extra.csv").read_bytes()
    capsys.readouterr()
    import_module("stages.extra").run()
    assert "extra: 5 videos of 1 further datasets, 0 made anew" in capsys.readouterr().out
    assert (inside / "reports/extra.csv").read_bytes() == first


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"root": "nowhere", "layout": "folders"}, "evaluate.extra: no folder nowhere"),
        ({"root": "strangers", "layout": "folder"}, "no layout 'folder'"),
        ({"root": "learnt", "layout": "manifest"}, "evaluate.extra: 4 of 4 videos of learnt share people"),
    ],
)
def test_a_wrong_entry_is_said(inside, entry, message):
    shutil.copytree(inside / "videos", inside / "learnt", dirs_exist_ok=True)
    listed = pd.read_csv(inside / "learnt/manifest.csv")
    tables.write(inside / "learnt/manifest.csv", listed[listed["split"] != "test"])
    add(entry)
    with pytest.raises(UserError, match=message):
        import_module("stages.extra").run()


def test_without_one_the_table_is_empty_and_the_figures_say_nothing_of_it(inside):
    add()
    import_module("stages.extra").run()
    import_module("stages.evaluate").run()
    assert tables.read(inside / "reports/extra.csv").empty
    assert "extra" not in json.loads((inside / "reports/metrics.json").read_text())


def test_only_the_stage_extra_is_stale_after_another_file_or_layout(inside):
    add(STRANGERS)
    names = code.names()
    told = [{name: code.made_of(name, params.sections()) for name in names}]
    (inside / "strangers/real/8.mp4").rename(inside / "strangers/real/eight.mp4")
    told.append({name: code.made_of(name, params.sections()) for name in names})
    (inside / "strangers/real/eight.mp4").rename(inside / "strangers/real/8.mp4")
    add(STRANGERS | {"layout": "celebdf"})
    told.append({name: code.made_of(name, params.sections()) for name in names})
    for other in told[1:]:
        assert [name for name in names if other[name] != told[0][name]] == ["extra"]
