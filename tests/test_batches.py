"""batches: a fake lies beside a real of its own people, every clip has its turn, and the same seed says the same."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from deepfake.base.errors import UserError
from deepfake.learning.batches import Batches, Draw, Echo, Sequences, Tracks, with_blends

LABELS = [0, 1, 0, 1, 0, 1, 1, 1]  # three reals, five fakes
GROUPS = ["a", "a", "b", "b", "c", "c", "c", "d"]  # d has no real of its own


def table(labels=LABELS, groups=GROUPS) -> pd.DataFrame:
    names = [f"v{i}" for i in range(len(labels))]
    return pd.DataFrame({"video_id": names, "label": labels, "group": groups, "source": groups, "copy": 0, "track": 0})


def batches(clips: pd.DataFrame | None = None, **settings) -> Batches:
    """Batches of two in pairs, but for the settings given."""
    usual = {"batch_size": 2, "draws": 1, "pairs": True, "seed": 0}
    return Batches(table() if clips is None else clips, **(usual | settings))


def clips_of(epoch: list[list[Draw]]) -> list[int]:
    return [draw.clip for batch in epoch for draw in batch]


def epochs(loader: Batches, count: int) -> list[list[Draw]]:
    """The batches of some epochs, one after the other."""
    drawn = []
    for epoch in range(count):
        loader.set_epoch(epoch)
        drawn += list(loader)
    return drawn


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
        clip, mate = (draw.clip for draw in batch)
        assert LABELS[clip] != LABELS[mate]
        assert GROUPS[clip] in (GROUPS[mate], "d")


def test_the_mate_of_a_copy_is_the_same_copy_of_its_source():
    # augment alters both by one draw: whatever else a pair differs in would tell them apart
    labels, sources, copies = [0, 0, 1, 1, 1, 1], ["a"] * 4 + ["b", "b"], [0, 1, 0, 1, 0, 1]
    clips = table(labels, ["g"] * 6).assign(source=sources, copy=copies)
    for batch in epochs(batches(clips), 10):
        assert copies[batch[0].clip] == copies[batch[1].clip]


def test_a_clip_whose_group_has_no_other_class_is_paired_with_any():
    loader = batches()
    mates = {batch[1].clip for batch in epochs(loader, 30) if batch[0].clip == 7}
    assert mates == {0, 2, 4}


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("labels", [LABELS, [1 - label for label in LABELS]])
def test_each_clip_of_the_larger_class_comes_once_for_each_draw(labels, draws):
    larger = [i for i, label in enumerate(labels) if label == labels[7]]
    loader = batches(table(labels), draws=draws)
    for epoch in range(3):
        loader.set_epoch(epoch)
        counts = Counter(clips_of(list(loader)))
        assert [counts[i] for i in larger] == [draws] * 5
        assert counts.total() == 2 * 5 * draws


def test_each_batch_is_half_real_and_half_fake():
    epoch = list(batches(batch_size=4, draws=2))
    assert [len(batch) for batch in epoch] == [4] * 5
    assert all(sum(LABELS[draw.clip] for draw in batch) == 2 for batch in epoch)


def test_the_mates_of_a_clip_change():
    loader = batches(table([0, 1, 1, 1], ["a"] * 4))
    clips = set(clips_of(epochs(loader, 20)))
    assert clips == {0, 1, 2, 3}
    loader = batches(table([0, 0, 1, 1, 1], ["a"] * 5))
    assert set(clips_of(epochs(loader, 20))) == {0, 1, 2, 3, 4}


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
    assert set(clips_of(epochs(loader, 30))) == set(range(8))


@pytest.mark.parametrize("pairs", [True, False])
def test_the_same_seed_gives_the_same_batches_and_another_epoch_others(pairs, untouched_rng):
    loader, again, other = (batches(pairs=pairs, seed=seed) for seed in (0, 0, 1))
    first = list(loader)
    assert list(again) == first
    again.set_epoch(1)
    assert list(again) != first
    assert list(other) != first


def test_a_clip_is_drawn_from_by_another_seed_each_time():
    loader = batches(pairs=False, draws=4)
    seeds = [draw.seed for batch in epochs(loader, 2) for draw in batch]
    assert len(set(seeds)) == len(seeds)


# ---- sequences


def test_a_sequence_is_one_random_frame_of_each_stretch_of_its_clip(tracks):
    sequences = Sequences(tracks, 4, "spread")
    drawn = [sequences[Draw(7, seed)][0] for seed in range(40)]  # 8 frames, 70 to 77
    assert {faces.shape for faces, _ in drawn} == {(4, 4, 4, 3)}
    assert {label for _, label in drawn} == {1.0}
    values = np.stack([faces[:, 0, 0, 0] - 70 for faces, _ in drawn])
    assert (values // 2 == np.arange(4)).all()
    assert set(values.ravel()) == set(range(8))
    np.testing.assert_array_equal(sequences[Draw(7, 3)][0][0], sequences[Draw(7, 3)][0][0])


def test_a_short_clip_is_taken_whole(tracks):
    ((faces, label),) = Sequences(tracks, 4, "spread")[Draw(2, 0)]
    assert faces[:, 0, 0, 0].tolist() == [20, 21, 22]
    assert label == 0.0


def test_a_batch_is_padded_and_says_where(tracks):
    sequences = Sequences(tracks, 3, "spread")
    batch, mask, labels = sequences.collate([sequences[Draw(clip, 0)] for clip in (1, 4)])
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


# ---- ranks


@pytest.mark.parametrize("pairs", [True, False])
def test_the_ranks_share_each_batch_and_no_draw_is_counted_twice(pairs):
    whole = list(batches(pairs=pairs, batch_size=4, draws=2))
    parts = [list(batches(pairs=pairs, batch_size=4, draws=2, rank=rank, ranks=2)) for rank in range(2)]
    assert [first + second for first, second in zip(*parts, strict=True)] == whole
    for part in parts:
        assert all(len(batch) == 2 for batch in part)
        assert not pairs or all(sum(LABELS[draw.clip] for draw in batch) == 1 for batch in part)


def test_more_devices_than_a_batch_has_pairs_are_refused():
    with pytest.raises(UserError, match="3 devices for batches of 4 and 5 pairs"):
        batches(batch_size=4, ranks=3)


# ---- blends


def test_a_share_of_the_pairs_is_of_a_real_and_its_own_blend():
    drawn = [draw for batch in epochs(batches(batch_size=2, self_blend=0.5), 40) for draw in batch]
    blends = [draw for draw in drawn if draw.blend]
    assert 70 < len(blends) < 130  # of 200 pairs
    assert {LABELS[draw.clip] for draw in blends} == {0}
    assert sum(LABELS[draw.clip] for draw in drawn if not draw.blend) == (len(drawn) - len(blends)) / 2


@pytest.mark.parametrize("labels", [LABELS, [0] * 8])
def test_reals_alone_are_enough_where_every_pair_is_blended(labels):
    loader = batches(table(labels), self_blend=1.0, batch_size=4)
    assert all(draw.blend for batch in loader for draw in batch)
    assert {len(batch) for batch in loader} == {2}  # each stands for two


def faces_of(tmp_path, count: int) -> Tracks:
    """Noisy reals of 64 px, large enough for a blend."""
    files = []
    for number in range(count):
        files.append(tmp_path / f"{number}.npy")
        np.save(files[-1], np.random.default_rng(number).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8))
    return Tracks(table([0] * count, ["a"] * count), files)


def test_a_blended_draw_gives_a_real_and_a_fake_of_the_same_moments(tmp_path):
    sequences = Sequences(faces_of(tmp_path, 1), 2, "spread")
    batch, mask, labels = sequences.collate([sequences[Draw(0, 5, True)]])
    assert (batch.shape, mask.all().item(), labels.tolist()) == ((2, 2, 64, 64, 3), True, [0.0, 1.0])
    assert (batch[0] != batch[1]).any()
    again, _, _ = sequences.collate([sequences[Draw(0, 5, True)]])
    assert (again == batch).all()


def test_reals_with_their_blends_stand_for_a_validation_without_fakes(tmp_path):
    both = with_blends(faces_of(tmp_path, 2), seed=0)
    assert both.table["label"].tolist() == [0, 0, 1, 1]
    assert both.table["video_id"].is_unique
    for real, fake in ((0, 2), (1, 3)):
        assert both[real].shape == both[fake].shape
        assert (both[real] != both[fake]).any()
    np.testing.assert_array_equal(both[2], both[2])


# ---- what pseudo-fakes are made of


def test_a_mate_is_a_real_of_another_person_and_of_like_shape(tmp_path):
    base = np.random.default_rng(0).uniform(10, 50, (68, 2))
    shapes = [(base + shift).ravel().tolist() for shift in (0.0, 5.0, 0.5, 0.1, 9.0)]
    clips = table([0, 0, 0, 0, 1], ["a", "b", "c", "a", "d"]).assign(shapes=shapes)
    mates = Tracks(clips, [tmp_path / "none.npy"] * 5).mates
    assert [list(indices) for indices in mates] == [[2, 1], [2, 3, 0], [3, 0, 1], [2, 1], []]


def test_without_landmarks_there_is_no_mate(tracks):
    assert all(not len(indices) for indices in tracks.mates)
    assert tracks.sample(0, np.random.default_rng(0)).mate is None


def test_a_sample_has_its_faces_as_each_generator_draws_them(tmp_path):
    files = [tmp_path / "0.npy", tmp_path / "1.npy"]
    for number, file in enumerate(files):
        np.save(file, np.full((2, 4, 4, 3), number, np.uint8))
    redrawn = tmp_path / "drawn.npy"
    np.save(redrawn, np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2).repeat(3, 3) + 100)
    clips = table([0, 0], ["a", "b"]).assign(redrawn=[-1, 2])
    tracks = Tracks(clips, files, redrawn=(redrawn,))
    rng = np.random.default_rng(0)
    assert tracks.sample(0, rng).redrawn == ()
    assert tracks.sample(1, rng).redrawn[0][:, 0, 0, 0].tolist() == [102, 103]


# ---- echo


def echoing(tracks: Tracks, echo: int, workers: int = 0) -> Echo:
    sequences = Sequences(tracks, 1, "spread")
    drawn = Batches(tracks.table, batch_size=4, draws=4, pairs=True, seed=0)
    return Echo(sequences, drawn, echo, 2, num_workers=workers)


def test_each_batch_comes_once_and_its_mixtures_as_often_as_it_is_echoed(tracks):
    plain, loud = list(echoing(tracks, 1)), list(echoing(tracks, 3))
    assert len(loud) == len(echoing(tracks, 3)) == 3 * len(plain)
    for own, same in zip(plain, loud[::3], strict=True):
        assert all(torch.equal(first, second) for first, second in zip(own, same, strict=True))


def test_pairs_stay_whole_in_a_mixture_and_nothing_is_made_up(tracks):
    seen: set[tuple[int, ...]] = set()
    for number, (faces, _, labels) in enumerate(echoing(tracks, 4)):
        pairs = {tuple(two.flatten().tolist()) for two in faces[:, 0, 0, 0, 0].reshape(-1, 2)}
        assert labels.reshape(-1, 2).sum(1).tolist() == [1.0, 1.0]
        if number % 4 == 0:
            seen |= pairs
        assert pairs <= seen


def test_workers_change_nothing_of_an_echo(tracks):
    for own, same in zip(echoing(tracks, 3), echoing(tracks, 3, workers=2), strict=True):
        assert all(torch.equal(first, second) for first, second in zip(own, same, strict=True))
