"""split: no person, no source and no file is on two sides; every video is dealt, and to where it was."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deepfake.base import tables
from deepfake.base.errors import UserError
from deepfake.dataset import relations
from deepfake.dataset.relations import groups
from deepfake.layouts import celebdf, deeperforensics, df40, faceforensics
from deepfake.split import OUT, SplitParams, deal, doubts, in_turn, leaks, split, status, summary
from stages import code
from stages.split import run

HASH = SplitParams(mode="hash", train=0.7, val=0.15, test=0.15, seed=0)
QUOTA = HASH.model_copy(update={"mode": "quota"})
LOOK, OTHER = (bytes(np.random.default_rng(seed).integers(0, 256, 128, np.uint8)).hex() for seed in (0, 1))
NEAR = f"{int(LOOK[:16], 16) ^ 0x0F0F_F0F0_0F0F_F0F0:016x}{LOOK[16:]}"  # 32 of 1024 bits differ
EVALUATE = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["evaluate"]
OFFICIAL = HASH.model_copy(update={"mode": "official"})


def videos(video_id, **columns) -> pd.DataFrame:
    """A table of good real videos that share nothing, but for the columns given."""
    texts = dict.fromkeys(("identities", "method", "source", "dataset", "split"), "")
    good = texts | {"label": 0, "status": "ok", "kept": 4, "sha256": [f"sha of {name}" for name in video_id]}
    return pd.DataFrame({"video_id": video_id} | good | columns)


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """A good face of each video."""
    return pd.DataFrame({"video_id": table["video_id"], "reason": ""})


def pairs(count: int, method: str = "swap") -> pd.DataFrame:
    """So many pairs of people: a real of each, and their faces swapped both ways."""
    rows = []
    for pair in range(count):
        a, b = f"{method}{pair}a", f"{method}{pair}b"
        rows += [(f"{a}.mp4", a, "", "", 0), (f"{b}.mp4", b, "", "", 0)]
        rows += [(f"{x}_{y}.mp4", f"{x}+{y}", f"{x}.mp4", method, 1) for x, y in ((a, b), (b, a))]
    names, identities, source, methods, label = map(list, zip(*rows, strict=True))
    return videos(names, identities=identities, source=source, method=methods, label=label)


def tangle(rng: np.random.Generator) -> pd.DataFrame:
    """Videos that share people, sources and bytes at random."""
    n = 400
    people = [f"p{i}" for i in rng.integers(0, 2000, n)]
    label = rng.integers(0, 2, n)
    second = [f"+p{i}" if fake else "" for i, fake in zip(rng.integers(0, 2000, n), label, strict=True)]
    sums = [f"s{i} of {kind}" for i, kind in zip(rng.integers(0, 2000, n), label, strict=True)]
    table = videos([f"{i:03d}.mp4" for i in range(n)], label=label, sha256=sums)
    table["identities"] = [
        f"{person}{other}" if rng.random() < 0.8 else "" for person, other in zip(people, second, strict=True)
    ]
    table["source"] = [f"{i:03d}.mp4" if rng.random() < 0.2 else "" for i in rng.integers(0, n, n)]
    return table


def sides(table: pd.DataFrame, splits: pd.DataFrame, column: str) -> int:
    """On how many sides the most divided one of what the column names is."""
    shared = table.merge(splits[["video_id", "split"]], on="video_id", suffixes=("_said", ""))
    shared[column] = shared[column].str.split("+")
    shared = shared.explode(column)
    return int(shared[shared[column] != ""].groupby(column)["split"].nunique().max())


@pytest.mark.parametrize("p", [HASH, QUOTA], ids=["hash", "quota"])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_shared_is_on_two_sides(p, seed):
    table = tangle(np.random.default_rng(seed))
    dealt = split(table, kept(table), p.model_copy(update={"seed": seed}))
    assert sorted(dealt["video_id"]) == sorted(table["video_id"])
    assert [sides(table, dealt, column) for column in ("identities", "source", "sha256")] == [1, 1, 1]
    place = dealt.set_index("video_id")["split"]
    fakes = table[table["source"] != ""]
    assert place[fakes["video_id"]].tolist() == place[fakes["source"]].tolist()  # beside what they are made of


@pytest.mark.parametrize(
    ("columns", "together"),
    [
        ({}, "a b c"),
        ({"identities": ["1", "2", "1+2"]}, "abc"),  # a fake has two people
        ({"identities": ["1", "2", "1+3"]}, "ac b"),
        ({"identities": ["1", "2", "3"], "source": ["", "", "a"]}, "ac b"),  # a fake and the real it is made of
        ({"identities": ["1", "1", "1"], "dataset": ["x", "x", "y"]}, "ab c"),  # other people by the same name
        ({"source": ["clip", "clip", ""]}, "ab c"),
        ({"source": ["tape", "a", "b"]}, "abc"),  # a fake of a fake, and a real that says where it is from
        ({"identities": ["id0", "id1", "id0 + id1"]}, "abc"),  # however a table joins them
        ({"identities": ["id0", "id1", "id1;id2"]}, "a bc"),
        ({"sha256": ["s", "t", "s"]}, "ac b"),
        ({"pictures_sha256": ["s", "t", "s"]}, "ac b"),  # in another container
        ({"pictures_sha256": ["", "", ""]}, "a b c"),
        ({"pictures_sha256": ["s", "t", "s"], "kept": [4, 4, 0]}, "a b c"),
        ({"fingerprint": [LOOK, OTHER, NEAR]}, "ac b"),  # encoded anew
        ({"fingerprint": [LOOK, OTHER, NEAR], "kept": [0, 4, 4]}, "a b c"),
        ({"fingerprint": ["", "", ""]}, "a b c"),  # black
        ({"sha256": ["", "", ""], "kept": [0, 0, 0]}, "a b c"),  # files that are missing are not equal
        ({"identities": ["1+2", "2+3", "3+4"]}, "abc"),  # a chain
    ],
)
def test_videos_that_share_something_are_one_group(columns, together):
    named = pd.Series(list("abc")).groupby(groups(videos(list("abc"), **columns)).to_numpy()).agg("".join)
    assert sorted(named) == together.split()


def test_a_name_in_two_methods_is_two_videos_of_one_group():
    names = ["Deepfakes/000_003.mp4", "Face2Face/000_003.mp4"]
    table = videos(names, label=1, identities="000+003", method=["Deepfakes", "Face2Face"])
    assert groups(table).nunique() == 1
    everything = pd.concat([pairs(40), table], ignore_index=True)
    dealt = split(everything, kept(everything), HASH)
    assert dealt["video_id"].isin(names).sum() == 2


@pytest.mark.parametrize("p", [HASH, QUOTA], ids=["hash", "quota"])
def test_the_order_of_the_table_does_not_matter(p):
    table = pairs(40)
    shuffled = table.sample(frac=1, random_state=0, ignore_index=True)
    pd.testing.assert_frame_equal(split(table, kept(table), p), split(shuffled, kept(shuffled), p))


def test_new_people_move_no_video():
    old, new = pairs(40), pairs(60, method="other")
    both = pd.concat([new, old], ignore_index=True)
    before = split(old, kept(old), HASH)
    after = split(both, kept(both), HASH)
    pd.testing.assert_frame_equal(before, after[after["video_id"].isin(before["video_id"])].reset_index(drop=True))


def test_more_videos_of_known_people_move_no_video():
    old = pairs(40)
    more = videos(["swap3a_again.mp4", "a_swap.mp4"], identities=["swap3a", "swap7a+swap7b"], label=[0, 1])
    both = pd.concat([old, more], ignore_index=True)
    place = split(both, kept(both), HASH).set_index("video_id")["split"]
    before = split(old, kept(old), HASH).set_index("video_id")["split"]
    assert place[before.index].equals(before)
    assert place["swap3a_again.mp4"] == place["swap3a.mp4"]


def test_hashed_shares_hold_on_average():
    table = videos([f"{i}.mp4" for i in range(4000)], label=[0, 1] * 2000)
    shares = split(table, kept(table), HASH)["split"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"train": 0.7, "val": 0.15, "test": 0.15}, abs=0.02)


@pytest.mark.parametrize("p", [HASH, QUOTA], ids=["hash", "quota"])
def test_another_seed_is_another_split(p):
    table = pairs(40)
    first, second = (split(table, kept(table), p.model_copy(update={"seed": seed})) for seed in (0, 1))
    assert not first["split"].equals(second["split"])


def test_quotas_are_exact_in_every_stratum():
    strata = {("deepfakes", 1): 20, ("face2face", 1): 100, ("", 0): 40}
    tables = [videos([f"{m}{i}.mp4" for i in range(n)], method=m, label=label) for (m, label), n in strata.items()]
    table = pd.concat(tables, ignore_index=True)
    dealt = split(table, kept(table), QUOTA)
    counts = dealt.groupby(["method", "split"]).size().unstack()[["train", "val", "test"]]
    assert counts.loc["deepfakes"].tolist() == [14, 3, 3]
    assert counts.loc["face2face"].tolist() == [70, 15, 15]
    assert counts.loc[""].tolist() == [28, 6, 6]


def test_quotas_count_groups():
    table = pairs(20)
    dealt = split(table, kept(table), QUOTA)
    assert dealt.groupby("split").size().to_dict() == {"train": 56, "val": 12, "test": 12}
    assert dealt.groupby("split")["group"].nunique().to_dict() == {"train": 14, "val": 3, "test": 3}


def made(people: int, methods: int, most: int, seed: int = 0) -> pd.DataFrame:
    """A real of each person, and up to so many fakes of it by methods drawn: nearly each has a stratum of its own."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(people):
        rows.append((f"{i}.mp4", f"p{i}", "", "", 0))
        drawn = rng.choice(methods, rng.integers(1, most + 1), replace=False)
        rows += [(f"{i}_{m}.mp4", f"p{i}", f"{i}.mp4", f"m{m}", 1) for m in drawn]
    names, identities, source, method, label = map(list, zip(*rows, strict=True))
    return videos(names, identities=identities, source=source, method=method, label=label)


@pytest.mark.parametrize("seed", range(3))
def test_shares_hold_though_every_person_is_forged_by_other_methods(seed):
    table = made(people=200, methods=12, most=6)
    p = QUOTA.model_copy(update={"seed": seed})
    dealt = split(table, kept(table), p).drop_duplicates("group")
    assert dealt["split"].value_counts().to_dict() == {"train": 140, "val": 30, "test": 30}
    other = split(table, kept(table), p.model_copy(update={"seed": seed + 1})).drop_duplicates("group")
    assert not dealt["split"].equals(other["split"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("people", [3, 4])
@pytest.mark.parametrize("together", [True, False])
def test_each_split_has_both_classes_where_there_are_three_people_of_each(people, seed, together):
    names = [f"{label}{i}" for label in (0, 1) for i in range(people)]
    identities = [name[1:] if together else name for name in names]
    table = videos(names, label=[int(name[0]) for name in names], identities=identities)
    dealt = split(table, kept(table), QUOTA.model_copy(update={"seed": seed}))
    assert dealt.groupby(["split", "label"]).size().min() == 1


def test_of_a_few_groups_another_seed_puts_others_into_the_test():
    table = videos(list("abcd"))
    tested = {
        "".join(table["video_id"][(placed(table, QUOTA.model_copy(update={"seed": seed})) == "test").to_numpy()])
        for seed in range(40)
    }
    assert tested == set("abcd")


def official(**columns) -> pd.DataFrame:
    """A real and a fake in each split, as a dataset says."""
    names = [f"{i}.mp4" for i in range(6)]
    return videos(names, label=[0, 1] * 3, split=["train", "train", "val", "val", "test", "test"], **columns)


def test_an_official_split_is_taken_as_it_is():
    table = official()
    assert split(table, kept(table), OFFICIAL)["split"].tolist() == table["split"].tolist()


@pytest.mark.parametrize(
    ("columns", "leak"),
    [
        ({"identities": ["1", "1+2", "3", "3+4", "5", "5+2"]}, "identity::2 in test and train"),
        ({"source": ["", "", "", "", "", "0.mp4"]}, "source::0.mp4 in test and train"),
        ({"sha256": ["a", "b", "c", "d", "c", "e"]}, "twin:c in test and val"),
        ({"pictures_sha256": ["a", "b", "c", "d", "c", "e"]}, "twin:c in test and val"),
        ({"pictures_sha256": ["", "", "c", "", "c", "e"]}, "twin:c in test and val"),
        ({"fingerprint": [LOOK, "", "", "", NEAR, ""]}, "copies: 0.mp4 in train and 4.mp4 in test"),
    ],
)
def test_a_leak_in_an_official_split_is_named(columns, leak):
    table = official(**columns)
    assert leaks(table) == [leak]
    with pytest.raises(UserError, match=leak):
        split(table, kept(table), OFFICIAL)


@pytest.mark.parametrize("identities", ["id0+id1", "id0 + id1", " id0;id1", "id1,  id0 ", "id1 +\tid0"])
def test_a_leak_is_found_though_the_groups_overlook_it(monkeypatch, identities):
    """The check of the split has its own reading of who is on a video."""
    table = official(identities=["id0", identities, "x", "y", "id1", "z"])
    assert leaks(table) == ["identity::id1 in test and train"]
    monkeypatch.setattr(relations, "ties", lambda videos, by: [[name] for name in videos["video_id"]])
    dealt = official(identities=["id0", "a", "x", "y", "id0 ", "z"])
    with pytest.raises(UserError, match=r"identity::id0 in "):
        split(dealt, kept(dealt), OFFICIAL)


@pytest.mark.parametrize("word", ["", "dev", "Train"])
def test_a_video_that_the_official_split_leaves_out_is_named(word):
    table = pd.concat([official(), videos(["stray.mp4"], split=word)], ignore_index=True)
    with pytest.raises(UserError, match=rf"1 videos are in no split: stray\.mp4 \.\.\.; theirs is '{word}'"):
        split(table, kept(table), OFFICIAL)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([0, 1, 0, 0, 0, 1], "no fake in val: "), ([1, 1, 0, 1, 1, 1], "no real in train, no real in test: ")],
)
def test_a_split_without_a_class_is_a_mistake(labels, reason):
    table = official().assign(label=labels)
    with pytest.raises(UserError, match=reason):
        split(table, kept(table), OFFICIAL)


@pytest.mark.parametrize(
    ("mode", "columns", "hint"),
    [
        ("official", {"label": [0, 1, 0, 0, 0, 0]}, "of the groups only 1 hold a fake: each split needs one"),
        ("official", {"label": [0, 1, 0, 1, 1, 1]}, "of the groups only 2 hold a real"),
        ("hash", {"identities": "a"}, "only 1 hold a real, only 1 hold a fake, one (identity::a) has 40 of 40 videos"),
        ("quota", {"identities": ["a", "b"] * 20}, "of the groups only 1 hold a real, only 1 hold a fake: each"),
        (
            "official",
            {"split": ["train"] * 36 + ["val"] * 2 + ["test", "val"]},
            "the dataset's own split leaves it out",
        ),
        ("hash", {"identities": ["a"] * 34 + list("bcdefg")}, "chance deals the groups: try split.mode: quota"),
        ("quota", {"identities": ["a"] * 36 + list("bcde")}, "each dataset, method and class is dealt by itself"),
    ],
)
def test_the_hint_for_a_split_without_a_class_fits_its_mode(mode, columns, hint):
    n = 6 if "label" in columns else 40
    names, label = [f"{i}.mp4" for i in range(n)], [0, 1] * (n // 2)
    table = videos(names, **{"label": label, "split": (["train", "val", "test"] * n)[:n]} | columns)
    with pytest.raises(UserError, match=r"no (real|fake) in ") as error:
        split(table, kept(table), HASH.model_copy(update={"mode": mode}))
    assert hint in error.value.hint


def test_reals_alone_are_dealt_too():
    table = official().assign(label=0)
    assert set(split(table, kept(table), OFFICIAL)["split"]) == {"train", "val", "test"}


def test_a_class_that_gave_no_faces_is_not_there():
    table = official()
    with pytest.raises(UserError, match="no fake in test: 5 usable videos in 6 groups"):
        split(table, kept(table[table["video_id"] != "5.mp4"]), OFFICIAL)


def test_the_status_is_that_after_all_steps():
    table = videos(list("abcdef"), status=["ok", "truncated", "ok", "ok", "decode_error", "missing"])
    faces = pd.DataFrame({"video_id": list("aabbcc"), "reason": ["", "small", "blurred", "", "small", "blurred"]})
    expected = ["ok", "truncated", "too_few_faces", "no_face", "decode_error", "missing"]
    assert status(table, faces).tolist() == expected


def test_videos_without_faces_are_dealt_too():
    table = pairs(40)
    table.loc[0, "status"] = "decode_error"
    dealt = split(table, kept(table.drop(index=1)), HASH).set_index("video_id")
    assert len(dealt) == len(table)
    assert dealt["status"][table["video_id"][:3]].tolist() == ["decode_error", "no_face", "ok"]


@pytest.mark.parametrize("shares", [(0.7, 0.2, 0.2), (0.5, 0.2, 0.2)])
def test_shares_that_do_not_add_up_are_refused(shares):
    train, val, test = shares
    with pytest.raises(ValueError, match="must add up to 1"):
        SplitParams(mode="hash", train=train, val=val, test=test, seed=0)


def test_the_summary_counts_videos_by_split():
    broken = videos(["broken.mp4"], status="decode_error", identities="swap0a")
    table = pd.concat([pairs(20), broken], ignore_index=True)
    dealt = split(table, kept(table.iloc[:-1]), QUOTA)
    parts = summary(dealt)
    home = dealt.set_index("video_id")["split"]["broken.mp4"]
    assert sum(part["share"] for part in parts.values()) == pytest.approx(1)
    assert {name: part["unusable"] for name, part in parts.items()} == {n: int(n == home) for n in parts}
    train = parts["train"]
    assert (train["groups"], train["real"], train["fake"], train["methods"]) == (14, 28, 28, {"swap": 28})


@pytest.mark.parametrize("of", ["sha256", "pictures_sha256"])
def test_equal_pictures_under_both_labels_are_a_mistake(of):
    table = pairs(20)
    table[of] = [f"{of} {i}" for i in range(len(table))]
    fakes, reals = table.index[table["label"] == 1], table.index[table["label"] == 0]
    table.loc[[fakes[0], reals[5], reals[7]], of] = "same"
    table.loc[[fakes[3], fakes[4]], of] = "fakes alone"
    names = table["video_id"]
    with pytest.raises(UserError, match="called real and fake") as error:
        split(table, kept(table), QUOTA)
    assert error.value.args[0].splitlines()[1:] == [
        f"{names[fakes[0]]} (fake) and {names[reals[5]]} (real) and {names[reals[7]]} (real)"
    ]
    without_faces = kept(table.drop(index=fakes[0]))  # a black picture is no contradiction
    assert len(split(table, without_faces, QUOTA)) == len(table)


def test_a_copy_stays_with_its_original_and_a_swap_ties_nobody_else():
    """A fake looks as its real does, whose group it is of anyway; the groups of others are left alone."""
    table = pairs(20).assign(fingerprint="")
    table.loc[table["video_id"].isin(["swap0a.mp4", "swap0a_swap0b.mp4"]), "fingerprint"] = LOOK
    table.loc[table["video_id"] == "swap3b.mp4", "fingerprint"] = OTHER
    assert groups(table).equals(groups(table.drop(columns="fingerprint")))


def test_what_a_table_leaves_open_is_told():
    table = videos(
        ["a", "b", "c", "d", "e", "f"],
        label=[0, 0, 1, 1, 1, 1],
        identities=["id0", "", "id0+id9", "id8+id9", "", "ID0"],
        source=["", "", "a", "A", "b.mp4", ""],
    )
    assert doubts(table) == {
        "no_identity": ["b", "e"],
        "unknown_source": ["d", "e"],
        "unknown_people": ["d", "f"],
    }


def test_people_and_sources_of_another_dataset_are_others():
    table = videos(list("ab"), label=[0, 1], identities="id0", source=["", "a"], dataset=["x", "y"])
    assert doubts(table) == {"no_identity": [], "unknown_source": ["b"], "unknown_people": ["b"]}


@pytest.mark.parametrize(
    ("dataset", "name", "home"),
    [
        (faceforensics.NAME, "000", "FaceForensics++"),
        (deeperforensics.NAME, "000", "FaceForensics++"),
        (deeperforensics.NAME, "M101", "FaceForensics++"),
        (deeperforensics.NAME, "absent:002", "FaceForensics++"),
        (df40.NAME, "000", "FaceForensics++"),
        (df40.NAME, "absent:003", "FaceForensics++"),
        *((version, "id0", "Celeb-DF") for version in (celebdf.V1, celebdf.V2, celebdf.PLUS, df40.NAME)),
        (celebdf.V1, "absent:Celeb-real/id0_0000", "Celeb-DF"),
        (df40.NAME, "absent:Celeb-real/id0_0000", "Celeb-DF"),
        (df40.NAME, "youtube:00043", "Celeb-DF"),
        (df40.NAME, "heygen/real/a.mp4", "DF40"),
        ("DFD", "01", "DFD"),
        ("mine", "000", "mine"),
        ("", "id0", ""),
    ],
)
def test_people_are_those_of_the_dataset_that_filmed_them(dataset, name, home):
    assert relations.home(dataset, name) == home


@pytest.mark.parametrize(
    ("first", "second", "identities", "shared"),
    [
        ("FaceForensics++", "DeeperForensics-1.0", ["000", "000+M101"], "FaceForensics++:000"),
        ("FaceForensics++", "DF40", ["000", "003+000"], "FaceForensics++:000"),
        ("DeeperForensics-1.0", "DF40", ["000", "000"], "FaceForensics++:000"),
        ("Celeb-DF-v1", "Celeb-DF-v2", ["id0", "id0+id1"], "Celeb-DF:id0"),
        ("Celeb-DF++", "DF40", ["id0", "id1+id0"], "Celeb-DF:id0"),
        ("Celeb-DF-v2", "DF40", ["youtube:00043", "youtube:00043"], "Celeb-DF:youtube:00043"),
    ],
)
def test_who_is_in_two_datasets_of_which_one_is_made_of_the_other_is_on_one_side(first, second, identities, shared):
    table = videos(list("ab"), label=[0, 1], identities=identities, dataset=[first, second])
    assert groups(table).tolist() == [f"identity:{shared}"] * 2
    assert leaks(table.assign(split=["train", "test"])) == [f"identity:{shared} in test and train"]
    assert doubts(table)["unknown_people"] == []


def test_an_original_that_is_nowhere_is_the_same_in_all_that_is_made_of_it():
    table = videos(list("ab"), label=1, source="absent:002", dataset=["FaceForensics++", "DeeperForensics-1.0"])
    assert groups(table).nunique() == 1
    assert leaks(table.assign(split=["train", "test"])) == ["source:FaceForensics++:absent:002 in test and train"]


def test_the_stage_says_what_is_open_and_counts_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps({"split": QUOTA.model_dump(), "evaluate": EVALUATE}))
    table = pairs(20)
    table.loc[table["label"] == 1, "source"] = [f"none{i}.mp4" for i in range(40)]
    table.loc[0, "identities"] = ""
    tables.write(Path("data/videos.csv"), table)
    tables.write(Path("data/kept.parquet"), kept(table))
    run()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "warning: 1 videos say no identity; each counts as a person of its own (swap0a.mp4)",
        "warning: 40 videos are made of a source that is none of the videos; mind its spelling"
        " (swap0a_swap0b.mp4, swap0b_swap0a.mp4, swap10a_swap10b.mp4 ...)",
    ]
    report = json.loads(Path("reports/split.json").read_text())
    assert report["doubts"] == {"no_identity": 1, "unknown_source": 40, "unknown_people": 0}


# ---- a group that is too large


def web(people: int, dataset: str = "dfd") -> pd.DataFrame:
    """A real of each person, and all faces swapped with all others: one group."""
    names = [f"p{i}" for i in range(people)]
    pairs = [(a, b) for a in names for b in names if a != b]
    reals = videos([f"{dataset}/{name}.mp4" for name in names], identities=names)
    fakes = videos(
        [f"{dataset}/{a}_{b}.mp4" for a, b in pairs],
        label=1,
        method="swap",
        identities=[f"{a}+{b}" for a, b in pairs],
        source=[f"{dataset}/{a}.mp4" for a, _ in pairs],
    )
    return pd.concat([reals, fakes], ignore_index=True).assign(dataset=dataset)


@pytest.mark.parametrize("p", [HASH, QUOTA], ids=["hash", "quota"])
def test_people_of_a_group_that_is_too_large_are_dealt_and_fakes_that_cross_are_left_out(p):
    table = web(40)
    assert groups(table).nunique() == 1
    dealt = split(table, kept(table), p.model_copy(update={"cut": 0.5}))
    place = dealt.set_index("video_id")["split"]
    home = {name: place[f"dfd/{name}.mp4"] for name in (f"p{i}" for i in range(40))}
    assert set(home.values()) == {"train", "val", "test"}
    for row in dealt[dealt["label"] == 1].itertuples():
        a, b = row.identities.split("+")
        assert row.split == (home[a] if home[a] == home[b] else OUT)
    if p is QUOTA:
        assert (pd.Series(home).value_counts() == pd.Series({"train": 28, "val": 6, "test": 6})).all()
    assert dealt["group"][dealt["split"] != OUT].nunique() == 3  # a group on each side, none divided
    assert leaks(table.assign(split=table["video_id"].map(place))[(table["video_id"].map(place) != OUT)]) == []


def test_more_people_of_a_group_that_is_too_large_move_nobody():
    p = HASH.model_copy(update={"cut": 0.5})
    few, many = web(30), web(36)
    before = split(few, kept(few), p).set_index("video_id")["split"]
    after = split(many, kept(many), p).set_index("video_id")["split"]
    assert before.equals(after[before.index])


def test_a_group_that_is_not_too_large_is_dealt_whole_beside_one_that_is():
    table = pd.concat([web(20), pairs(30)], ignore_index=True)
    dealt = split(table, kept(table), QUOTA.model_copy(update={"cut": 0.5}))
    assert (dealt["split"][dealt["dataset"] == ""] != OUT).all()
    assert (dealt["split"] == OUT).any()


def test_without_cut_a_group_is_never_divided():
    table = web(12)
    with pytest.raises(UserError, match="no real in") as error:
        split(table, kept(table), QUOTA)
    assert "split.cut" in error.value.hint


def test_a_collection_that_is_everything_may_be_divided():
    table = pairs(20).assign(collection="part_0")
    with pytest.raises(UserError, match="no real in") as error:
        split(table, kept(table), QUOTA.model_copy(update={"by": "group", "cut": 0.5}))
    assert "split.by: identity" in error.value.hint
    assert "split.cut" not in error.value.hint


def test_what_is_left_out_is_counted_by_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = QUOTA.model_dump() | {"cut": 0.5}
    Path("params.yaml").write_text(json.dumps({"split": settings, "evaluate": EVALUATE}))
    tables.write(Path("data/videos.csv"), web(40))
    tables.write(Path("data/kept.parquet"), kept(web(40)))
    run()
    report = json.loads(Path("reports/split.json").read_text())
    assert report["left_out"] == 40 * 39 - 28 * 27 - 2 * 6 * 5  # the pairs within the sides stay
    assert f"warning: {report['left_out']} videos are left out" in capsys.readouterr().err


# ---- as others say


def test_a_published_split_that_leaks_may_pass_and_is_counted():
    table = official(identities=["1", "1+2", "3", "3+4", "5", "5+2"])
    dealt = split(table, kept(table), OFFICIAL.model_copy(update={"leaks": "report"}))
    assert dealt["split"].tolist() == table["split"].tolist()
    assert dealt.attrs["leaks"] == ["identity::2 in test and train"]
    with pytest.raises(UserError, match="two sides") as error:
        split(table, kept(table), OFFICIAL)
    assert "split.leaks: report" in error.value.hint


def test_a_validation_that_the_official_split_lacks_is_dealt_from_its_train():
    table = pairs(60)
    table["split"] = ["train"] * 160 + ["test"] * 80
    dealt = split(table, kept(table), OFFICIAL).set_index("video_id")["split"]
    assert (dealt[table["video_id"][160:]] == "test").all()
    assert dealt[table["video_id"][:160]].value_counts().to_dict() == {"train": 132, "val": 28}  # .7 to .15
    assert leaks(table.assign(split=dealt[table["video_id"]].to_numpy())) == []


def test_collections_are_not_divided_where_asked(tmp_path):
    table = pairs(60).assign(collection=[f"part{i // 12}" for i in range(240)])
    by = QUOTA.model_copy(update={"by": "group"})
    dealt = split(table, kept(table), by).set_index("video_id")["split"]
    assert dealt[table["video_id"]].groupby(table["collection"].to_numpy()).nunique().max() == 1
    assert groups(table).nunique() == 60
    assert groups(table, "group").nunique() == 20


def listed(tmp_path, text: str) -> SplitParams:
    (tmp_path / "mine.csv").write_text(text)
    return HASH.model_copy(update={"mode": "csv", "table": str(tmp_path / "mine.csv")})


def test_a_table_says_the_split_of_each_video(tmp_path):
    table = official(path=[f"{i}.mp4" for i in range(6)])
    lines = ["train", "Train", "validation", "val", "test", "TEST"]
    p = listed(tmp_path, "path,split\n" + "".join(f"{i}.mp4,{word}\n" for i, word in enumerate(lines)))
    assert split(table, kept(table), p)["split"].tolist() == ["train", "train", "val", "val", "test", "test"]
    more = pd.concat([table, videos(["6.mp4"], path="6.mp4")], ignore_index=True)
    with pytest.raises(UserError, match=r"1 videos are in no split: 6\.mp4"):
        split(more, kept(more), p)
    p = listed(tmp_path, (tmp_path / "mine.csv").read_text() + "6.mp4,none\n")
    assert split(more, kept(more), p)["split"].tolist()[-1] == OUT


def test_an_edited_table_makes_the_stage_stale(tmp_path):
    listed(tmp_path, "path,split\n0.mp4,train\n")
    settings = {"split": {"table": str(tmp_path / "mine.csv")}}
    before = code.made_of("split", settings)
    listed(tmp_path, "path,split\n0.mp4,validation\n")
    assert code.made_of("split", settings) != before


def test_a_table_that_leaks_or_names_what_is_not_there_is_a_mistake(tmp_path):
    table = official(identities=["1", "2", "3", "4", "1", "6"], path=[f"{i}.mp4" for i in range(6)])
    text = "path,split\n0.mp4,train\n1.mp4,train\n2.mp4,val\n3.mp4,val\n4.mp4,test\n5.mp4,test\n"
    with pytest.raises(UserError, match="identity::1 in test and train"):
        split(table, kept(table), listed(tmp_path, text))
    with pytest.raises(UserError, match=r"1 of its paths are no videos: 9\.mp4"):
        split(table, kept(table), listed(tmp_path, text + "9.mp4,test\n"))
    with pytest.raises(UserError, match=r"0\.mp4 is in two splits: lines 2, 8"):
        split(table, kept(table), listed(tmp_path, text + "0.mp4,test\n"))
    with pytest.raises(UserError, match="identity::1 in test and train"):
        split(table, kept(table), listed(tmp_path, text + "2.mp4,validation\n"))
    with pytest.raises(UserError, match="no column split"):
        split(table, kept(table), listed(tmp_path, "path,label\n0.mp4,real\n"))
    with pytest.raises(ValueError, match="mode csv needs table"):
        SplitParams(mode="csv", train=0.7, val=0.15, test=0.15, seed=0)


# ---- whatever is shared


QUICK = settings(max_examples=25, deadline=None, database=None, derandomize=True)


@st.composite
def tangles(draw) -> pd.DataFrame:
    """A table of a few videos that share people, sources and pictures in any way."""
    n = draw(st.integers(1, 12))
    few = st.integers(0, 6)
    person = st.lists(few.map("p{}".format), max_size=3).map("+".join)
    return videos(
        [f"v{i}" for i in range(n)],
        label=draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n)),
        identities=draw(st.lists(person, min_size=n, max_size=n)),
        source=draw(st.lists(st.one_of(st.just(""), few.map("v{}".format), st.just("tape")), min_size=n, max_size=n)),
        dataset=draw(st.lists(st.sampled_from(["", "x"]), min_size=n, max_size=n)),
        sha256=draw(st.lists(st.integers(0, 20).map("s{}".format), min_size=n, max_size=n)),
        fingerprint=draw(st.lists(st.sampled_from(["", "", LOOK, NEAR, OTHER]), min_size=n, max_size=n)),
    )


def placed(table: pd.DataFrame, p: SplitParams = HASH) -> "pd.Series[str]":
    """The split of each video, whether or not all have both classes."""
    return deal(table.assign(group=groups(table)), p).set_axis(table["video_id"])


@QUICK
@given(tangles(), st.sampled_from([HASH, QUOTA]))
def test_nothing_is_on_two_sides_of_any_table(table, p):
    assert leaks(table.assign(split=placed(table, p).to_numpy())) == []


@QUICK
@given(tangles(), st.sampled_from([HASH, QUOTA]), st.randoms())
def test_the_order_of_any_table_does_not_matter(table, p, random):
    order = list(table.index)
    random.shuffle(order)
    assert placed(table.loc[order].reset_index(drop=True), p).sort_index().equals(placed(table, p).sort_index())


@QUICK
@given(tangles(), st.sampled_from([HASH, QUOTA]), st.sampled_from(["identity", "group"]))
def test_nothing_is_on_two_sides_of_any_table_that_is_divided(table, p, by):
    p = p.model_copy(update={"cut": 0.01, "by": by})
    table = table.assign(collection="", sha256=[f"s{i}" for i in range(len(table))], fingerprint="")
    place = deal(table.assign(group=groups(table, by)), p)
    assert set(place) <= {"train", "val", "test", OUT}
    assert [leak for leak in leaks(table.assign(split=place)[place != OUT]) if leak.startswith("identity")] == []
    order = table.iloc[::-1].reset_index(drop=True)
    again = deal(order.assign(group=groups(order, by)), p)
    assert again.set_axis(order["video_id"]).sort_index().equals(place.set_axis(table["video_id"]).sort_index())


@QUICK
@given(st.integers(0, 200), st.floats(0.01, 0.98), st.floats(0.05, 0.95))
def test_every_run_of_groups_dealt_in_turn_has_the_shares_and_each_split_a_group(count, train, rest):
    shares = {"train": train, "val": (1 - train) * rest, "test": (1 - train) * (1 - rest)}
    sides = in_turn(count, shares)
    assert len(sides) == count
    if count >= 3:
        assert set(sides) == set(shares)
    given = sum(share * count < 1 for share in shares.values())  # splits that may have none but for what others give
    for n in range(count + 1):
        for name, share in shares.items():
            assert abs(sides[:n].count(name) - share * n) < 1 + given


@QUICK
@given(st.integers(20, 60), st.integers(1, 12), st.integers(0, 1000))
def test_rare_strata_have_the_shares_together(people, methods, seed):
    table = made(people, methods, most=min(methods, 6), seed=seed)
    dealt = split(table, kept(table), QUOTA.model_copy(update={"seed": seed})).drop_duplicates("group")
    for name, share in {"train": 0.7, "val": 0.15, "test": 0.15}.items():
        assert abs((dealt["split"] == name).sum() - share * people) < 2


@QUICK
@given(tangles(), tangles())
def test_videos_of_others_move_none(table, more):
    more = more.assign(video_id="w" + more["video_id"], dataset="other", sha256="t" + more["sha256"], fingerprint="")
    both = pd.concat([more, table], ignore_index=True)
    assert placed(both)[table["video_id"]].equals(placed(table))
