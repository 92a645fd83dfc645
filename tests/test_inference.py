"""inference: a track of any length is scored, alone as beside others, in bounded memory; members are averaged."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from deepfake import inference
from deepfake.inference import Detector, Member, architecture, logits_of
from deepfake.models.network import Network
from deepfake.scores import Scoring

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["train"]
TRAIN = USUAL | {"encoder": "cnn", "head": "lstm", "frames": 3, "side": 32, "sampling": "spread", "motion": False}

pytestmark = pytest.mark.usefixtures("one_thread")


def member(seed: int = 0, **train) -> Member:
    """Untrained, but for the settings of train given."""
    torch.manual_seed(seed)
    settings = TRAIN | train
    return Member(Network(architecture(settings)).eval(), settings)


def detector(*members: Member) -> Detector:
    return Detector(members or (member(),), Scoring(tracks="max"), {}, {"untrained": ""})


def faces(count: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(("count", "sequences"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
@pytest.mark.parametrize("sampling", ["spread", "contiguous"])
def test_a_track_of_any_length_is_scored(count, sequences, sampling):
    scored = detector(member(sampling=sampling)).track(faces(count))
    assert (len(scored.logits), scored.faces) == (sequences, count)
    assert np.isfinite(scored.logits).all()


def test_faces_of_another_size_are_brought_to_the_networks():
    assert len(member().logits(faces(3, side=50))) == 1


def test_a_sequence_is_scored_alone_as_beside_others():
    track, single = faces(7), member()
    alone = [logits_of(single.network, track, [sequence], 3, 32)[0] for sequence in ([0, 3, 6], [1, 4], [2, 5])]
    assert single.logits(track) == pytest.approx(alone, abs=1e-6)


def test_no_more_goes_through_the_network_at_once_than_was_said(monkeypatch):
    single, track, sizes = member(), faces(40), []
    whole = single.logits(track)
    single.network.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[0]))
    monkeypatch.setattr(inference, "PIXELS", 2 * 3 * 32**2)  # two sequences
    assert single.logits(track) == pytest.approx(whole, abs=1e-6)
    assert sizes == [2] * 7
    sizes.clear()
    monkeypatch.setattr(inference, "PIXELS", 1)  # one there must be
    assert len(single.logits(track[:6])) == 2
    assert sizes == [1, 1]


def test_a_long_track_is_read_from_its_file_a_batch_at_a_time(tmp_path):
    track = np.lib.format.open_memmap(tmp_path / "track.npy", "w+", np.uint8, (9, 32, 32, 3))
    track[:] = faces(9)
    assert member().logits(np.load(tmp_path / "track.npy", mmap_mode="r")) == member().logits(faces(9))


def test_other_orders_are_shown_within_the_same_sequence():
    track = faces(7)
    back, still = (lambda sequence: sequence[::-1]), (lambda sequence: [sequence[0]] * len(sequence))
    blind, temporal = detector(member(head="mean")), detector()
    assert blind.track(track, back).logits == pytest.approx(blind.track(track).logits, abs=1e-5)
    assert temporal.track(track, back).logits != temporal.track(track).logits
    expected = logits_of(temporal.members[0].network, track, [[0, 0, 0], [1, 1], [2, 2]], 3, 32)
    assert temporal.track(track, still).logits == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("precision", [torch.bfloat16])
def test_scores_are_of_full_precision_wherever_they_are_made(precision):
    track = faces(3)
    with torch.autocast("cpu", precision):
        assert member().logits(track) == member().logits(track)
        inside = member().logits(track)
    assert inside == pytest.approx(member().logits(track), abs=1e-6)


# ---- ensembles


def test_an_ensemble_averages_the_logits_of_its_members():
    both, track = (member(0), member(1)), faces(7)
    expected = np.mean([member.logits(track) for member in both], axis=0)
    assert detector(*both).track(track).logits == pytest.approx(expected.tolist(), abs=1e-6)


def test_members_of_other_sequences_are_averaged_by_track():
    both, track = (member(0), member(1, frames=7)), faces(7)
    means = [np.mean(member.logits(track)) for member in both]
    assert detector(*both).track(track).logits == pytest.approx([np.mean(means)], abs=1e-6)
