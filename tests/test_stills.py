"""stills: what a phone stored in tiles, and JPEG in TIFF, is read as it is shown, and what is wrong with it is said."""

import io
import struct

import heic
import numpy as np
import pytest
from PIL import Image, ImageCms

from deepfake import video
from deepfake.app.service import gate
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.base import plugins
from deepfake.extract import Policy, keep

SETTINGS = {"sampling": "count", "frames_per_video": 4, "fps": 1.0, "stride": 1, "max_side": None, "crf": 0}


@pytest.fixture(scope="module")
def scene() -> video.Images:
    """(192, 320, 3): no two tiles alike."""
    y, x = np.indices((192, 320))
    return np.stack([x * 255 // 319, y * 255 // 191, (x + y) // 3], -1).astype(np.uint8)


@pytest.mark.parametrize("thumbnail", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("decode", ["whole", "needed"])
def test_it_is_one_picture_upright_and_not_its_thumbnail(tmp_path, scene, turned, thumbnail, decode):
    path = heic.tiled(tmp_path / "a.heic", scene, 3, 5, turned=turned, thumbnail=thumbnail)
    shown = np.rot90(scene) if turned else scene
    row = keep(path, tmp_path / "frames.mkv", Policy.model_validate(SETTINGS | {"decode": decode}))
    assert (row["status"], row["reason"], row["frames"], row["kept"]) == ("ok", "", 1, 1)
    assert (row["width"], row["height"], row["codec"]) == (shown.shape[1], shown.shape[0], "hevc")
    (stored,) = video.images(tmp_path / "frames.mkv")
    assert np.abs(stored.astype(int) - shown).mean() < 2
    assert video.probe(path).packet_times == (0.0,)


def test_a_folder_of_photographs_holds_it(tmp_path, scene):
    (tmp_path / "photographs").mkdir()
    heic.tiled(tmp_path / "photographs/IMG_0001.HEIC", scene, 3, 5)
    assert plugins.load("layouts", "images").scan(tmp_path / "photographs")["path"].tolist() == ["IMG_0001.HEIC"]


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_one_that_is_cut_is_not_read_in_part(tmp_path, scene, part):
    path = heic.tiled(tmp_path / "a.heic", scene, 3, 5)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(video.Unreadable) as error:
        list(video.read(path))
    assert error.value.status == "decode_error"


def test_its_size_is_known_before_it_is_decoded(tmp_path, scene):
    path = heic.tiled(tmp_path / "a.heic", scene, 3, 5)
    facts = gate.look(path, Limits())
    assert (facts.width, facts.height, facts.frames) == (320, 192, 1)
    with pytest.raises(Refused, match="320 x 192 px are above"):
        gate.look(path, Limits(pixels=320 * 192 - 1))


@pytest.mark.parametrize(("packing", "off"), [("jpeg", 3), ("tiff_lzw", 0), ("raw", 0)])
def test_a_tiff_is_no_darker_for_how_it_is_packed(tmp_path, scene, packing, off):
    path = tmp_path / "a.tif"
    Image.fromarray(scene).save(path, compression=packing)
    (image,) = video.images(path)
    assert np.abs(image.astype(int) - scene).mean() <= off
    assert (gate.look(path, Limits()).width, video.probe(path).packet_times) == (320, (0.0,))


def test_jpeg_in_tiff_that_is_cut_is_said(tmp_path, scene):
    path = tmp_path / "a.tif"
    Image.fromarray(scene).save(path, compression="jpeg")
    path.write_bytes(path.read_bytes()[:1500] + bytes(300))
    row = keep(path, tmp_path / "frames.mkv", Policy.model_validate(SETTINGS | {"decode": "whole"}))
    assert row["status"] in ("decode_error", "no_video")
    assert row["reason"]


def profile(name: str, red, green, blue) -> bytes:
    """A colour profile of a screen by its primaries (XYZ of D50), with the curve of sRGB."""

    def numbers(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    white, text = (0.96419, 1.0, 0.82489), name.encode("utf-16-be")
    words = b"mluc" + bytes(4) + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(text), 28) + text
    curve = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + numbers(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    tags = {b"desc": words + bytes(-len(words) % 4), b"cprt": words + bytes(-len(words) % 4)}
    colours = {b"wtpt": white, b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}
    tags |= {tag: b"XYZ " + bytes(4) + numbers(*value) for tag, value in colours.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(value))
        data += value
    head = bytes(4) + b"lcms" + bytes([4, 0x30, 0, 0]) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    whole = head + numbers(*white) + bytes(48) + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


P3 = profile("Display P3", (0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic", ".avif"])
def test_the_colours_of_a_profile_are_those_of_a_screen(tmp_path, suffix):
    colours = np.repeat(np.repeat(np.array([[(205, 150, 125), (230, 60, 50), (60, 120, 70)]], np.uint8), 32, 1), 64, 0)
    plain = Image.fromarray(colours)
    how = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    how = {"quality": 100, "chroma": 444} if suffix in (".heic", ".avif") else how
    plain.save(tmp_path / f"p3{suffix}", icc_profile=P3, **how)
    screen = ImageCms.createProfile("sRGB")
    right = np.asarray(ImageCms.profileToProfile(plain, ImageCms.ImageCmsProfile(io.BytesIO(P3)), screen))
    assert np.abs(right[0, 0].astype(int) - (215, 147, 120)).max() <= 1
    read = video.images(tmp_path / f"p3{suffix}")[0]
    assert np.abs(read[8:56:8, 8::32].astype(int) - right[8:56:8, 8::32]).max() <= 4
    plain.save(tmp_path / f"srgb{suffix}", icc_profile=ImageCms.ImageCmsProfile(screen).tobytes(), **how)
    read = video.images(tmp_path / f"srgb{suffix}")[0]
    assert np.abs(read[8:56:8, 8::32].astype(int) - colours[8:56:8, 8::32]).max() <= 4
