"""bundle: a detector comes back from disk as it was; a broken one is said to be broken; nothing in it is a pickle."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from deepfake import bundle
from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.bundle import CARD, WEIGHTS, Bundle, architecture, ensemble, validated
from deepfake.models.network import Network
from deepfake.scores import threshold_of, track_score, video_score

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["train"]
TRAIN = USUAL | {"encoder": "cnn", "head": "lstm", "frames": 3, "side": 32, "tracks": "max"}
BACKBONES = {"timm": "test_resnet", "video": "mc3_18"}

pytestmark = pytest.mark.usefixtures("one_thread")


def detector(**train) -> Bundle:
    """Untrained, but for the settings of train given."""
    torch.manual_seed(0)
    settings = TRAIN | train
    network = Network(architecture(settings)).eval()
    return Bundle(network, 0.625, {"train": settings, "filter": {"min_side": 30}}, {"auc": 0.75})


def faces(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("once") / "detector"
    detector().save(folder)
    return folder


@pytest.fixture
def saved(tmp_path, once) -> Path:
    """The folder of a detector, to be spoilt."""
    return Path(shutil.copytree(once, tmp_path / "detector"))


# ---- disk


@pytest.mark.parametrize(
    "train",
    [
        *({"encoder": name, "backbone": BACKBONES.get(name)} for name in plugins.names("models.encoders")),
        *({"head": name} for name in plugins.names("models.heads")),
        {"fusion": "gate"},
        {"thumbnails": 2},
    ],
)
def test_a_detector_comes_back_as_it_was(tmp_path, train):
    before = detector(**train)
    with torch.no_grad():
        for buffer in before.network.buffers():
            buffer.add_(1)  # statistics of batch norm that are not those of the beginning
    before.save(tmp_path / "deep" / "detector")
    after = bundle.load(tmp_path / "deep" / "detector")
    assert (after.threshold, after.params, after.validation) == (before.threshold, before.params, before.validation)
    assert after.logits(faces(7)) == pytest.approx(before.logits(faces(7)), abs=1e-6)
    assert not after.network.training


def test_the_folder_holds_weights_and_a_card_that_a_person_can_read(saved):
    assert sorted(file.name for file in saved.iterdir()) == [CARD, WEIGHTS]
    card = json.loads((saved / CARD).read_text())
    assert card["threshold"] == 0.625
    assert card["params"]["train"] == TRAIN
    assert set(load_file(saved / WEIGHTS)) == set(Network(architecture(TRAIN)).state_dict())


def test_nothing_in_the_folder_is_a_pickle(saved):
    content = (saved / WEIGHTS).read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])  # says where the numbers of each weight lie
    ends = [weight["data_offsets"][1] for name, weight in header.items() if name != "__metadata__"]
    assert 8 + size + max(ends) == len(content)
    assert not any(zipfile.is_zipfile(file) for file in saved.iterdir())  # torch.save makes one, with a pickle in it


def test_an_older_detector_is_replaced_whole(saved):
    (saved / "old.txt").touch()
    detector(head="mean").save(saved)
    assert sorted(file.name for file in saved.iterdir()) == [CARD, WEIGHTS]
    assert bundle.load(saved).params["train"]["head"] == "mean"


# ---- what is broken


def said(folder) -> str:
    """The mistake in one line, which names the folder; the hint says how to get a whole one."""
    with pytest.raises(UserError) as error:
        bundle.load(folder)
    assert "dvc repro" in error.value.hint
    message = error.value.args[0]
    assert str(folder) in message
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("missing", [CARD, WEIGHTS])
def test_a_missing_file_is_named(saved, missing):
    (saved / missing).unlink()
    assert said(saved) == f"no trained detector: {saved / missing} is missing"


def test_a_missing_folder_is_named(tmp_path):
    assert "is missing" in said(tmp_path / "none")


def test_a_file_in_the_place_of_the_folder_is_no_detector(tmp_path):
    (tmp_path / "file").touch()
    assert "no trained detector" in said(tmp_path / "file")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_weights_that_were_cut_off_are_broken(saved, share):
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[: int(share * len(content))])
    assert "a broken bundle" in said(saved)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "not JSON",
        "[]",
        "3",
        "null",
        "{}",
        '{"format": 2}',
        '{"format": 2, "params": {}}',
        '{"format": 2, "members": "x"}',
        "\xff",
    ],
)
def test_a_card_that_is_not_one_is_broken(saved, text):
    (saved / CARD).write_text(text, encoding="latin-1")
    assert "a broken bundle" in said(saved)


@pytest.mark.parametrize("key", ["format", "threshold", "params", "validation"])
def test_a_card_that_lacks_something_is_broken(saved, key):
    card = json.loads((saved / CARD).read_text())
    del card[key]
    (saved / CARD).write_text(json.dumps(card))
    assert said(saved).endswith(f"a broken bundle: '{key}'")


def test_a_bundle_of_another_format_says_which(saved):
    card = json.loads((saved / CARD).read_text())
    (saved / CARD).write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(UserError, match="format 99, this version reads 2") as error:
        bundle.load(saved)
    assert error.value.hint == "train it anew"


def test_weights_of_another_network_do_not_fit(saved):
    card = json.loads((saved / CARD).read_text())
    card["params"]["train"]["head"] = "mean"
    (saved / CARD).write_text(json.dumps(card))
    assert "a broken bundle" in said(saved)


def test_an_unknown_encoder_is_answered_with_the_known_ones(saved):
    card = json.loads((saved / CARD).read_text())
    card["params"]["train"]["encoder"] = "cnnn"
    (saved / CARD).write_text(json.dumps(card))
    with pytest.raises(UserError, match=r"no encoder 'cnnn'; there are: .*cnn"):
        bundle.load(saved)


# ---- scores


def test_a_track_has_a_logit_for_each_of_its_interleaved_sequences():
    whole, track = detector(), faces(7)
    parts = [whole.logits(track[some])[0] for some in ([0, 3, 6], [1, 4], [2, 5])]
    assert whole.logits(track) == pytest.approx(parts, abs=1e-6)


@pytest.mark.parametrize(("count", "sequences"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_a_track_of_any_length_is_scored(count, sequences):
    logits = detector().logits(faces(count))
    assert len(logits) == sequences
    assert np.isfinite(logits).all()


def test_shuffled_frames_are_those_of_the_same_sequence():
    track = faces(7)
    blind, temporal = detector(head="mean"), detector()
    shuffled = [one.logits(track, np.random.default_rng(1)) for one in (blind, temporal)]
    assert shuffled[0] == pytest.approx(blind.logits(track), abs=1e-5)
    assert shuffled[1] != temporal.logits(track)
    assert shuffled[1] == temporal.logits(track, np.random.default_rng(1))


@pytest.mark.parametrize("logits", [[0.0], [2.0], [-3.0, 1.0, 0.5]])
def test_a_tracks_score_is_the_sigmoid_of_its_mean_logit(logits):
    assert track_score(logits) == pytest.approx(float(torch.sigmoid(torch.tensor(logits).mean())))


@pytest.mark.parametrize(("tracks", "score"), [("max", 0.9), ("mean", 0.5)])
def test_a_videos_score_is_the_largest_or_the_mean_of_its_tracks(tracks, score):
    logit = float(np.log(9))  # P = .9
    assert video_score([[-logit], [logit + 1, logit - 1]], tracks) == pytest.approx(score)
    assert detector(tracks=tracks).score([[-logit], [logit]]) == pytest.approx(score)


@pytest.mark.parametrize(("score", "verdict"), [(0.0, "real"), (0.624999, "real"), (0.625, "fake"), (1.0, "fake")])
def test_a_score_at_the_threshold_is_a_fake(score, verdict):
    assert detector().verdict(score) == verdict


# ---- ensembles


def members() -> list[Bundle]:
    """Two that learnt differently, validated on the same videos."""
    logits = {"a": [[-2.0, -1.0]], "b": [[1.0], [3.0]], "c": [[0.5]]}
    other = {"a": [[1.0]], "b": [[0.5], [2.0]], "c": [[-3.0]]}
    both = []
    for number, some in enumerate((logits, other)):
        torch.manual_seed(number)
        settings = TRAIN | {"frames": 3}
        found = validated({"a": 0, "b": 1, "c": 0}, some, "max")
        prepared = {name: {} for name in ("extract", "detect", "filter")}
        both.append(Bundle(Network(architecture(settings)).eval(), found[0], prepared | {"train": settings}, found[1]))
    return both


def test_an_ensemble_averages_the_logits_of_its_members():
    both = members()
    whole, track = ensemble(both), faces(7)
    expected = np.mean([member.logits(track) for member in both], axis=0)
    assert whole.logits(track) == pytest.approx(expected.tolist(), abs=1e-6)
    shuffled = np.mean([member.logits(track, np.random.default_rng(3)) for member in both], axis=0)
    assert whole.logits(track, np.random.default_rng(3)) == pytest.approx(shuffled.tolist(), abs=1e-6)


def test_members_of_other_sequences_are_averaged_by_track():
    one, two = members()
    longer = Bundle(
        two.network, two.threshold, two.params | {"train": two.params["train"] | {"frames": 7}}, two.validation
    )
    track = faces(7)
    means = [np.mean(member.logits(track)) for member in (one, longer)]
    assert ensemble([one, longer]).logits(track) == pytest.approx([np.mean(means)], abs=1e-6)


def test_the_threshold_of_an_ensemble_is_fitted_on_the_averaged_validation():
    whole = ensemble(members())
    scores = [track_score([-0.25]), track_score([2.5]), track_score([-1.25])]  # a, b, c
    assert whole.threshold == pytest.approx(threshold_of(np.array([0.0, 1.0, 0.0]), np.array(scores)), abs=1e-6)
    assert whole.validation["auc"] == 1.0
    assert (whole.verdict(scores[1]), whole.verdict(scores[0])) == ("fake", "real")


def test_an_ensemble_comes_back_as_it_was(tmp_path):
    before = ensemble(members())
    before.save(tmp_path / "both")
    after = bundle.load(tmp_path / "both")
    assert isinstance(after, bundle.Ensemble)
    assert (after.threshold, after.params, after.validation) == (before.threshold, before.params, before.validation)
    assert after.logits(faces(5)) == pytest.approx(before.logits(faces(5)), abs=1e-6)
    shutil.rmtree(tmp_path / "both" / "1")
    assert "is missing" in said(tmp_path / "both")


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("detect", {"size": 1}, "member 1 has other settings of detect"),
        ("train", TRAIN | {"tracks": "mean"}, "member 1 has another setting of train.tracks"),
    ],
)
def test_members_that_prepare_videos_differently_are_refused(section, settings, message):
    one, two = members()
    other = Bundle(two.network, two.threshold, two.params | {section: settings}, two.validation)
    with pytest.raises(UserError, match=message):
        ensemble([one, other])


def test_members_that_were_validated_on_other_videos_are_refused():
    one, two = members()
    other = Bundle(two.network, two.threshold, two.params, two.validation | {"labels": {"z": 1}})
    with pytest.raises(UserError, match="member 1 was validated on other videos"):
        ensemble([one, other])
