"""video: what is stored is what was decoded, upright and on its own clock; what is broken says so."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from deepfake import video
from deepfake.player.copying import remade


def frames(images, form="rgb24", fps=25.0) -> list[video.Frame]:
    """Images as decoded frames in a pixel format."""
    pictures = [av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24") for image in images]
    return [video.Frame(i, i / fps, p.reformat(format=form)) for i, p in enumerate(pictures)]


def planes(picture: av.VideoFrame) -> list[np.ndarray]:
    """The brightness and the colours of a planar picture, each (height, width), as they are."""
    kind = np.uint8 if picture.format.components[0].bits == 8 else np.uint16
    lines = [np.frombuffer(plane, kind).reshape(plane.height, -1) for plane in picture.planes]
    return [line[:, : plane.width] for line, plane in zip(lines, picture.planes, strict=True)]


def decoded(path: Path) -> tuple[int, Exception | None]:
    """How many frames decode, and what is raised after them."""
    count = 0
    try:
        for frame in video.read(path):
            count = frame.index + 1
    except (video.Unreadable, video.Damaged) as error:
        return count, error
    return count, None


@pytest.mark.parametrize(
    ("form", "width", "height", "codec"),
    [
        ("yuv420p", 64, 48, "h264"),
        ("yuvj420p", 64, 48, "h264"),  # full range
        ("yuv422p", 64, 48, "h264"),
        ("yuv444p", 64, 48, "h264"),
        ("yuv420p", 63, 48, "ffv1"),  # H.264 halves the sides
        ("yuv420p", 64, 47, "ffv1"),
        ("yuv420p10le", 64, 48, "ffv1"),
        ("yuv420p10le", 63, 47, "ffv1"),
        ("yuv422p12le", 64, 48, "ffv1"),
        ("gray", 64, 48, "ffv1"),
    ],
)
def test_frames_are_stored_without_loss_in_their_own_pixel_format(tmp_path, noise, form, width, height, codec):
    given = frames(noise[:2, :height, :width], form)
    path = tmp_path / "a.mkv"
    assert video.save(path, given) == 2
    assert [frame.planes()[0].tobytes() for frame in video.stored(path)] == [
        frame.planes()[0].tobytes() for frame in video.read(path)
    ]
    for frame, stored in zip(given, video.read(path), strict=True):
        assert stored.picture.format.name == form
        for plane, expected in zip(planes(stored.picture), planes(frame.picture), strict=True):
            np.testing.assert_array_equal(plane, expected)
    assert video.probe(path).codec == codec


@pytest.mark.parametrize("size", [(320, 240), (319, 240), (320, 239), (30, 24)])
@pytest.mark.parametrize(
    "form", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv411p", "yuv420p10le", "gbrp", "gray"]
)
def test_a_part_of_a_frame_has_the_colours_of_the_whole(tmp_path, form, size):
    rng = np.random.default_rng(0)
    width, height = size
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    video.save(tmp_path / "a.mkv", frames([image], form))  # read again, its colours have their place between the pixels
    (frame,) = video.stored(tmp_path / "a.mkv")
    whole = frame.rgb()
    assert frame.view().shape == whole.shape
    for _ in range(10):
        view = frame.view()
        for _ in range(4):  # one part after the other: what is converted grows
            left, right = sorted(rng.integers(0, width + 1, 2).tolist())
            top, bottom = sorted(rng.integers(0, height + 1, 2).tolist())
            left, top = max(left, right - width // 4), max(top, bottom - height // 4)
            np.testing.assert_array_equal(view[top:bottom, left:right], whole[top:bottom, left:right])
    np.testing.assert_array_equal(frame.view()[:, :], whole)


def test_of_a_large_frame_only_what_is_looked_at_is_converted(tmp_path):
    video.save(tmp_path / "a.mkv", frames([np.zeros((720, 1280, 3), np.uint8)], "yuv420p"))
    view = next(video.stored(tmp_path / "a.mkv")).view()
    assert view[300:420, 400:560].shape == (120, 160, 3)
    assert view.pixels.size < 3 * 140 * 180


def test_a_grid_of_a_frame_is_of_its_pixels(tmp_path):
    image = np.zeros((64, 128, 3), np.uint8)
    image[:32, :64], image[32:, 64:] = (250, 10, 10), (10, 10, 250)
    (frame,) = frames([image])
    assert frame.sampled(4).tolist() == image[8::16, 16::32].tolist()


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
@pytest.mark.parametrize("form", ["rgb24", "gbrp", "rgba", "rgb48le", "gray", "nv12", "yuv444p", "bgr0", "yuvj444p"])
def test_the_colours_of_stored_frames_are_those_of_the_decoded_ones(tmp_path, noise, form, size):
    given = frames(noise[:2, : size[1], : size[0]], form)
    video.save(tmp_path / "a.mkv", given)
    np.testing.assert_array_equal(video.images(tmp_path / "a.mkv"), np.stack([frame.rgb() for frame in given]))


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("space", "number"), [(Colorspace.ITU601, 5), (Colorspace.ITU709, 1)])
def test_the_matrix_and_range_of_a_video_are_honoured_and_kept(tmp_path, space, number, full_range):
    colors = np.array([[255, 0, 0], [0, 200, 30], [20, 40, 240]], np.uint8)
    image = np.broadcast_to(np.repeat(colors, 16, 0), (16, 48, 3))
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    of = ColorRange.JPEG if full_range else ColorRange.MPEG
    form = "yuvj420p" if full_range else "yuv420p"
    with av.open(tmp_path / "a.mp4", "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 16, form
        stream.codec_context.colorspace, stream.codec_context.color_range = number, of
        file.mux(stream.encode(frame.reformat(format=form, dst_colorspace=space, dst_color_range=of)))
        file.mux(stream.encode())
    shown = video.images(tmp_path / "a.mp4")
    assert np.abs(shown[0, 8, 8::16].astype(int) - colors).max() <= 2
    video.save(tmp_path / "a.mkv", video.read(tmp_path / "a.mp4"))
    np.testing.assert_array_equal(video.images(tmp_path / "a.mkv"), shown)


@pytest.mark.parametrize(
    ("width", "height", "number"), [(64, 48, 5), (1278, 64, 5), (1280, 64, 1), (64, 576, 5), (64, 578, 1)]
)
def test_a_matrix_that_is_not_said_is_that_which_players_take(tmp_path, width, height, number):
    colors = np.array([[255, 0, 0], [0, 200, 30], [20, 40, 240]], np.uint8)
    image = np.zeros((height, width, 3), np.uint8)
    for i, color in enumerate(colors):
        image[:, i * width // 3 : (i + 1) * width // 3] = color
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    space = Colorspace.ITU709 if number == 1 else Colorspace.ITU601
    with av.open(tmp_path / "a.mp4", "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        file.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=space)))
        file.mux(stream.encode())
    with av.open(tmp_path / "a.mp4") as file:
        assert next(file.decode(video=0)).colorspace == 2  # it does not say
    middles = np.array([width // 6, width // 2, 5 * width // 6])
    for read in (video.read, video.stored):
        assert np.abs(next(read(tmp_path / "a.mp4")).rgb()[height // 2, middles].astype(int) - colors).max() <= 2
    video.save(tmp_path / "a.mkv", video.read(tmp_path / "a.mp4"))
    assert np.abs(video.images(tmp_path / "a.mkv")[0, height // 2, middles].astype(int) - colors).max() <= 2


@pytest.mark.parametrize(("size", "said"), [((64, 48), 2), ((1280, 720), 1)])
def test_what_is_encoded_says_its_matrix_where_it_is_large(tmp_path, size, said):
    image = np.full((size[1], size[0], 3), (200, 30, 60), np.uint8)
    video.encode(tmp_path / "a.mp4", [image] * 2, 25.0, crf=10)
    remade(tmp_path / "b.mp4", tmp_path / "a.mp4", [(0.0, image), (0.04, image)])
    for name in ("a.mp4", "b.mp4"):
        with av.open(tmp_path / name) as file:
            assert next(file.decode(video=0)).colorspace == said
        shown = next(video.read(tmp_path / name)).rgb()
        assert np.abs(shown[size[1] // 2, size[0] // 2].astype(int) - (200, 30, 60)).max() <= 3


def test_faces_are_recorded_without_loss(tmp_path, noise):
    with video.recording(tmp_path / "a.mkv") as record:
        for i, image in enumerate(noise):
            record(image[:, ::-1], i / 25)  # strided, as a crop may be
    np.testing.assert_array_equal(video.images(tmp_path / "a.mkv"), noise[:, :, ::-1])


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le", "rgb24"])
def test_equal_frames_make_equal_bytes(tmp_path, heads, form):
    for name in "ab":
        video.save(tmp_path / f"{name}.mkv", frames(heads[0], form))
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


@pytest.mark.parametrize("rate", [{"crf": 23}, {"bitrate": 100_000}])
def test_equal_images_are_encoded_to_equal_bytes(tmp_path, heads, rate):
    for name in "ab":
        assert video.encode(tmp_path / f"{name}.mp4", heads[0], 25, **rate) == 12
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_encoding_makes_an_ordinary_video_that_looks_like_its_images(tmp_path, heads):
    video.encode(tmp_path / "a.mp4", heads[0], 29.97)
    info = video.probe(tmp_path / "a.mp4")
    assert (info.codec, info.pix_fmt, info.width, info.height) == ("h264", "yuv420p", 256, 256)
    assert (info.header_frames, len(info.packet_times)) == (12, 12)
    assert info.fps == pytest.approx(29.97, abs=1e-2)
    assert np.abs(video.images(tmp_path / "a.mp4").astype(int) - heads[0]).mean() < 4  # of 255


def test_a_bitrate_rules_over_the_quality(tmp_path, heads):
    for bitrate in (100_000, 1_000_000):
        video.encode(tmp_path / f"{bitrate}.mp4", heads[0], 25, bitrate=bitrate, crf=51)
    assert (tmp_path / "100000.mp4").stat().st_size * 2 < (tmp_path / "1000000.mp4").stat().st_size


@pytest.mark.parametrize(
    "times",
    [
        [0.0, 0.04, 0.08, 0.12],
        [0.0, 0.033, 0.067, 0.1],
        [0.0, 0.01, 0.5, 7.25],  # a variable frame rate
        [3600.5, 3600.54, 3600.58, 3600.62],  # a recording cut out of a longer one
    ],
)
def test_the_clock_is_kept_to_a_millisecond(tmp_path, heads, times):
    given = [video.Frame(i, t, f.picture) for i, (t, f) in enumerate(zip(times, frames(heads[0][:4]), strict=True))]
    video.save(tmp_path / "a.mkv", given)
    assert [frame.time for frame in video.read(tmp_path / "a.mkv")] == pytest.approx(times, abs=1e-3)
    assert [frame.index for frame in video.read(tmp_path / "a.mkv")] == [0, 1, 2, 3]


def test_a_clock_that_stands_still_still_goes_on_in_the_store(tmp_path, heads):
    given = [video.Frame(i, 1.0, f.picture) for i, f in enumerate(frames(heads[0][:4]))]
    assert video.save(tmp_path / "a.mkv", given) == 4
    assert [round(frame.time, 3) for frame in video.read(tmp_path / "a.mkv")] == [1.0, 1.001, 1.002, 1.003]


def test_a_variable_frame_rate_is_read_as_it_was_written(odd):
    times = [0.01 * i**2 for i in range(12)]
    assert [frame.time for frame in video.read(odd("variable rate"))] == pytest.approx(times, abs=1e-3)
    assert video.probe(odd("variable rate")).packet_times == pytest.approx(times, abs=1e-3)


def test_frames_come_in_the_order_of_showing(film, tmp_path):
    greys = np.full((12, 64, 64, 3), 1, np.uint8) * np.arange(0, 240, 20, np.uint8)[:, None, None, None]
    film(tmp_path / "a.mp4", greys, bf="3", b_strategy="0")  # stored in another order
    with av.open(tmp_path / "a.mp4") as file:
        stored = [packet.pts for packet in file.demux(video=0) if packet.size]
    assert stored != sorted(stored)
    shown = [(frame.time, frame.rgb().mean()) for frame in video.read(tmp_path / "a.mp4")]
    assert all(a < b for before, after in pairwise(shown) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 3), (180, 2), (270, 1)])
def test_a_video_is_turned_as_its_metadata_say(film, turned, heads, tmp_path, degrees, quarters):
    wide = film(tmp_path / "wide.mp4", heads[0][:2, 64:192])
    path = turned(wide, tmp_path / "turned.mp4", degrees)
    for before, after in zip(video.read(wide), video.read(path), strict=True):
        upright = [np.rot90(plane, quarters) for plane in planes(before.picture)]
        for plane, expected in zip(planes(after.picture), upright, strict=True):
            np.testing.assert_array_equal(plane, expected)
    info = video.probe(path)
    assert info.rotation == degrees
    assert (info.width, info.height) == ((256, 128) if degrees == 180 else (128, 256))
    assert next(video.read(path, upright=False)).picture.width == 256


def test_what_is_stored_is_upright(odd, tmp_path):
    video.save(tmp_path / "a.mkv", video.read(odd("sideways")))
    assert video.probe(tmp_path / "a.mkv").rotation == 0
    np.testing.assert_array_equal(video.images(tmp_path / "a.mkv"), video.images(odd("sideways")))


def test_cover_art_is_not_the_video(odd):
    info = video.probe(odd("cover"))
    assert (info.codec, info.width) == ("h264", 256)
    assert decoded(odd("cover")) == (12, None)


def test_a_truncated_video_gives_its_frames_and_then_says_what_is_lost(odd):
    count, error = decoded(odd("truncated"))
    assert 5 <= count <= 7  # 60 % of the bytes are left
    assert isinstance(error, video.Damaged)
    assert video.probe(odd("truncated")).header_frames == 12


def test_frames_behind_a_hole_are_still_read(odd):
    count, error = decoded(odd("holes"))
    assert count == 7
    assert str(error).startswith("5 packets do not decode: ")
    assert isinstance(error, video.Damaged)
    frames_left = video.read(odd("holes"))
    assert [next(frames_left).time for _ in range(7)] == pytest.approx([i / 25 for i in (0, 1, 4, 5, 6, 10, 11)])


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("empty", "decode_error", "the file is empty"),
        ("text", "decode_error", "not a readable video: "),
        ("random", "decode_error", "not a readable video: "),
        ("no index", "decode_error", "not a readable video: "),
        ("sound", "no_video", "the file has no video stream"),
    ],
)
def test_what_is_no_video_says_why_at_once(odd, kind, status, reason):
    for look in (video.probe, lambda path: next(video.read(path))):
        with pytest.raises(video.Unreadable, match=reason) as error:
            look(odd(kind))
        assert error.value.status == status


@pytest.mark.parametrize("path", ["none.mp4", "no/such/folder/a.mp4", "."])
def test_a_path_without_a_file_is_missing(tmp_path, path):
    with pytest.raises(video.Unreadable, match="no such file") as error:
        video.probe(tmp_path / path)
    assert error.value.status == "missing"


def test_a_video_whose_packets_are_all_lost_is_unreadable(odd, tmp_path):
    with av.open(odd("plain")) as file:
        places = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(odd("plain").read_bytes())
    for start, size in places:
        content[start : start + size] = bytes(size)
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(video.Unreadable, match="no frame decodes: ") as error:
        video.probe(tmp_path / "a.mp4")
    assert error.value.status == "decode_error"


@pytest.mark.parametrize(
    ("max_side", "size"),
    [(None, (100, 60)), (100, (100, 60)), (99, (98, 58)), (50, (50, 30)), (35, (34, 20)), (16, (16, 8))],
)
def test_larger_frames_are_scaled_down_to_even_sides(tmp_path, max_side, size):
    video.save(tmp_path / "a.mkv", frames(np.full((1, 60, 100, 3), 90, np.uint8)), max_side=max_side)
    (image,) = video.images(tmp_path / "a.mkv")
    assert (image.shape[1], image.shape[0]) == size
    assert (image == 90).all()


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv420p10le", "nv12", "gray", "rgb24"])
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_every_format_can_be_stored_with_loss(tmp_path, heads, form, size):
    given = frames(heads[0][:3, : size[1], : size[0]], form)
    video.save(tmp_path / "lossy.mkv", given, crf=30)
    lossy = video.images(tmp_path / "lossy.mkv").astype(int)
    assert np.abs(lossy - np.stack([frame.rgb() for frame in given])).mean() < 10


def test_loss_saves_space(tmp_path, heads):
    sizes = []
    for crf in (0, 10, 40):
        video.save(tmp_path / "a.mkv", frames(heads[0], "yuv420p"), crf=crf)
        sizes.append((tmp_path / "a.mkv").stat().st_size)
    assert sizes[0] > 1.3 * sizes[1] > 2 * sizes[2]


def test_a_video_that_changes_its_size_is_stored_in_that_of_its_first_frame(tmp_path, noise):
    video.save(tmp_path / "a.mkv", [*frames(noise[:1]), *frames(noise[:1, ::2, ::2])])
    assert video.images(tmp_path / "a.mkv").shape == (2, 48, 64, 3)


def test_a_failure_leaves_nothing_behind(tmp_path, noise):
    def broken():
        yield from frames(noise[:2])
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        video.save(tmp_path / "a.mkv", broken())
    assert list(tmp_path.iterdir()) == []


def test_probe_says_what_the_headers_say(odd):
    info = video.probe(odd("plain"))
    assert (info.codec, info.pix_fmt, info.width, info.height) == ("h264", "yuv420p", 256, 256)
    assert (info.fps, info.duration, info.header_frames) == (25.0, pytest.approx(0.48), 12)
    assert info.bitrate == pytest.approx(odd("plain").stat().st_size * 8 / 0.48)
    assert info.packet_times == pytest.approx([i / 25 for i in range(12)])
