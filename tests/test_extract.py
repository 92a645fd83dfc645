"""extract: the frames that the sampling picks are kept, of every video that shows any; the others say why not."""

import json
import os
import shutil
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

from deepfake import extract, video
from deepfake.base.errors import UserError
from deepfake.base.items import Item, content
from deepfake.dataset.videos import read
from deepfake.extract import ExtractParams, Policy, keep, pick
from deepfake.player import reading
from stages.extract import run

COUNT = Policy(sampling="count", frames_per_video=4, fps=1, stride=1, max_side=None, crf=0)


def policy(**columns) -> Policy:
    """Four frames a video, but for the settings given."""
    return COUNT.model_copy(update=columns)


def clock(count: int, fps: float = 25) -> list[float]:
    return [i / fps for i in range(count)]


@pytest.mark.parametrize(
    ("count", "wanted", "picked"),
    [
        (9, 4, [0, 3, 5, 8]),
        (100, 2, [0, 99]),  # first to last
        (9, 1, [0]),
        (3, 4, [0, 1, 2]),
        (1, 4, [0]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_a_count_is_spread_over_the_whole_video(count, wanted, picked):
    assert pick(clock(count), policy(frames_per_video=wanted)) == picked


@pytest.mark.parametrize(("count", "stride", "picked"), [(9, 3, [0, 3, 6]), (10, 3, [0, 3, 6, 9]), (2, 5, [0])])
def test_a_stride_takes_every_so_many_frames(count, stride, picked):
    assert pick(clock(count), policy(sampling="stride", stride=stride)) == picked


@pytest.mark.parametrize(
    ("times", "fps", "picked"),
    [
        (clock(25), 5, [0, 5, 10, 15, 20]),
        (clock(30, 30), 10, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]),
        (clock(4), 25, [0, 1, 2, 3]),
        (clock(4), 100, [0, 1, 2, 3]),  # more than there are
        (clock(100), 0.5, [0, 50]),
        ([0.0, 0.1, 2.5, 2.6, 3.05], 1, [0, 2, 4]),  # the first at or after each tick
        ([7.0, 7.9, 8.0, 8.1], 1, [0, 2]),  # ticks count from the first frame
        ([3.0], 1, [0]),
    ],
)
def test_frames_a_second_are_the_first_at_or_after_each_tick(times, fps, picked):
    assert pick(times, policy(sampling="fps", fps=fps)) == picked


@pytest.mark.parametrize(
    ("seconds", "settings", "picked"),
    [
        (0.2, {}, [0, 1, 3, 4]),  # 5 frames at 25 a second
        (0.2, {"sampling": "stride", "stride": 2}, [0, 2, 4]),
        (1.0, {"sampling": "fps", "fps": 5}, [0, 5, 10, 15, 20]),
        (0.01, {}, [0]),
        (60.0, {}, [0, 33, 66, 99]),
        (None, {}, [0, 33, 66, 99]),
    ],
)
def test_the_first_seconds_alone_are_looked_at(seconds, settings, picked):
    times = [7 + time for time in clock(100)]
    assert pick(times, policy(seconds=seconds, **settings)) == picked


def test_what_comes_after_the_first_seconds_is_not_decoded_nor_missed(odd, tmp_path, monkeypatch):
    decoded = []

    class Counted(reading.Decoding):
        def __iter__(self):
            for time, picture in super().__iter__():
                decoded.append(time)
                yield time, picture

    monkeypatch.setattr(reading, "Decoding", Counted)
    row = keep(odd("plain"), tmp_path / "frames.mkv", policy(seconds=0.2))
    assert (row["status"], row["frames"], row["kept"]) == ("ok", 5, 4)
    assert len(decoded) == 6  # the one after, to know that they are over
    stored = [frame.time for frame in video.read(tmp_path / "frames.mkv")]
    assert stored == pytest.approx([0, 0.04, 0.12, 0.16], abs=1e-3)


def listed(reals: int, fakes: int) -> pd.DataFrame:
    """A table of videos by name."""
    names = [f"real/{i:03d}" for i in range(reals)] + [f"fake/{i:03d}" for i in range(fakes)]
    return pd.DataFrame({"video_id": sorted(names), "label": [int(name < "g") for name in sorted(names)], "source": ""})


@pytest.mark.parametrize(
    ("settings", "reals", "fakes"),
    [
        ({}, 20, 80),
        ({"balance": True}, 20, 20),
        ({"videos": 50}, 10, 40),  # as they are mixed
        ({"videos": 31}, 6, 25),
        ({"videos": 1000}, 20, 80),
        ({"balance": True, "videos": 10}, 5, 5),
        ({"balance": True, "videos": 1000}, 20, 20),
    ],
)
def test_as_many_videos_are_taken_as_are_asked_for_and_as_many_reals_as_fakes(settings, reals, fakes):
    p = ExtractParams(root="in", layout="manifest", **COUNT.model_dump(), **settings)
    videos = listed(20, 80)
    taken = extract.selected(videos, p)
    assert taken["label"].value_counts().to_dict() == {0: reals, 1: fakes}
    assert taken["video_id"].is_monotonic_increasing
    assert extract.selected(videos[::-1], p)["video_id"].tolist() == taken["video_id"].tolist()[::-1]


def several(*, methods: list[str] | None = None, compressions: list[str] | None = None) -> list[str]:
    """The ids that are taken of two datasets: swaps and puppets at two compressions, and films of the web."""
    rows = [
        ("000 c23", 0, "ff", "", "c23"), ("000 c40", 0, "ff", "", "c40"),
        ("swap c23", 1, "ff", "swap", "c23"), ("swap c40", 1, "ff", "swap", "c40"),
        ("puppet c23", 1, "ff", "puppet", "c23"),
        ("web real", 0, "web", "", ""), ("web fake", 1, "web", "", ""),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["video_id", "label", "dataset", "method", "compression"]).assign(source="")
    p = ExtractParams(root="in", layout="manifest", methods=methods, compressions=compressions, **COUNT.model_dump())
    return extract.selected(table, p)["video_id"].tolist()


@pytest.mark.parametrize(("reals", "fakes", "number"), [(10, 1000, 50), (1, 1000, 2), (1000, 1, 3), (2, 2, 2)])
def test_of_each_class_that_is_there_one_is_taken_at_least(reals, fakes, number):
    p = ExtractParams(root="in", layout="manifest", videos=number, **COUNT.model_dump())
    taken = extract.selected(listed(reals, fakes), p)["label"]
    assert len(taken) == number
    assert set(taken) == {0, 1}
    assert len(extract.selected(listed(reals, 0), p.model_copy(update={"videos": 2}))) == min(2, reals)


def test_the_first_videos_are_those_of_the_first_names_and_a_seed_takes_others():
    p = ExtractParams(root="in", layout="manifest", videos=10, **COUNT.model_dump())
    videos = listed(20, 80)
    first = extract.selected(videos, p.model_copy(update={"choose": "first", "seed": 5}))
    assert first["video_id"].tolist() == [f"fake/{i:03d}" for i in range(8)] + ["real/000", "real/001"]
    again = extract.selected(videos[::-1], p.model_copy(update={"choose": "first"}))
    assert sorted(again["video_id"]) == first["video_id"].tolist()
    drawn = [tuple(extract.selected(videos, p.model_copy(update={"seed": seed}))["video_id"]) for seed in range(4)]
    assert len(set(drawn)) == 4
    names = sorted(videos["video_id"], key=lambda name: crc32(name.encode()))  # as it was before there were seeds
    fakes, reals = ([name for name in names if name.startswith(kind)] for kind in ("fake", "real"))
    assert sorted(drawn[0]) == sorted(fakes[:8] + reals[:2])


def test_an_original_that_is_not_taken_has_one_name_in_all_its_fakes():
    videos = listed(9, 9).assign(source=["real/000", "real/001", "real/001", "absent:x", "misspelt"] + [""] * 13)
    p = ExtractParams(root="in", layout="manifest", videos=10, **COUNT.model_dump())
    taken = extract.selected(videos, p)
    before = videos.set_index("video_id")["source"][taken["video_id"]]
    gone = {"real/000", "real/001"} - set(taken["video_id"])
    assert gone
    expected = [f"absent:{source}" if source in gone else source for source in before]
    assert taken["source"].tolist() == expected


def test_methods_and_compressions_choose_and_a_dataset_without_its_fakes_goes():
    assert several(methods=["swap"]) == ["000 c23", "000 c40", "swap c23", "swap c40"]
    assert several(methods=["swap"], compressions=["c40"]) == ["000 c40", "swap c40"]
    assert several(compressions=["c23"]) == ["000 c23", "swap c23", "puppet c23", "web real", "web fake"]
    assert len(several()) == 7


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"methods": ["swaps"]}, "extract.methods: no method 'swaps'; there are: puppet, swap"),
        ({"compressions": ["C23"]}, "extract.compressions: no compression 'C23'; there are: c23, c40"),
    ],
)
def test_a_choice_that_no_video_has_is_told_with_those_there_are(choice, reason):
    with pytest.raises(UserError, match=reason):
        several(**choice)


def test_reals_alone_are_all_taken_where_there_is_nothing_to_balance_them_with():
    p = ExtractParams(root="in", layout="manifest", **COUNT.model_dump(), balance=True)
    assert len(extract.selected(listed(5, 0), p)) == 5


@pytest.mark.parametrize("seed", range(5))
def test_a_jitter_of_a_millisecond_picks_no_other_frame(seed):
    jitter = np.random.default_rng(seed).uniform(0, 0.9e-3, 250)
    times = (np.array(clock(250)) - np.where(np.arange(250), jitter, 0)).tolist()
    assert pick(times, policy(sampling="fps", fps=5)) == list(range(0, 250, 5))


@pytest.mark.parametrize("sampling", ["count", "fps", "stride"])
def test_picks_are_sorted_unique_and_in_range_for_any_clock(sampling):
    rng = np.random.default_rng(0)
    for _ in range(200):
        times = np.cumsum(rng.exponential(0.04, rng.integers(1, 80))).tolist()
        p = policy(
            sampling=sampling,
            frames_per_video=int(rng.integers(1, 90)),
            fps=float(rng.uniform(0.1, 60)),
            stride=int(rng.integers(1, 90)),
        )
        picked = pick(times, p)
        assert picked[0] == 0
        assert picked[-1] < len(times)
        assert all(a < b for a, b in pairwise(picked))
        assert all(type(i) is int for i in picked)


@pytest.mark.parametrize(
    ("kind", "status", "frames", "kept"),
    [
        ("plain", "ok", 12, 4),
        ("variable rate", "ok", 12, 4),
        ("10 bit", "ok", 12, 4),
        ("odd sides", "ok", 12, 4),
        ("grey", "ok", 12, 4),
        ("one frame", "ok", 1, 1),
        ("tiny", "ok", 12, 4),
        ("black", "ok", 12, 4),
        ("sideways", "ok", 12, 4),
        ("leaves", "ok", 12, 4),
        ("cover", "ok", 12, 4),
        ("holes", "truncated", 7, 4),
        ("no index", "decode_error", 0, 0),
        ("empty", "decode_error", 0, 0),
        ("text", "decode_error", 0, 0),
        ("random", "decode_error", 0, 0),
        ("sound", "no_video", 0, 0),
    ],
)
def test_every_kind_of_video_becomes_a_row_with_its_status(odd, tmp_path, kind, status, frames, kept):
    row = keep(odd(kind), tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["frames"], row["kept"]) == (status, frames, kept)
    assert bool(row["reason"]) == (status != "ok")
    stored = list(video.read(tmp_path / "frames.mkv")) if kept else []
    assert len(stored) == kept
    assert (tmp_path / "frames.mkv").exists() == bool(kept)


@pytest.mark.parametrize("kind", ["plain", "variable rate", "10 bit", "odd sides", "grey", "sideways"])
def test_kept_frames_are_those_of_the_video(odd, tmp_path, kind):
    keep(odd(kind), tmp_path / "frames.mkv", COUNT)
    given, stored = list(video.read(odd(kind))), list(video.read(tmp_path / "frames.mkv"))
    for i, frame in zip([0, 4, 7, 11], stored, strict=True):
        np.testing.assert_array_equal(frame.rgb(), given[i].rgb())
        assert frame.time == pytest.approx(given[i].time, abs=1e-3)


def test_what_is_left_of_a_truncated_video_is_kept(odd, tmp_path):
    row = keep(odd("truncated"), tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["kept"], row["header_frames"]) == ("truncated", 4, 12)
    assert 5 <= row["frames"] <= 7
    assert row["reason"].startswith(f"{row['frames']} frames decode, then: 1 packets do not decode: ")
    stored = [frame.time for frame in video.read(tmp_path / "frames.mkv")]
    assert stored[-1] == pytest.approx((row["frames"] - 1) / 25, abs=1e-3)  # the last that decodes


def test_frames_are_picked_anew_where_packets_do_not_decode(odd, tmp_path):
    row = keep(odd("holes"), tmp_path / "frames.mkv", COUNT)
    assert row["reason"].startswith("7 frames decode, then: 5 packets do not decode: ")
    decodable = [0, 1, 4, 5, 6, 10, 11]
    stored = [frame.time for frame in video.read(tmp_path / "frames.mkv")]
    assert stored == pytest.approx([decodable[i] / 25 for i in (0, 2, 4, 6)], abs=1e-3)


@pytest.mark.parametrize("times", [(), clock(3), clock(11), clock(400), [0.01 * i**2 for i in range(12)]])
@pytest.mark.parametrize("sampling", ["count", "fps"])
def test_headers_that_lie_are_found_out(odd, tmp_path, monkeypatch, times, sampling):
    p = policy(sampling=sampling, fps=10)
    right = keep(odd("plain"), tmp_path / "right.mkv", p)
    monkeypatch.setattr(video, "packet_times", lambda path: tuple(times))
    assert keep(odd("plain"), tmp_path / "a.mkv", p) == right
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "right.mkv").read_bytes()


@pytest.mark.parametrize("kind", ["plain", "variable rate", "sideways", "odd sides", "cover", "one frame"])
def test_a_video_with_right_headers_is_decoded_once(odd, tmp_path, monkeypatch, kind):
    count = 0

    class Counted(video.Reading):
        def __init__(self, *arguments, **settings):
            nonlocal count
            count += 1
            super().__init__(*arguments, **settings)

    monkeypatch.setattr(video, "Reading", Counted)
    assert keep(odd(kind), tmp_path / "a.mkv", COUNT)["status"] == "ok"
    assert count == 1


def test_the_clock_of_what_is_kept_begins_at_0(odd, remuxed, tmp_path):
    late = remuxed(odd("plain"), tmp_path / "late.ts")
    assert next(video.read(late)).time > 0  # as streams do
    keep(late, tmp_path / "a.mkv", COUNT)
    assert [frame.time for frame in video.read(tmp_path / "a.mkv")] == pytest.approx([0, 0.16, 0.28, 0.44], abs=1e-3)


def test_a_row_says_what_is_known_of_the_video(turned, film, heads, tmp_path):
    path = turned(film(tmp_path / "wide.mp4", heads[0][:, 64:192]), tmp_path / "turned.mp4", 90)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert {name: row[name] for name in ("codec", "pix_fmt", "width", "height", "rotation", "header_frames")} == {
        "codec": "h264", "pix_fmt": "yuv420p", "width": 128, "height": 256, "rotation": 90, "header_frames": 12,
    }  # fmt: skip
    assert (row["fps"], row["duration"]) == (25, pytest.approx(0.48))


def test_frames_are_scaled_down_and_stored_with_loss_where_said(odd, tmp_path):
    keep(odd("plain"), tmp_path / "full.mkv", COUNT)
    keep(odd("plain"), tmp_path / "small.mkv", policy(max_side=100, crf=30))
    assert video.images(tmp_path / "small.mkv").shape == (4, 100, 100, 3)
    assert (tmp_path / "small.mkv").stat().st_size < (tmp_path / "full.mkv").stat().st_size / 10


@pytest.mark.parametrize("kind", ["plain", "variable rate", "10 bit", "odd sides", "grey", "truncated", "full range"])
def test_frames_are_the_same_packed_or_not(odd, film, heads, tmp_path, kind):
    path = film(tmp_path / "a.mp4", heads[0], form="yuvj420p") if kind == "full range" else odd(kind)
    rows = [keep(path, tmp_path / f"{room}.mkv", COUNT, room) for room in (0, 2**16, 2**28)]
    assert rows[0] == rows[1] == rows[2]
    packed, raw = (list(video.read(tmp_path / f"{room}.mkv")) for room in (0, 2**28))
    assert [f.time for f in packed] == [f.time for f in raw]
    for before, after in zip(packed, raw, strict=True):
        np.testing.assert_array_equal(before.rgb(), after.rgb())
        np.testing.assert_array_equal(before.grey(32), after.grey(32))
        assert before.picture.color_range == after.picture.color_range
    little, none, much = (video.probe(tmp_path / f"{room}.mkv").codec for room in (2**16, 0, 2**28))
    assert little == none != "rawvideo"
    assert (much == "rawvideo") == (packed[0].picture.format.name == "yuv420p")


def test_a_rerun_is_equal_to_the_byte(odd, tmp_path):
    for name in "ab":
        keep(odd("plain"), tmp_path / f"{name}.mkv", COUNT)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_equal_pictures_have_one_hash_whatever_holds_them(odd, remuxed, tmp_path):
    copy = remuxed(odd("plain"), tmp_path / "copy.mkv")
    hashes = [keep(path, tmp_path / "a.mkv", COUNT)["pictures_sha256"] for path in (odd("plain"), copy, odd("10 bit"))]
    assert copy.read_bytes() != odd("plain").read_bytes()
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("change", [{"max_side": 100}, {"crf": 30}])
def test_the_hash_of_the_pictures_is_of_what_was_decoded_not_of_how_it_is_stored(odd, tmp_path, change):
    hashes = {keep(odd("plain"), tmp_path / "a.mkv", p)["pictures_sha256"] for p in (COUNT, policy(**change))}
    assert len(hashes) == 1


def test_the_work_on_a_video_names_its_bytes(odd, tmp_path):
    row = extract.work(Item("a", (odd("plain"),)), tmp_path, COUNT)
    assert row["sha256"] == content(odd("plain"))
    assert (tmp_path / extract.FRAMES).is_file()
    gone = extract.work(Item("b", (tmp_path / "b.mp4",)), tmp_path, COUNT)
    assert (gone["status"], gone["reason"], gone["kept"], gone["sha256"]) == ("missing", "no such file", 0, "")


# ---- the stage


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of a pipeline, in which the stage runs."""
    monkeypatch.chdir(tmp_path)
    settings = {"extract": {"root": "in", "layout": "manifest"} | COUNT.model_dump()}
    (tmp_path / "params.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return tmp_path


def put(folder, odd, *kinds):
    """Videos of these kinds, and a manifest of them; the kind "gone" is listed only."""
    (folder / "in").mkdir(exist_ok=True)
    for kind in kinds:
        if kind != "gone":
            (folder / "in" / f"{kind}.mp4").write_bytes(odd(kind).read_bytes())
    rows = [f"{kind}.mp4,{('real', 'fake')[i % 2]}" for i, kind in enumerate(kinds)]
    (folder / "in" / "manifest.csv").write_text("\n".join(["path,label", *rows]))


def test_a_broken_or_missing_video_is_a_row_with_its_reason(folder, odd, capsys):
    put(folder, odd, "plain", "text", "gone", "holes", "sound")
    run()
    table = read(folder / "data/videos.csv").set_index("video_id")
    assert table["status"].to_dict() == {
        "plain.mp4": "ok",
        "text.mp4": "decode_error",
        "gone.mp4": "missing",
        "holes.mp4": "truncated",
        "sound.mp4": "no_video",
    }
    assert table["label"].tolist() == [0, 1, 0, 1, 0]
    assert table["kept"].tolist() == [4, 0, 0, 4, 0]
    assert table["codec"].tolist() == ["h264", "", "", "mjpeg", ""]
    assert sorted(path.name for path in (folder / "data/frames").iterdir()) == ["holes.mp4.mkv", "plain.mp4.mkv"]
    assert capsys.readouterr().out == "extract: 5 videos, 5 made anew, 3 broken -> data/frames\n"
    run()
    assert capsys.readouterr().out == "extract: 5 videos, 0 made anew, 3 broken -> data/frames\n"


def test_videos_that_are_not_taken_are_not_decoded(folder, odd, capsys):
    settings = {"extract": {"root": "in", "layout": "manifest", "balance": True} | COUNT.model_dump()}
    (folder / "params.yaml").write_text(json.dumps(settings))
    put(folder, odd, "plain", "cover", "tiny")  # two reals, a fake
    run()
    assert sorted(read(folder / "data/videos.csv")["label"]) == [0, 1]
    assert capsys.readouterr().out.startswith("extract: 2 videos, 2 made anew")


def test_odd_names_and_odd_files_are_rows_and_end_no_run(folder, odd, capsys):
    """What people's folders hold: each is a row that says what became of it, and the table reads back as written."""
    real = folder / "in" / "real"
    names = {
        "long": "x" * 251 + ".mp4",
        "bytes": os.fsdecode(b"caf\xe9.mp4"),
        "lines": "two\nlines.mp4",
        "return": "re\rturn.mp4",
        "quotes": "#1, \"a\" 'b'.mp4",
        "dash": "-con.mp4",
        "composed": "\u00e9.mp4",
        "decomposed": "e\u0301.mp4",
        "numbers": "007.mp4",
    }
    for name in names.values():
        real.mkdir(parents=True, exist_ok=True)
        shutil.copy(odd("one frame"), real / name)
    (real / "a.mp4").mkdir()
    os.mkfifo(real / "pipe.mp4")
    (real / "gone.mp4").symlink_to("nothing")
    (real / "loop.mp4").symlink_to("loop.mp4")
    (real / "notes.txt").touch()
    settings = {"extract": {"root": "in", "layout": "folders"} | COUNT.model_dump()}
    (folder / "params.yaml").write_text(json.dumps(settings))
    run()
    table = read(folder / "data/videos.csv")
    assert table["status"].value_counts().to_dict() == {"ok": len(names), "missing": 3}
    assert set(table["reason"]) == {"", "no such file"}
    for name in ("quotes", "dash", "composed", "decomposed", "numbers"):
        assert f"real/{names[name]}" in set(table["video_id"])
    stored = {file.relative_to(folder / "data/frames").as_posix() for file in (folder / "data/frames").rglob("*.mkv")}
    assert stored == {f"{name}.mkv" for name in table["video_id"][table["kept"] > 0]}
    assert capsys.readouterr().err.splitlines()[0] == "extract: in: left out 1 .txt"
    assert json.loads((folder / "reports/extract.json").read_text())["left_out"] == {".txt": 1}


def test_a_file_that_may_not_be_read_is_a_row(folder, odd, monkeypatch):
    put(folder, odd, "plain", "one frame")
    stat = Path.stat

    def denied(path, **how):
        if path.name == "one frame.mp4":  # as in a folder that may not be entered
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", denied)
    run()
    row = read(folder / "data/videos.csv").set_index("video_id").loc["one frame.mp4"]
    assert (row["status"], row["reason"]) == ("decode_error", "cannot be read: Permission denied")
    assert (row["kept"], row["sha256"]) == (0, "")
    monkeypatch.setattr(Path, "stat", stat)
    run()  # what was not read is not taken for read
    assert set(read(folder / "data/videos.csv")["status"]) == {"ok"}


def test_a_file_that_is_gone_when_it_is_read_is_a_row_and_read_when_it_is_back(folder, odd, monkeypatch):
    put(folder, odd, "plain", "one frame")
    file, keep = folder / "in" / "one frame.mp4", extract.keep

    def late(path, target, p):
        if path.name == file.name:
            file.unlink()
        return keep(path, target, p)

    monkeypatch.setattr(extract, "keep", late)
    run()
    row = read(folder / "data/videos.csv").set_index("video_id").loc["one frame.mp4"]
    assert (row["status"], row["reason"], row["sha256"]) == ("missing", "no such file", "")
    monkeypatch.setattr(extract, "keep", keep)
    put(folder, odd, "one frame", "plain")
    run()
    assert set(read(folder / "data/videos.csv")["status"]) == {"ok"}


def test_the_summary_counts_videos_by_status_and_label(folder, odd):
    put(folder, odd, "plain", "text", "cover", "gone", "sideways")
    run()
    assert extract.summary(read(folder / "data/videos.csv")) == {
        "videos": 5,
        "status": {"real": {"ok": 3}, "fake": {"decode_error": 1, "missing": 1}},
        "frames_decoded": 36,
        "frames_kept": 12,
        "frames_corrupt": 0,
        "masks": 0,
        "as_shown": {
            "turned": 1,
            "mirrored": 0,
            "made_square": 0,
            "deinterlaced": 0,
            "high_range": 0,
            "wide_gamut": 0,
        },
    }


def test_videos_that_are_all_broken_are_a_mistake(folder, odd):
    put(folder, odd, "text", "gone")
    with pytest.raises(UserError, match="none of the 2 videos can be decoded: not a readable video"):
        run()


def test_a_root_that_is_not_there_is_a_mistake(folder):
    with pytest.raises(UserError, match=r"params\.yaml: extract\.root: no folder in"):
        run()
