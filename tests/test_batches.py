"""batches: a fake lies beside a real of its own people, every clip has its turn, and the same seed says the same."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake.batches import Batches, Sequences, Tracks

LABELS = [0, 1, 0, 1, 0, 1, 1, 1]  # three reals, five fakes
GROUPS = ["a", "a", "b", "b", "c", "c", "c", "d"]  # d has no real of its own


def table(labels=LABELS, groups=GROUPS) -> pd.DataFrame:
    return pd.DataFrame(
        {"video_id": [f"v{i}" for i in range(len(labels))], "label": labels, "group": groups, "source": groups}
    )


def batches(clips: pd.DataFrame | None = None, **settings) -> Batches:
    """Batches of two in pairs, but for the settings given."""
    usual = {"batch_size": 2, "draws": 1, "pairs": True, "seed": 0}
    return Batches(table() if clips is None else clips, **(usual | settings))


def clips_of(epoch: list[list[tuple[int, int]]]) -> list[int]:
    return [clip for batch in epoch for clip, _ in batch]


@pytest.fixture
def tracks(tmp_path) -> Tracks:
    """Clips of 1, 2, ... frames; each pixel is ten times its clip's number plus that of its frame."""
    files = []
    for number in range(8):
        frames = np.arange(number + 1, dtype=np.uint8)[:, None, None, None] + 10 * number
        files.append(tmp_path / f"{number}.npy")
        np.save(files[-1], np.broadcast_to(frames, (number + 1, 4, 4, 3)))
    return Tracks(table(), files)


# ---- pairs


def test_a_pair_is_a_real_and_a_fake_of_the_same_group():
    for batch in batches():
        (one, _), (mate, _) = batch
        assert LABELS[one] != LABELS[mate]
        assert GROUPS[one] in (GROUPS[mate], "d")


def test_a_clip_whose_group_has_no_other_class_is_paired_with_any():
    loader = batches()
    mates = {batch[1][0] for _ in range(30) for batch in loader if batch[0][0] == 7}
    assert mates == {0, 2, 4}


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("labels", [LABELS, [1 - label for label in LABELS]])
def test_each_clip_of_the_larger_class_comes_once_for_each_draw(labels, draws):
    larger = [i for i, label in enumerate(labels) if label == labels[7]]
    loader = batches(table(labels), draws=draws)
    for _ in range(3):
        counts = Counter(clips_of(list(loader)))
        assert [counts[i] for i in larger] == [draws] * 5
        assert counts.total() == 2 * 5 * draws


def test_each_batch_is_half_real_and_half_fake():
    epoch = list(batches(batch_size=4, draws=2))
    assert [len(batch) for batch in epoch] == [4] * 5
    assert all(sum(LABELS[clip] for clip, _ in batch) == 2 for batch in epoch)


def test_the_mates_of_a_clip_change():
    loader = batches(table([0, 1, 1, 1], ["a"] * 4))
    clips = {clip for _ in range(20) for clip in clips_of(list(loader))}
    assert clips == {0, 1, 2, 3}
    loader = batches(table([0, 0, 1, 1, 1], ["a"] * 5))
    assert {clip for _ in range(20) for clip in clips_of(list(loader))} == {0, 1, 2, 3, 4}


# ---- without pairs


@pytest.mark.parametrize("draws", [1, 2])
def test_without_pairs_every_clip_comes_once_for_each_draw(draws):
    loader = batches(pairs=False, draws=draws)
    assert Counter(clips_of(list(loader))) == dict.fromkeys(range(8), draws)


# ---- both


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize(("batch_size", "draws"), [(2, 1), (4, 1), (4, 3), (6, 1), (64, 1)])
def test_there_are_as_many_batches_as_the_length_says(pairs, batch_size, draws):
    loader = batches(pairs=pairs, batch_size=batch_size, draws=draws)
    epoch = list(loader)
    assert len(epoch) == len(loader)
    every = 10 * draws if pairs else 8 * draws
    assert {len(batch) for batch in epoch} == {min(batch_size, every)}  # whole batches only


@pytest.mark.parametrize("pairs", [True, False])
def test_what_fills_no_batch_is_left_out_of_an_epoch_and_not_of_all(pairs):
    loader = batches(pairs=pairs, batch_size=6)
    assert len(clips_of(list(loader))) == 6
    assert {clip for _ in range(30) for clip in clips_of(list(loader))} == set(range(8))


@pytest.mark.parametrize("pairs", [True, False])
def test_the_same_seed_gives_the_same_batches_and_another_epoch_others(pairs, untouched_rng):
    one, again, other = (batches(pairs=pairs, seed=seed) for seed in (0, 0, 1))
    first, second = list(one), list(one)
    assert [list(again), list(again)] == [first, second]
    assert first != second
    assert list(other) != first


def test_a_clip_is_drawn_from_by_another_seed_each_time():
    loader = batches(pairs=False, draws=4)
    seeds = [seed for batch in [*loader, *loader] for _, seed in batch]
    assert len(set(seeds)) == len(seeds)


# ---- sequences


def test_a_sequence_is_one_random_frame_of_each_stretch_of_its_clip(tracks):
    sequences = Sequences(tracks, frames=4)
    drawn = [sequences[7, seed] for seed in range(40)]  # 8 frames, 70 to 77
    assert {faces.shape for faces, _ in drawn} == {(4, 4, 4, 3)}
    assert {label for _, label in drawn} == {1.0}
    values = np.stack([faces[:, 0, 0, 0] - 70 for faces, _ in drawn])
    assert (values // 2 == np.arange(4)).all()
    assert set(values.ravel()) == set(range(8))
    np.testing.assert_array_equal(sequences[7, 3][0], sequences[7, 3][0])


def test_a_short_clip_is_taken_whole(tracks):
    faces, label = Sequences(tracks, frames=4)[2, 0]
    assert faces[:, 0, 0, 0].tolist() == [20, 21, 22]
    assert label == 0.0


def test_a_batch_is_padded_and_says_where(tracks):
    sequences = Sequences(tracks, frames=3)
    batch, mask, labels = sequences.collate([sequences[clip, 0] for clip in (1, 4)])
    assert (batch.shape, batch.dtype) == ((2, 3, 4, 4, 3), torch.uint8)
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    assert batch[0, :, 0, 0, 0].tolist() == [10, 11, 0]
    assert (labels.tolist(), labels.dtype) == ([1.0, 0.0], torch.float32)


def test_the_rows_of_some_clips_keep_their_files(tracks):
    fakes = tracks.where(tracks.table["label"] == 1)
    assert fakes.table["video_id"].tolist() == ["v1", "v3", "v5", "v6", "v7"]
    assert [file.stem for file in fakes.files] == ["1", "3", "5", "6", "7"]
    assert fakes[2].shape == (6, 4, 4, 3)


def test_clips_are_read_as_memory_maps(tracks):
    assert isinstance(tracks[3], np.memmap)
    assert not tracks[3].flags.writeable
