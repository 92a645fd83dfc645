"""needed: the frames wanted are those of decoding the whole, byte for byte, and a file that lies is decoded whole."""

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake import extract, video
from deepfake.player.needed import plan

CODECS = {  # what people's files hold; each with pictures that others refer to, and pictures that none does
    "h264": ("libx264", {"bf": "3", "g": "12", "x264-params": "b-pyramid=normal"}),
    "h264 of open groups": ("libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1:b-pyramid=strict"}),
    "h264 without key frames": ("libx264", {"bf": "2", "x264-params": "intra-refresh=1:keyint=8"}),
    "mpeg4": ("mpeg4", {"bf": "2", "g": "8"}),
    "mpeg2": ("mpeg2video", {"bf": "2", "g": "8"}),
    "vp8": ("libvpx", {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "4"}),
    "vp9": ("libvpx-vp9", {"g": "8", "lag-in-frames": "4", "cpu-used": "8"}),
}
ODD = ["plain", "variable rate", "10 bit", "odd sides", "grey", "one frame", "tiny", "black"]


def policy(decode: str, count: int = 4, seconds: float | None = None) -> extract.Policy:
    how = {"sampling": "count", "frames_per_video": count, "fps": 1.0, "stride": 1, "max_side": None, "crf": 0}
    return extract.Policy(**how, decode=decode, seconds=seconds)


def kept(path, folder, **how) -> list[tuple[dict, bytes]]:
    """The rows and the frames of decoding the whole, and of decoding what is needed."""
    results = []
    for decode in ("whole", "needed"):
        row = extract.keep(path, folder / f"{decode}.mkv", policy(decode, **how))
        results.append((row, (folder / f"{decode}.mkv").read_bytes() if row["kept"] else b""))
    return results


@pytest.fixture(scope="module")
def moving() -> video.Images:
    """(60, 64, 96, 3): a picture that drifts, with noise: every picture differs from every other."""
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (64, 220, 3), np.uint8)
    return np.stack([wide[:, 2 * i : 2 * i + 96] // 2 + rng.integers(0, 60, (64, 96, 3), np.uint8) for i in range(60)])


@pytest.fixture(scope="module", params=sorted(CODECS))
def coded(request, moving, film, tmp_path_factory):
    codec, options = CODECS[request.param]
    suffix = "webm" if "vp" in codec else "mp4"
    return film(tmp_path_factory.mktemp("coded") / f"a.{suffix}", moving, codec=codec, tick=25, **options)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 60), seconds=st.none() | st.floats(0.1, 3))
def test_what_is_needed_gives_the_frames_of_the_whole(coded, tmp_path, count, seconds):
    whole, needed = kept(coded, tmp_path, count=count, seconds=seconds)
    assert needed == whole


@pytest.mark.parametrize("codec", ["h264", "mpeg4", "mpeg2", "vp8", "vp9"])
def test_less_is_decoded_where_key_frames_lie_between(codec, moving, film, tmp_path):
    name, options = CODECS[codec]
    path = film(tmp_path / ("a.webm" if "vp" in name else "a.mp4"), moving, codec=name, tick=25, **options)
    todo = plan(path, {0, 30})
    assert sum(todo.kept) == 2
    assert sum(todo.sent) < 30
    assert todo.times == list(video.packet_times(path))


@pytest.mark.parametrize("codec", ["h264 of open groups", "h264 without key frames"])
def test_without_key_frames_that_begin_anew_all_before_the_last_wanted_one_is_decoded(codec, moving, film, tmp_path):
    name, options = CODECS[codec]
    todo = plan(film(tmp_path / "a.mp4", moving, codec=name, tick=25, **options), {0, 30})
    assert sum(todo.sent) >= 30


def test_an_hour_costs_what_its_wanted_frames_cost(moving, film, tmp_path):
    name, options = CODECS["h264"]
    path = film(tmp_path / "a.mp4", np.concatenate([moving] * 20), codec=name, **options)
    assert sum(plan(path, {0, 600, 1199}).sent) <= 36  # three groups of twelve, of a hundred


@pytest.mark.parametrize("kind", ODD)
def test_odd_videos_are_read_as_they_are(odd, kind, tmp_path):
    whole, needed = kept(odd(kind), tmp_path)
    assert needed == whole


def test_a_file_that_lies_of_its_clock_is_decoded_whole(moving, film, tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", moving)
    told = video.packet_times(path)
    whole = kept(path, tmp_path)[0]
    from deepfake.player import needed

    real = needed.plan
    monkeypatch.setattr(
        "deepfake.player.reading.plan",
        lambda path, wanted: (
            (todo := real(path, wanted)) and needed.Plan([t + 0.001 for t in todo.times], todo.sent, todo.kept)
        ),
    )
    assert kept(path, tmp_path)[1] == whole
    assert len(told) == 60


def test_a_fault_on_the_way_is_told_as_by_decoding_the_whole(moving, film, tmp_path):
    path = film(tmp_path / "a.mp4", moving, g="60", bf="0")
    content = bytearray(path.read_bytes())
    with av.open(path) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
        at, size = packets[20].pos, packets[20].size
    content[at + 8 : at + size] = bytes(size - 8)
    path.write_bytes(content)
    whole, needed = kept(path, tmp_path, count=60)
    assert whole[0]["status"] == "truncated"
    assert needed == whole


def test_real_clips_are_the_same(clips, tmp_path):
    for path in sorted((clips / "real").iterdir())[::4]:
        whole, needed = kept(path, tmp_path, count=16)
        assert needed == whole, path
