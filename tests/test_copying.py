"""copying: a copy has the sound of its video, as far as that can be heard; what cannot is left out, and no more."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from deepfake.player.copying import remade
from deepfake.video import Images

SECONDS = 2


@pytest.fixture
def grey() -> Images:
    """(20, 48, 64, 3)."""
    return np.full((10 * SECONDS, 48, 64, 3), 127, np.uint8)


def film(path: Path, images: Images, codec: str, rate: int = 48000, begins: float = 0.0) -> Path:
    """A video at 10 frames a second whose sound, a beep, begins late, at a time in s."""
    with av.open(path, "w") as file:
        stream, sound = file.add_stream("libx264", rate=10), file.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
        wave = (8000 * np.sin(np.arange(rate * SECONDS) * 0.2)).astype(np.int16)
        beep = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        beep.sample_rate, beep.pts = rate, round(begins * rate)
        file.mux(sound.encode(beep))
        file.mux(sound.encode())
    return path


def damaged(path: Path, share: float) -> Path:
    """The file with so much of its sound's packets, the last ones, as noise."""
    with av.open(path) as file:
        packets = [(packet.pos, packet.size) for packet in file.demux(audio=0) if packet.size]
    content = bytearray(path.read_bytes())
    for start, size in packets[round(len(packets) * (1 - share)) :]:
        content[start : start + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(content)
    return path


def copied(path: Path, images: Images) -> Path:
    """The copy, with the same pictures."""
    target = path.with_name("copy.mp4")
    assert remade(target, path, ((i / 10, image) for i, image in enumerate(images))) == len(images)
    return target


def heard(path: Path) -> tuple[str, int, float]:
    """Codec and rate of the sound, and how many s of it decode."""
    with av.open(path) as file:
        [sound] = file.streams.audio
        seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
        return sound.codec_context.name, sound.rate, seconds


@pytest.mark.parametrize(
    ("rate", "becomes"), [(192000, 96000), (96000, 96000), (50000, 48000), (16000, 16000), (4000, 7350)]
)
def test_a_sound_becomes_aac_at_its_rate_or_the_nearest_below(tmp_path, grey, rate, becomes):
    codec, told, seconds = heard(copied(film(tmp_path / "a.mov", grey, "pcm_s16le", rate), grey))
    assert (codec, told) == ("aac", becomes)
    assert seconds == pytest.approx(SECONDS, abs=0.2)


def test_damaged_packets_of_a_sound_are_left_out(tmp_path, grey):
    path = damaged(film(tmp_path / "a.avi", grey, "mp2"), 0.5)
    assert heard(copied(path, grey))[2] == pytest.approx(SECONDS / 2, abs=0.2)


def test_a_sound_of_which_nothing_is_left_is_left_out_and_that_is_said(tmp_path, grey, capsys):
    path = damaged(film(tmp_path / "a.avi", grey, "mp2"), 1)
    target = copied(path, grey)
    assert capsys.readouterr().err == "a sound is left out: none of its mp2 can be read\n"
    with av.open(target) as file:
        assert sum(1 for _ in file.decode(video=0)) == len(grey)


def test_a_sound_that_begins_after_the_file_was_looked_at_is_heard(tmp_path, grey):
    noise = np.random.default_rng(0).integers(0, 256, (160, *grey.shape[1:]), np.uint8)  # much to read before it
    path = film(tmp_path / "a.ts", noise, "aac", begins=14.0)
    with av.open(path) as file:
        assert not file.streams.audio[0].rate  # its rate is not known yet
    codec, rate, seconds = heard(copied(path, noise))
    assert (codec, rate) == ("aac", 48000)
    assert seconds == pytest.approx(SECONDS, abs=0.2)


def test_a_copy_may_lie_in_a_folder_of_any_name(tmp_path, grey):
    folder = tmp_path / os.fsdecode(b"f\xe9")
    folder.mkdir()
    assert heard(copied(film(tmp_path / "a.mp4", grey, "aac").rename(folder / "a.mp4"), grey))[0] == "aac"
