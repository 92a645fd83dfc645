"""player: of every kind of file the pictures that a player shows, and what is lost of it."""

import ctypes
import gc
import math
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from PIL import Image, ImageCms

from deepfake import video
from deepfake.extract import Policy, keep
from deepfake.player import colour, geometry, source
from deepfake.player.filters import filtered

COUNT = Policy(sampling="count", frames_per_video=4, fps=1, stride=1, max_side=None, crf=0)
EXACT_X264 = {"qp": "0", "preset": "ultrafast"}


@pytest.fixture
def scene() -> video.Images:
    """(48, 96, 3) uint8 RGB: red at the left top, green at the right top, blue at the left bottom, grey elsewhere."""
    image = np.full((48, 96, 3), 128, np.uint8)
    image[:16, :32], image[:16, 64:], image[32:, :32] = (250, 10, 10), (10, 250, 10), (10, 10, 250)
    return image


def written(path: Path, images, codec="libx264", form="yuv444p", options=None, **properties) -> Path:
    """A video of images, with what else is set on its stream."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=dict(EXACT_X264 if options is None else options))
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], form
        for name, value in properties.items():
            setattr(stream.codec_context, name, value)
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image)).reformat(format=form)))
        file.mux(stream.encode())
    return path


def marked(path: Path, target: Path, matrix) -> Path:
    """A copy of an MP4 video with the display matrix a, b, c, d in its track header."""
    content = bytearray(path.read_bytes())
    size, start = int.from_bytes(content[(at := content.index(b"tkhd")) - 4 : at]), at - 4
    a, b, c, d = (int(number * 2**16).to_bytes(4, signed=True) for number in matrix)
    zero = bytes(4)
    content[start + size - 44 : start + size - 8] = b"".join((a, b, zero, c, d, zero, zero, zero, (2**30).to_bytes(4)))
    target.write_bytes(content)
    return target


def shown(image, mirrored, rotation):
    """What is to be seen of a stored image: mirrored, then turned clockwise."""
    return np.rot90(image[:, ::-1] if mirrored else image, -rotation // 90)


def close(image, other, most=3) -> bool:
    return image.shape == other.shape and np.abs(image.astype(int) - other).max() <= most


# ---- mirrored and turned


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize(("mirrored", "rotation"), list(geometry.TURNS))
def test_a_video_is_mirrored_and_turned_by_its_whole_matrix(tmp_path, scene, form, mirrored, rotation):
    plain = written(tmp_path / "plain.mp4", [scene] * 2, form=form)
    path = marked(plain, tmp_path / "a.mp4", geometry.TURNS[mirrored, rotation])
    for before, after in zip(video.read(plain), video.read(path), strict=True):
        np.testing.assert_array_equal(after.grey(), shown(before.grey(), mirrored, rotation))
        assert np.abs(after.rgb().astype(int) - shown(before.rgb(), mirrored, rotation)).mean() < 2  # colours lie aside
    info = video.probe(path)
    assert (info.mirrored, info.rotation) == (mirrored, rotation)
    assert (info.width, info.height) == ((48, 96) if rotation in (90, 270) else (96, 48))


@pytest.mark.parametrize(
    ("degrees", "rotation"), [(3, 0), (-3, 0), (44, 0), (46, 90), (87, 90), (133, 90), (137, 180), (268, 270), (359, 0)]
)
@pytest.mark.parametrize("scale", [1, 2, 0.5])
def test_a_small_angle_is_rounded_to_a_quarter(tmp_path, scene, degrees, rotation, scale):
    turn = math.radians(degrees)
    matrix = [scale * value for value in (math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn))]
    path = marked(written(tmp_path / "plain.mp4", [scene]), tmp_path / "a.mp4", matrix)
    assert (video.probe(path).mirrored, video.probe(path).rotation) == (False, rotation)


@pytest.mark.parametrize("suffix", ["mov", "mkv"])
def test_other_containers_turn_a_video_as_well(tmp_path, scene, suffix):
    with av.open(tmp_path / f"a.{suffix}", "w") as file:
        stream = file.add_stream("libx264", rate=25, options=EXACT_X264)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv444p"
        stream.set_display_rotation(-90)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(scene).reformat(format="yuv444p")))
        file.mux(stream.encode())
    assert video.probe(tmp_path / f"a.{suffix}").rotation == 90
    assert close(video.images(tmp_path / f"a.{suffix}")[0], np.rot90(scene, -1))


def jpeg(path: Path, image, orientation: int) -> Path:
    """A JPEG photograph with an EXIF orientation of 1 to 8."""
    content = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    entry = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:])
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_by_its_exif_orientation(tmp_path, scene, orientation):
    path = jpeg(tmp_path / "a.jpg", scene, orientation)
    expected = cv2.imread(str(path))[:, :, ::-1]  # which honours it
    (image,) = video.images(path)
    assert close(image, expected, most=60)  # two decoders, edges of colours
    assert np.abs(image.astype(int) - expected).mean() < 2


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (0, 0, 0, 1)])
def test_a_matrix_that_would_show_nothing_is_ignored(tmp_path, scene, matrix):
    path = marked(written(tmp_path / "plain.mp4", [scene]), tmp_path / "a.mp4", matrix)
    assert (video.probe(path).mirrored, video.probe(path).rotation) == (False, 0)


def test_the_turn_may_change_from_picture_to_picture(scene):
    upright = geometry.Upright()
    picture = av.VideoFrame.from_ndarray(scene)
    assert upright(picture) is picture  # nothing to be done, nothing done


# ---- square pixels


@pytest.mark.parametrize(
    ("sar", "size", "ratio"),
    [
        ((4, 3), (128, 48), "4:3"),
        ((8, 9), (96, 54), "8:9"),  # the shorter side of a pixel grows
        ((1, 1), (96, 48), "1:1"),
        ((0, 1), (96, 48), "1:1"),
        ((1000, 1), (96, 48), "1:1"),  # no camera has such pixels
        ((1, 1000), (96, 48), "1:1"),
        ((200, 201), (96, 48), "1:1"),  # a rounded header
        ((4, 1), (384, 48), "4:1"),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_pixels_are_shown_square(tmp_path, scene, suffix, sar, size, ratio):
    path = written(tmp_path / f"a.{suffix}", [scene] * 2, sample_aspect_ratio=Fraction(*sar) if sar[0] else 0)
    info = video.probe(path)
    assert (info.width, info.height, info.sar) == (*size, ratio)
    assert video.images(path).shape == (2, size[1], size[0], 3)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["width"], row["height"], row["sar"]) == (*size, ratio)
    assert video.probe(tmp_path / "frames.mkv").sar == "1:1"


def test_a_pixel_that_is_wide_grows_wide_before_it_is_turned(tmp_path, scene):
    path = written(tmp_path / "plain.mp4", [scene], sample_aspect_ratio=Fraction(2, 1))
    turned = marked(path, tmp_path / "a.mp4", geometry.TURNS[False, 90])
    (image,) = video.images(turned)
    assert image.shape == (192, 48, 3)
    assert close(image, np.rot90(video.images(path)[0], -1), most=1)


# ---- what changes on the way


def joined(path: Path, *parts: Path) -> Path:
    """Transport streams, one after the other, in one file."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_a_shape_that_changes_on_the_way_is_followed(tmp_path, scene):
    wide = written(tmp_path / "wide.ts", [scene] * 3, sample_aspect_ratio=Fraction(2, 1))
    plain = written(tmp_path / "plain.ts", [scene] * 3)
    sizes = [frame.rgb().shape[:2] for frame in video.read(joined(tmp_path / "a.ts", plain, wide))]
    assert sizes == [(48, 96)] * 3 + [(48, 192)] * 3


def test_frames_are_stored_at_the_size_of_most(tmp_path, scene):
    small = written(tmp_path / "small.ts", [scene[::2, ::2]] * 2)
    large = written(tmp_path / "large.ts", [scene] * 6)
    path = joined(tmp_path / "a.ts", small, large)
    row = keep(path, tmp_path / "frames.mkv", COUNT.model_copy(update={"frames_per_video": 8}))
    assert (row["status"], row["frames"], row["kept"]) == ("ok", 8, 8)
    stored = video.images(tmp_path / "frames.mkv")
    assert stored.shape == (8, 48, 96, 3)
    assert close(stored[-1], scene)
    assert np.abs(stored[0].astype(int) - scene).mean() < 8  # grown
    assert [frame.index for frame in video.read(tmp_path / "frames.mkv")] == list(range(8))


def test_of_two_sizes_as_frequent_the_larger_is_stored(tmp_path, scene):
    frames = [video.Frame(i, i / 25, av.VideoFrame.from_ndarray(np.ascontiguousarray(image))) for i, image in
              enumerate([scene[::2, ::2], scene])]  # fmt: skip
    assert video.save(tmp_path / "a.mkv", frames) == 2
    assert video.images(tmp_path / "a.mkv").shape == (2, 48, 96, 3)


def test_a_frame_of_another_shape_is_not_stretched(tmp_path, scene):
    tall = np.ascontiguousarray(np.rot90(scene))
    frames = [video.Frame(i, i / 25, av.VideoFrame.from_ndarray(image)) for i, image in enumerate([scene, scene, tall])]
    video.save(tmp_path / "a.mkv", frames)
    last = video.images(tmp_path / "a.mkv")[-1]
    assert last.shape == (48, 96, 3)
    assert (last[:, [0, 30, 65, 95]] == 0).all()  # beside it
    assert close(last[:, 36:60], cv2.resize(tall, (24, 48), interpolation=cv2.INTER_AREA), most=80)


@pytest.mark.parametrize("second", ["yuv420p10le", "yuv422p", "yuvj420p", "gray", "rgb24"])
def test_a_pixel_format_may_change_on_the_way(tmp_path, scene, second):
    frames = [
        video.Frame(i, i / 25, av.VideoFrame.from_ndarray(scene).reformat(format=form))
        for i, form in enumerate(["yuv420p", "yuv420p", second])
    ]
    video.save(tmp_path / "a.mkv", frames)
    stored = list(video.read(tmp_path / "a.mkv"))
    for before, after in zip(frames[:2], stored, strict=False):
        for given, plane in zip(before.planes(), after.planes(), strict=True):
            np.testing.assert_array_equal(plane, given)
    assert np.abs(stored[2].rgb().astype(int) - frames[2].rgb()).mean() < 3


def test_a_turned_film_that_shrinks_shows_its_own_pixels_alone(scene):
    turn, chain = geometry.STEPS[False, 90], None
    for step in (1, 2, 1, 4):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene[::step, ::step]))
        after, chain = filtered(picture, turn, chain)
        np.testing.assert_array_equal(after.to_ndarray(), np.rot90(scene[::step, ::step], -1))


def test_lines_that_lie_backwards_in_memory_are_read_forwards(scene):
    backwards, _ = filtered(av.VideoFrame.from_ndarray(scene), [("vflip", "")])
    assert backwards.planes[0].line_size < 0
    picture = geometry.Upright()(backwards)
    assert picture.planes[0].line_size > 0
    np.testing.assert_array_equal(video.Frame(0, 0.0, picture).rgb(), scene[::-1])


# ---- wide and high


def test_no_entry_of_a_table_hangs_on_the_last_bit_of_a_power():
    """Another machine's powers differ by some units of the last place; no entry is so near to being rounded apart."""
    steps = [i / (colour.DEEP - 1) for i in range(colour.DEEP)]
    roots = [(i / colour.FINE) ** 2 for i in range(colour.FINE + 1)]
    tables = {
        "pq": [colour.pq_light(v) / colour.PAPER for v in steps],
        "hlg": [colour.hlg_scene(v) for v in steps],
        "screen": [v**colour.GAMMA for v in steps],
        "gain": [colour.PEAK / colour.PAPER * max(v, 1e-9) ** 0.2 for v in roots],
        "roll-off": [colour.rolled(v * colour.PEAK) / (v * colour.PEAK) for v in roots[1:]],
    }
    for name, entries in tables.items():
        scaled = np.array(entries) * 10**colour.DIGITS
        exact = np.abs(scaled) < 1e-9
        distance = np.abs(scaled - np.floor(scaled) - 0.5)[~exact]
        ulps = distance / np.spacing(scaled[~exact])
        assert ulps.min() > 20, (name, ulps.min())
    levels = np.array([255 * v ** (1 / colour.GAMMA) for v in roots])
    assert np.abs(levels - np.floor(levels) - 0.5).min() > 1e-9


LINEAR = {"pq": lambda light: colour.pq_value(light * colour.PAPER)}  # light in parts of paper's white -> value


def hlg_value(light: float) -> float:
    """The inverse of what a screen does with HLG, of a grey of some light in parts of paper's white."""
    scene = (light * colour.PAPER / colour.PEAK) ** (1 / 1.2)
    return math.sqrt(3 * scene) if scene <= 1 / 12 else 0.17883277 * math.log(12 * scene - 0.28466892) + 0.55991073


LINEAR["hlg"] = hlg_value
BT2020 = np.linalg.inv(np.array(colour.WIDE[ColorPrimaries.BT2020]))


def graded(path: Path, image, curve: str, frames: int = 2, form: str = "yuv444p10le", **options: str) -> Path:
    """A film of an image of standard range, as HDR: its light unchanged, in BT.2020 and 10 bits."""
    light = (image / 255.0) ** colour.GAMMA @ BT2020.T
    if curve == "hlg":  # a screen's gain is by luma
        luma = light @ np.array(colour.LUMA)
        scene = np.clip(light, 0, None) * (np.maximum(luma, 1e-9) ** (1 / 1.2 - 1) * (0.203 ** (1 / 1.2)))[..., None]
        low, high = np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        values = np.where(scene <= 1 / 12, low, high)
    else:
        values = np.vectorize(LINEAR["pq"])(np.clip(light, 0, None))
    deep = av.VideoFrame.from_ndarray(np.round(values * 65535).astype(np.uint16), format="rgb48le")
    frame = deep.reformat(format="yuv444p10le", dst_colorspace=9, dst_color_range=ColorRange.MPEG)
    frame = frame.reformat(format=form)
    frame.color_trc = ColorTrc.SMPTE2084 if curve == "pq" else ColorTrc.ARIB_STD_B67
    frame.color_primaries, frame.colorspace = ColorPrimaries.BT2020, 9
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "4", "preset": "ultrafast"} | options)
        stream.height, stream.width, stream.pix_fmt = *image.shape[:2], form
        context = stream.codec_context
        context.color_trc, context.color_primaries = int(frame.color_trc), int(ColorPrimaries.BT2020)
        context.colorspace, context.color_range = 9, ColorRange.MPEG
        for _ in range(frames):
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.fixture
def ramp() -> video.Images:
    """(16, 96, 3) uint8 RGB: greys below the knee, and a skin's, a leaf's and a shirt's colours."""
    colours = [(0, 0, 0), (30, 30, 30), (90, 90, 90), (150, 150, 150), (160, 120, 95), (60, 110, 50), (40, 60, 120)]
    return np.repeat(np.repeat(np.array([colours], np.uint8), 14, 1), 16, 0)


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p"])
@pytest.mark.parametrize("curve", ["pq", "hlg"])
def test_a_high_dynamic_range_is_brought_to_that_of_a_screen(tmp_path, ramp, curve, form):
    row = keep(graded(tmp_path / "a.mp4", ramp, curve, form=form), tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["transfer"], row["primaries"]) == ("ok", curve, "bt2020")
    stored = video.images(tmp_path / "frames.mkv")[0]
    middles = stored[8, 7::14].astype(int)
    assert np.abs(middles - ramp[8, 7::14]).max() <= (8 if "10" in form else 24)  # dark levels of 8 bits are few
    assert video.probe(tmp_path / "frames.mkv").transfer in ("", "bt709")


@pytest.mark.parametrize(("mirrored", "rotation"), [(False, 90), (True, 0), (False, 180), (True, 270)])
def test_a_film_of_high_range_is_turned_as_well(tmp_path, ramp, mirrored, rotation):
    matrix = geometry.TURNS[mirrored, rotation]
    path = marked(graded(tmp_path / "a.mp4", ramp, "hlg", form="yuv420p10le"), tmp_path / "b.mp4", matrix)
    info, image = video.probe(path), video.images(path)[0]
    assert (info.height, info.width, 3) == image.shape
    reference = shown(video.images(tmp_path / "a.mp4")[0], mirrored, rotation)
    assert np.abs(image.astype(int) - reference).mean() <= 2  # turned colours are no longer half as fine


def test_a_film_of_high_range_is_made_of_square_pixels(tmp_path, ramp):
    with av.open(graded(tmp_path / "a.mp4", ramp, "hlg")) as source, av.open(tmp_path / "b.mp4", "w") as target:
        stream = target.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *ramp.shape[:2], "yuv444p10le"
        stream.sample_aspect_ratio = Fraction(4, 3)
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = 18, 9, 9
        for picture in source.decode(video=0):
            picture.pict_type = 0
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
    info, image = video.probe(tmp_path / "b.mp4"), video.images(tmp_path / "b.mp4")[0]
    assert (info.sar, info.transfer) == ("4:3", "hlg")
    assert image.shape == (ramp.shape[0], round(ramp.shape[1] * 4 / 3 / 2) * 2, 3) == (info.height, info.width, 3)


@pytest.mark.parametrize("turn", [None, (0, 1, -1, 0)])
def test_frames_that_the_decoder_holds_to_the_end_are_graded_too(tmp_path, ramp, turn):
    """Phones film so: frames are coded out of order, and the last ones come when nothing is left to decode."""
    path = graded(tmp_path / "a.mp4", ramp, "hlg", frames=12, bf="3", preset="medium")
    path = path if turn is None else marked(path, tmp_path / "b.mp4", turn)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["frames"]) == ("ok", 12)
    stored = video.images(tmp_path / "frames.mkv")
    assert np.abs(stored[-1].astype(int) - stored[0]).max() <= 8


@pytest.mark.parametrize("curve", ["pq", "hlg"])
def test_what_is_brighter_than_paper_is_rolled_off_in_order(tmp_path, curve):
    nits = [50, 100, 203, 400, 700, 1000]
    values = [LINEAR[curve](light / colour.PAPER) for light in nits]
    picture = np.repeat(np.array([[[round(v * 65535)] * 3 for v in values]], np.uint16), 4, 0)
    shown = colour._shown(picture, curve, ColorPrimaries.BT2020)[0]
    assert np.ptp(shown.astype(int), axis=1).max() <= 1  # grey stays grey
    levels = shown[:, 0].astype(int)
    assert levels[0] == pytest.approx(255 * (50 / 203) ** (1 / 2.4), abs=1.5)  # below the knee, as it is
    assert (np.diff(levels[:5]) > 0).all()
    assert 215 <= levels[2] <= 240
    assert levels[-1] >= 254


def test_a_wide_gamut_is_brought_to_that_of_a_screen():
    image = np.array([[(120, 60, 40), (200, 200, 200), (20, 90, 160)]], np.uint8)
    for gamut in (ColorPrimaries.BT2020, ColorPrimaries.SMPTE432):
        light = (image / 255.0) ** colour.GAMMA @ np.linalg.inv(np.array(colour.WIDE[gamut])).T
        values = np.round(65535 * np.clip(light, 0, 1) ** (1 / colour.GAMMA)).astype(np.uint16)
        assert close(colour._shown(values, "", gamut), image, most=1)


def test_what_is_of_standard_range_is_left_alone(scene):
    picture = av.VideoFrame.from_ndarray(scene)
    picture.color_trc, picture.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
    assert colour.standard(picture) is picture


@pytest.fixture
def processors() -> Iterator[ctypes.CDLL]:
    """FFmpeg's library that knows what the processor can do, and may be told that it can do less."""
    folder = Path(av.__file__).parents[1] / "av.libs"
    if not (files := sorted(folder.glob("libavutil-*.so*"))):
        pytest.skip("FFmpeg is not of a wheel")
    util = ctypes.CDLL(str(files[0]))
    yield util
    util.av_force_cpu_flags(-1)


@pytest.mark.parametrize("kind", ["pq", "interlaced", "oblong", "turned", "shrinks"])
def test_pictures_are_equal_to_the_bit_on_every_processor(tmp_path, noise, processors, kind):
    big = np.repeat(np.repeat(noise[:4], 2, 1), 2, 2)  # (4, 96, 128, 3)
    plain = written(tmp_path / "plain.mp4", big, form="yuv420p", sample_aspect_ratio=Fraction(4, 3))
    match kind:
        case "pq":
            path = graded(tmp_path / "a.mp4", big[0], "pq")
        case "interlaced":
            path = interlaced(tmp_path / "a.ts", big)
        case "turned":
            path = marked(written(tmp_path / "b.mp4", big, form="yuv422p"), tmp_path / "a.mp4", (0, 1, -1, 0))
        case _:
            path = plain
    hashes = set()
    processors.av_force_cpu_flags(-1)
    every, avx2, avx512, sse2 = processors.av_get_cpu_flags(), 0x8000, 0x100000, 0x1B
    for flags in (0, every & sse2, every & ~(avx2 | avx512), every & ~avx512, every):
        processors.av_force_cpu_flags(flags)
        policy = COUNT.model_copy(update={"max_side": 64 if kind == "shrinks" else None})
        hashes.add(keep(path, tmp_path / "frames.mkv", policy)["pictures_sha256"])
        hashes.add(video.images(tmp_path / "frames.mkv").tobytes())
    assert len(hashes) == 2


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_a_picture_with_a_colour_profile_is_read_and_turned(tmp_path, scene, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    orientation = Image.Exif()
    orientation[274] = 6
    Image.fromarray(scene).save(tmp_path / f"a{suffix}", icc_profile=profile, exif=orientation)
    for _ in range(3):
        assert video.images(tmp_path / f"a{suffix}")[0].shape == (scene.shape[1], scene.shape[0], 3)
        gc.collect()


# ---- interlaced


def interlaced(path: Path, images, top_first: bool = True, count: int | None = None) -> Path:
    """A film whose frames hold two moments: their even lines one, their odd lines the next."""
    with av.open(path, "w") as file:
        options = {"flags": "+ilme+ildct", "qscale": "1", "field_order": "tt" if top_first else "bb"}
        stream = file.add_stream("mpeg2video", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        for i, image in enumerate(images[:count]):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image)).reformat(format="yuv420p")
            field, _ = filtered(picture, [("setfield", "tff" if top_first else "bff")])
            field.pts, field.time_base = i, Fraction(1, 25)
            file.mux(stream.encode(field))
        file.mux(stream.encode())
    return path


def combed(count: int) -> video.Images:
    """A white square that moves by 4 px a field."""
    images = np.zeros((count, 64, 128, 3), np.uint8)
    for i, image in enumerate(images):
        for field in range(2):
            left = 8 + 4 * (2 * i + field)
            image[16 + field : 48 : 2, left : left + 24] = 235
    return images


def test_interlaced_frames_are_made_whole_and_counted(tmp_path):
    images = combed(8)
    path = interlaced(tmp_path / "a.ts", images)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["frames"], row["kept"], row["interlaced"]) == ("ok", 8, 4, 8)
    for frame in list(video.read(path))[1:-1]:
        grey = frame.grey()[18:46].astype(int)
        assert np.abs(np.diff(grey, axis=0)).mean() < 2  # no comb
        left = int(np.argmax(grey[14] > 128))
        assert left == pytest.approx(8 + 8 * frame.index, abs=1)  # the first field's moment
    raw = next(iter(video.read(path, upright=False)))
    assert raw.index == 0


def test_progressive_frames_are_left_as_they_are(tmp_path, noise):
    path = written(tmp_path / "a.mp4", noise)
    assert keep(path, tmp_path / "frames.mkv", COUNT)["interlaced"] == 0


# ---- what is lost, and what is not


def moving(count: int) -> video.Images:
    """(count, 48, 64, 3): a square over a still noise, so that frames hang on those before."""
    images = np.repeat(np.random.default_rng(0).integers(90, 160, (1, 48, 64, 3), np.uint8), count, 0)
    for i, image in enumerate(images):
        image[10:30, i : i + 20] = 235
    return images


def spoilt(path: Path, target: Path, packets) -> Path:
    """A copy whose packets of these numbers hold other bytes in their second half."""
    with av.open(path) as file:
        places = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for start, size in (places[i] for i in packets):
        content[start + size // 2 : start + size] = np.random.default_rng(1).bytes(size - size // 2)
    target.write_bytes(content)
    return target


@pytest.mark.parametrize(("codec", "form"), [("libx264", "yuv420p"), ("mpeg2video", "yuv420p"), ("mpeg4", "yuv420p")])
def test_frames_that_a_decoder_makes_up_are_left_out_and_counted(tmp_path, codec, form):
    options = {"g": "10", "bf": "0", "threads": "1", "qscale": "3"} if codec != "libx264" else {"crf": "20", "g": "10"}
    whole = written(tmp_path / "whole.mkv", moving(30), codec=codec, form=form, options=options)
    path = spoilt(whole, tmp_path / "a.mkv", [0, 20])
    with av.open(path) as file:
        stream, marks = file.streams.video[0], []
        for packet in file.demux(stream):
            try:
                marks += [frame.is_corrupt for frame in packet.decode()]
            except av.error.FFmpegError:
                continue
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert sum(marks)  # what the test is about
    assert (row["corrupt"], row["frames"], row["status"]) == (sum(marks), len(marks) - sum(marks), "truncated")
    assert f"{sum(marks)} frames are corrupt" in row["reason"]
    assert row["kept"] == 4


def trimmed(path: Path, target: Path, start: int, count: int) -> Path:
    """A copy of an MP4 video, of the same packets, whose edit list shows some frames alone: trimmed without loss."""
    with av.open(path) as file:
        stream = file.streams.video[0]
        tick, span = float(stream.time_base), stream.duration // stream.frames
        assert tick
    content = path.read_bytes()
    at = content.index(b"elst")
    size = int.from_bytes(content[at - 4 : at])
    assert size == 28
    box = content[at : at + 12] + (count * 1000 // 25).to_bytes(4) + (start * span).to_bytes(4) + (2**16).to_bytes(4)
    target.write_bytes(content[:at] + box + content[at + len(box) :])
    return target


def test_a_film_trimmed_by_its_edit_list_is_whole(tmp_path):
    options = {"crf": "20", "g": "100", "bf": "0"}
    plain = written(tmp_path / "plain.mp4", moving(60), form="yuv420p", options=options)
    path = trimmed(plain, tmp_path / "a.mp4", start=30, count=20)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["reason"], row["frames"], row["kept"]) == ("ok", "", 20, 4)
    assert row["header_frames"] == 60
    np.testing.assert_array_equal(next(video.read(path)).grey(), list(video.read(plain))[30].grey())
    assert len(video.packet_times(path)) == 20  # planned right at once


def with_fillers(path: Path, target: Path, after) -> Path:
    """A copy of an AVI video with empty chunks after some of its frames: the one before is shown for longer."""
    content = path.read_bytes()
    head = content.index(b"movi")
    place, chunks = head + 4, []
    while content[place : place + 4] == b"00dc":
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        chunks.append(content[place : place + 8 + size + size % 2])
        place += len(chunks[-1])
        chunks += [b"00dc" + bytes(4)] * (len([c for c in chunks if len(c) > 8]) - 1 in after)
    movi, index = b"movi" + b"".join(chunks), b""
    offset = 4
    for chunk in chunks:
        size = int.from_bytes(chunk[4:8], "little")
        index += b"00dc" + struct.pack("<III", 16 if size else 0, offset, size)
        offset += len(chunk)
    new = bytearray(content[: head - 8] + b"LIST" + struct.pack("<I", len(movi)) + movi)
    new += b"idx1" + struct.pack("<I", len(index)) + index
    new[4:8] = struct.pack("<I", len(new) - 8)
    length = new.index(b"strh") + 8 + 32
    new[length : length + 4] = struct.pack("<I", len(chunks))
    target.write_bytes(new)
    return target


def test_empty_chunks_of_an_avi_file_are_no_loss(tmp_path):
    plain = written(tmp_path / "plain.avi", moving(20), codec="mpeg4", form="yuv420p", options={"qscale": "3"})
    path = with_fillers(plain, tmp_path / "a.avi", after=range(3, 15))
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["reason"], row["frames"], row["header_frames"]) == ("ok", "", 20, 32)
    times = [frame.time for frame in video.read(path)]
    assert times[4] - times[3] == pytest.approx(2 / 25)


@pytest.mark.parametrize("suffix", ["mkv", "avi", "mp4", "ts"])
@pytest.mark.parametrize("part", [0.4, 0.6, 0.9])
def test_a_file_that_is_cut_says_so(tmp_path, noise, suffix, part):
    path = tmp_path / f"whole.{suffix}"
    with av.open(path, "w", options={"movflags": "faststart"} if suffix == "mp4" else {}) as file:
        stream = file.add_stream("mpeg4", rate=25, options={"qscale": "2", "g": "1"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for image in np.concatenate([noise] * 4):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")))
        file.mux(stream.encode())
    assert keep(path, tmp_path / "frames.mkv", COUNT)["status"] == "ok"
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    row = keep(cut, tmp_path / "frames.mkv", COUNT)
    assert 48 * part - 15 < row["frames"] < 48
    if suffix != "ts":  # whose header says nothing of its length
        assert row["status"] == "truncated"


# ---- which stream, and which file


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_jpeg_that_is_cut_is_no_picture(tmp_path, noise, part, progressive):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(noise[0]).save(whole, progressive=progressive)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[: int(whole.stat().st_size * part)])
    assert keep(whole, tmp_path / "frames.mkv", COUNT)["status"] == "ok"
    row = keep(tmp_path / "cut.jpg", tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["kept"]) == ("decode_error", 0)
    assert "do not decode" in row["reason"]


@pytest.mark.parametrize("more", [b"\0" * 500, b"\xff\xd8\xff\xe1" + bytes(range(256)) * 4, b"ftypisom" * 99])
def test_what_follows_a_jpeg_in_its_file_is_no_damage(tmp_path, noise, more):
    Image.fromarray(noise[0]).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + more)  # phones put a film there
    assert keep(tmp_path / "b.jpg", tmp_path / "frames.mkv", COUNT)["status"] == "ok"


def test_a_gif_that_is_cut_says_so(tmp_path, noise):
    first, *rest = [Image.fromarray(image) for image in noise]
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=40)
    content = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "b.gif").write_bytes(content[: len(content) * 6 // 10])
    (tmp_path / "c.gif").write_bytes(content + b"\0" * 9)
    found = {name: keep(tmp_path / f"{name}.gif", tmp_path / "frames.mkv", COUNT) for name in "abc"}
    assert {name: row["status"] for name, row in found.items()} == {"a": "ok", "b": "truncated", "c": "ok"}
    assert "the file ends before its trailer" in found["b"]["reason"]


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_pictures_that_hevc_loses_without_a_word_are_counted(tmp_path, suffix):
    options = {"x265-params": "log-level=none:keyint=12"}
    whole = written(tmp_path / f"a{suffix}", moving(24), "libx265", "yuv420p", options)
    assert keep(whole, tmp_path / "frames.mkv", COUNT)["status"] == "ok"
    with av.open(whole) as source, av.open(tmp_path / f"b{suffix}", "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(video=0)):
            if packet.size and place not in (1, 13):  # which others refer to
                packet.stream = stream
                target.mux(packet)
    row = keep(tmp_path / f"b{suffix}", tmp_path / "frames.mkv", COUNT)
    assert row["status"] == "truncated"
    assert f"{22 - row['frames']} packets give no picture" in row["reason"]


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3", "b_strategy": "0"}), ("mpeg4", {"bf": "2"})])
def test_the_clock_of_an_avi_file_whose_frames_are_coded_out_of_order_goes_forwards(tmp_path, codec, options):
    path = written(tmp_path / "a.avi", moving(24), codec, "yuv420p", options)
    frames = list(video.read(path))
    assert np.diff([frame.time for frame in frames]) == pytest.approx(1 / 25)
    assert [frame.time for frame in frames] == pytest.approx(video.packet_times(path))
    whole, needed = (COUNT.model_copy(update={"decode": how}) for how in ("whole", "needed"))
    keep(path, tmp_path / "whole.mkv", whole)
    keep(path, tmp_path / "needed.mkv", needed)
    assert (video.images(tmp_path / "whole.mkv") == video.images(tmp_path / "needed.mkv")).all()


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_the_clock_goes_on_where_two_films_were_joined(tmp_path, suffix):
    films = [written(tmp_path / f"{name}{suffix}", moving(60), "mpeg2video", "yuv420p", {"bf": "2"}) for name in "ab"]
    path = joined(tmp_path / f"c{suffix}", *films)
    times = [frame.time for frame in video.read(path)]
    assert len(times) == 120
    assert min(np.diff(times)) > 0
    assert times[-1] - times[0] == pytest.approx(119 / 25, abs=0.2)
    told = video.packet_times(path)
    assert told[-1] - told[0] == pytest.approx(119 / 25, abs=0.2)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_dots_an_inch_are_no_shape_of_pixels(tmp_path, scene, suffix):
    Image.fromarray(scene).save(tmp_path / f"a{suffix}", dpi=(300, 150))
    assert video.images(tmp_path / f"a{suffix}")[0].shape == scene.shape
    assert video.probe(tmp_path / f"a{suffix}").sar == "1:1"


def beside(path: Path, images, aside, codec="mjpeg", first=True, count=1) -> Path:
    """A film with a small picture or two as a stream of its own."""
    small, form = np.ascontiguousarray(images[0][:32, :32]), "yuvj420p" if codec == "mjpeg" else "yuv420p"
    with av.open(path, "w") as file:
        kinds = [(codec, form, [small] * count, aside), ("libx264", "yuv420p", images, Disposition.default)]
        streams = []
        for name, pixels, shots, disposition in kinds if first else reversed(kinds):
            stream = file.add_stream(name, rate=25)
            stream.height, stream.width, stream.pix_fmt = *shots[0].shape[:2], pixels
            stream.disposition = disposition
            streams.append((stream, shots, pixels))
        for stream, shots, pixels in streams:
            for image in shots:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image).reformat(format=pixels)))
            file.mux(stream.encode())
    return path


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("suffix", "aside", "codec", "count"),
    [
        ("mp4", Disposition.attached_pic, "mjpeg", 1),  # a cover
        ("mkv", Disposition.default, "mjpeg", 2),  # small pictures that nothing tells but their number
        ("mkv", Disposition(0), "libx264", 12),  # another film, which is not the default
    ],
)
def test_the_film_is_shown_and_not_what_lies_beside_it(tmp_path, noise, first, suffix, aside, codec, count):
    path = beside(tmp_path / f"a.{suffix}", noise, aside, codec, first, count)
    assert video.images(path).shape == noise.shape


class Stream(NamedTuple):
    """A stream of a file, as far as it matters for which is shown."""

    disposition: Disposition
    width: int
    height: int = 48
    codec_context: object = "a decoder"


class Streams(NamedTuple):
    """The streams of a file, of which FFmpeg takes the first for the best."""

    video: list[Stream]

    def best(self, _: str) -> Stream | None:
        return self.video[0] if self.video else None


COVER, STILL, TILE = Disposition.attached_pic, Disposition.still_image, Disposition.dependent
THUMBNAILS, PLAIN, FIRST = Disposition.timed_thumbnails, Disposition(0), Disposition.default


@pytest.mark.parametrize(
    ("streams", "width"),
    [
        ([(COVER, 900), (PLAIN, 64)], 64),
        ([(THUMBNAILS | COVER, 160), (THUMBNAILS, 160), (FIRST, 64)], 64),
        ([(STILL | FIRST, 900), (PLAIN, 64)], 64),
        ([(STILL, 900)], 900),  # a photograph
        ([(PLAIN, 64), (PLAIN, 900)], 64),  # FFmpeg's choice
        ([(COVER, 900), (PLAIN, 64), (PLAIN, 320)], 320),
        ([(COVER, 900), (PLAIN, 320), (FIRST, 64)], 64),
        ([(TILE, 512), (TILE, 512), (STILL, 64)], 512),  # of a picture, beside its thumbnail
        ([(FIRST, 64), (TILE, 512)], 64),
    ],
)
def test_of_several_streams_that_one_is_shown_that_a_player_shows(streams, width):
    container = SimpleNamespace(streams=Streams([Stream(*stream) for stream in streams]))
    assert source._shown(container).width == width


@pytest.mark.parametrize(
    ("streams", "status", "reason"),
    [
        ([], "no_video", "no video stream"),
        ([Stream(COVER, 64)], "no_video", "no video stream"),
        ([Stream(PLAIN, 64, 48, None)], "decode_error", "no decoder"),
    ],
)
def test_a_file_without_a_stream_to_show_says_why(streams, status, reason):
    with pytest.raises(video.Unreadable, match=reason) as error:
        source._shown(SimpleNamespace(streams=Streams(streams)))
    assert error.value.status == status


NAMES = [
    "12:30.mp4",
    "concat:a.mp4",
    "-i.mp4",
    "%03d.mp4",
    "http:x.mp4",
    "a?b*.mp4",
    "a{1}[3].mp4",
    " .mp4",
    "ä\n.mp4",
]


@pytest.mark.parametrize("name", [*NAMES, "pipe:0", "file:a.mp4", "data:,x", "no suffix", "a.mp4.", "x.%d"])
def test_a_name_is_the_name_of_a_file_and_nothing_else(tmp_path, monkeypatch, odd, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(odd("plain").read_bytes())
    row = keep(Path(name), tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["reason"], row["frames"]) == ("ok", "", 12)
    assert video.probe(Path(name)).header_frames == 12


@pytest.mark.parametrize("name", ["%02d.png", "a*.png", "[0-9].png", "shot-01.png"])
def test_an_image_is_one_picture_and_no_series(tmp_path, scene, name):
    for other in (*(f"{i:02}.png" for i in range(3)), "shot-02.png"):
        (tmp_path / other).write_bytes(cv2.imencode(".png", np.zeros_like(scene))[1].tobytes())
    (tmp_path / name).write_bytes(cv2.imencode(".png", scene[:, :, ::-1])[1].tobytes())
    np.testing.assert_array_equal(video.images(tmp_path / name), scene[None])


def test_a_name_that_is_no_utf8_or_has_255_bytes_is_read(tmp_path, odd):
    for name in (b"\xff\xfe.mp4", b"a" * 251 + b".mp4"):
        path = Path(str(tmp_path), name.decode(errors="surrogateescape"))
        path.write_bytes(odd("plain").read_bytes())
        assert len(list(video.read(path))) == 12


def test_a_name_too_long_for_the_disk_is_unreadable(tmp_path):
    with pytest.raises(video.Unreadable, match="cannot be read: File name too long"):
        video.probe(tmp_path / ("a" * 300 + ".mp4"))


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile plain.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_file_that_names_others_is_no_video(tmp_path, monkeypatch, odd, content):
    monkeypatch.chdir(tmp_path)
    Path("plain.mp4").write_bytes(odd("plain").read_bytes())
    Path("a.mp4").write_text(content)
    assert keep(Path("a.mp4"), tmp_path / "frames.mkv", COUNT)["status"] == "decode_error"


# ---- images, and other suffixes


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tiff", "webp", "jp2", "avif"])
@pytest.mark.parametrize("size", [(48, 96), (47, 95)])
def test_an_image_is_a_video_of_one_frame(tmp_path, scene, suffix, size):
    image = np.ascontiguousarray(scene[: size[0], : size[1]])
    if not cv2.haveImageWriter(f"a.{suffix}"):
        pytest.skip(f"OpenCV writes no {suffix}")
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(cv2.imencode(f".{suffix}", image[:, :, ::-1])[1].tobytes())
    assert video.is_video(path)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["frames"], row["kept"], row["width"], row["height"]) == ("ok", 1, 1, size[1], size[0])
    (stored,) = video.images(tmp_path / "frames.mkv")
    assert np.abs(stored.astype(int) - image).mean() < (1 if suffix in ("png", "bmp", "tiff", "jp2") else 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 2), (5, 7), (8, 16386), (16387, 3)])
@pytest.mark.parametrize("mode", ["colour", "grey"])
def test_an_image_of_any_size_is_stored(tmp_path, size, mode):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = image if mode == "colour" else image[..., :1].repeat(3, -1)
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", image[..., ::-1] if mode == "colour" else image[..., 0])[1].tobytes())
    assert keep(path, tmp_path / "frames.mkv", COUNT)["status"] == "ok"
    np.testing.assert_array_equal(video.images(tmp_path / "frames.mkv")[0], image)


def test_a_moving_gif_is_a_video(tmp_path):
    path = written(tmp_path / "a.gif", moving(10), codec="gif", form="rgb8", options={})
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["reason"], row["frames"], row["kept"]) == ("ok", "", 10, 4)


def test_a_moving_webp_is_a_video(tmp_path):
    moving_picture = cv2.Animation()
    moving_picture.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGRA) for image in moving(6)]
    moving_picture.durations = [100, 300, 100, 100, 50, 50]
    assert cv2.imwriteanimation(str(tmp_path / "a.webp"), moving_picture, [cv2.IMWRITE_WEBP_QUALITY, 95])
    row = keep(tmp_path / "a.webp", tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["frames"], row["kept"], row["codec"]) == ("ok", 6, 4, "webp")
    frames = list(video.read(tmp_path / "a.webp"))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.4, 0.5, 0.6, 0.65])
    assert video.packet_times(tmp_path / "a.webp") == pytest.approx([0, 0.1, 0.4, 0.5, 0.6, 0.65])
    for frame, image in zip(frames, moving(6), strict=True):
        assert np.abs(frame.rgb().astype(int) - image).mean() < 12
    cut = tmp_path / "cut.webp"
    cut.write_bytes((tmp_path / "a.webp").read_bytes()[:300])
    assert keep(cut, tmp_path / "frames.mkv", COUNT)["status"] == "decode_error"


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *[
            ("m2ts", "mpeg2video"),
            ("vob", "mpeg2video"),
            ("mpe", "mpeg1video"),
            ("m2v", "mpeg2video"),
            ("mxf", "mpeg2video"),
        ],
        *[("f4v", "libx264"), ("asf", "wmv2"), ("y4m", "wrapped_avframe"), ("qt", "mjpeg"), ("h264", "libx264")],
        *[("m4v", "mpeg4"), ("mjpeg", "mjpeg"), ("nut", "ffv1"), ("3g2", "h263"), ("ivf", "libvpx")],
    ],
)
def test_what_people_have_is_read(tmp_path, suffix, codec):
    formats = {"m2ts": "mpegts", "mpe": "mpeg", "qt": "mov", "y4m": "yuv4mpegpipe", "m4v": "m4v"}
    images = np.repeat(np.repeat(moving(6), 3, 1), 3, 2)[:, :144, :176]
    path = tmp_path / f"a.{suffix}"
    with av.open(path, "w", format=formats.get(suffix)) as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = 144, 176
        stream.pix_fmt = form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image)).reformat(format=form)
            picture.pts, picture.time_base = i, Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    assert video.is_video(path)
    row = keep(path, tmp_path / "frames.mkv", COUNT)
    assert (row["status"], row["reason"], row["frames"]) == ("ok", "", 6)


# ---- a frame as arrays


@pytest.mark.parametrize(
    "form", ["yuv420p", "yuvj420p", "yuv444p", "nv12", "gray", "rgb24", "gbrp", "yuv420p10le", "gray10le", "yuyv422"]
)
def test_grey_is_the_brightness_from_black_to_white(form):
    ramp = np.repeat(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 16, 0), 3, 2)
    frame = video.Frame(0, 0.0, av.VideoFrame.from_ndarray(ramp).reformat(format=form))
    grey = frame.grey()
    assert grey.flags["C_CONTIGUOUS"]
    assert (grey.shape, grey.dtype) == ((16, 256), np.uint8)
    assert np.abs(grey.astype(int) - frame.rgb()[..., 0]).max() <= 1
    assert np.abs(grey.astype(int) - ramp[..., 0]).max() <= 2


@pytest.mark.parametrize(
    "form", ["yuv420p", "nv12", "p010le", "rgb24", "bgr0", "gray", "yuyv422", "gbrp", "rgb48le", "pal8"]
)
def test_planes_hold_every_value_once_and_no_padding(form):
    picture = av.VideoFrame(63, 47, form)
    for plane in picture.planes:
        plane.update(bytes(range(256)) * (plane.buffer_size // 256) + bytes(plane.buffer_size % 256))
    before = [plane.copy() for plane in video.Frame(0, 0.0, picture).planes()]
    for plane in before:
        assert plane.shape[0] in (47, 24)
    if form in ("yuv420p", "nv12", "gray", "gbrp"):
        lengths = {"yuv420p": [63, 32, 32], "nv12": [63, 64], "gray": [63], "gbrp": [63] * 3}[form]
        assert [plane.shape[1] for plane in before] == lengths
