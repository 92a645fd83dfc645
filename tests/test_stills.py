"""stills: what a phone stored in tiles, and JPEG in TIFF, is read as it is shown, and what is wrong with it is said."""

import heic
import numpy as np
import pytest
from PIL import Image

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
