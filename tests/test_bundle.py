"""bundle: a detector comes back from disk as it was; a broken one is said to be broken; nothing in it is a pickle."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from deepfake import bundle
from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.bundle import CARD, WEIGHTS, Bundle, track_score, video_score
from deepfake.models.network import Network

TRAIN = {"encoder": "cnn", "head": "lstm", "frames": 3, "side": 32, "tracks": "max"}

pytestmark = pytest.mark.usefixtures("one_thread")


def detector(**train) -> Bundle:
    """Untrained, but for the settings of train given."""
    torch.manual_seed(0)
    settings = TRAIN | train
    network = Network(settings["encoder"], settings["head"]).eval()
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


@pytest.mark.parametrize("encoder", plugins.names("models.encoders"))
@pytest.mark.parametrize("head", plugins.names("models.heads"))
def test_a_detector_comes_back_as_it_was(tmp_path, encoder, head):
    before = detector(encoder=encoder, head=head)
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
    assert set(load_file(saved / WEIGHTS)) == set(Network("cnn", "lstm").state_dict())


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
    "text", ["", "{", "not JSON", "[]", "3", "null", "{}", '{"format": 1}', '{"format": 1, "params": {}}', "\xff"]
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
    with pytest.raises(UserError, match="format 99, this version reads 1") as error:
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
