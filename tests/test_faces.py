"""faces: crops are upright, aligned and cut where the face is; boxes and blur are measured right."""

import cv2
import numpy as np
import pytest

from deepfake import faces
from deepfake.base.errors import UserError
from deepfake.faces import DLIB_5, EYES_NOSE_MOUTH, Face

RNG = np.random.default_rng(0)


def face(left=10.0, top=20.0, side=40.0, score=1.0, landmarks=None) -> Face:
    """An upright square face whose landmarks fit its box."""
    own = np.array([left, top]) + side * DLIB_5 if landmarks is None else np.array(landmarks, float)
    return Face(np.array([left, top, left + side, top + side]), score, own)


def similarity(degrees: float, scale: float, x: float, y: float) -> np.ndarray:
    """(2, 3): a turn, a scale and a shift."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([turn, [[x], [y]]])


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (0, 3.5), (30, 1), (-170, 0.2), (180, 12)])
def test_a_known_similarity_is_found(degrees, scale):
    matrix = similarity(degrees, scale, -7, 90)
    points = RNG.uniform(0, 100, (5, 2))
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(faces.similarity(points, moved), matrix, atol=1e-9)


def test_the_similarity_of_points_that_do_not_fit_is_the_nearest_one():
    points, moved = RNG.uniform(0, 100, (2, 5, 2))
    matrix = faces.similarity(points, moved)
    refined, _ = cv2.estimateAffinePartial2D(points, moved, method=cv2.RANSAC, ransacReprojThreshold=1e6)
    np.testing.assert_allclose(matrix, refined, atol=1e-3)
    error = lambda m: ((points @ m[:, :2].T + m[:, 2] - moved) ** 2).sum()  # noqa: E731
    nearby = [matrix + step for step in 0.01 * RNG.standard_normal((50, 2, 3))]
    symmetric = [np.array([[m[0, 0], -m[1, 0], m[0, 2]], [m[1, 0], m[0, 0], m[1, 2]]]) for m in nearby]
    assert all(error(matrix) <= error(m) for m in symmetric)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2))),
        (np.ones((1, 2)), np.ones((1, 2))),
        (np.full((5, 2), 3.0), DLIB_5),  # all on one point
        (np.full((5, 2), np.nan), DLIB_5),
        (np.full((5, 2), np.inf), DLIB_5),
        (RNG.uniform(0, 9, (4, 2)), DLIB_5),
    ],
)
def test_degenerate_points_have_no_similarity(source, target):
    assert faces.similarity(source, target) is None


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ([0, 0, 10, 10], 1),
        ([5, 0, 15, 10], 1 / 3),
        ([0, 0, 5, 5], 1 / 4),
        ([9, 9, 19, 19], 1 / 199),
        ([10, 0, 20, 10], 0),  # they touch
        ([30, 30, 40, 40], 0),
        ([5, 5, 5, 5], 0),  # a box without an area
        ([8, 8, 2, 2], 0),  # a box the wrong way round
    ],
)
def test_the_overlap_of_boxes_is_intersection_over_union(other, share):
    box = np.array([[0.0, 0, 10, 10]])
    assert faces.overlap(box, np.array([other], float)) == pytest.approx(share)
    assert faces.overlap(np.array([other], float), box) == pytest.approx(share)


def test_overlap_compares_each_box_with_each():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 5, 10]])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(faces.overlap(boxes, others), [[1, 0.5, 0], [0.5, 0, 0]])


def test_of_faces_on_one_place_the_best_is_kept():
    near, best, far = face(10, score=1), face(14, score=3), face(200, score=2)
    assert faces.distinct([near, best, far]) == [best, far]
    assert faces.distinct([]) == []


@pytest.mark.parametrize(("shift", "kept"), [(17.0, 1), (17.2, 2)])  # of 40 px: overlaps .404 and .399
def test_faces_that_overlap_little_are_two(shift, kept):
    assert len(faces.distinct([face(0), face(shift)])) == kept


def test_a_face_found_in_an_enlarged_part_is_told_in_the_whole_image():
    part = face(left=20, top=40, side=80)
    whole = part.moved(2, left=100, top=50)
    assert whole.box.tolist() == [110, 70, 150, 110]
    np.testing.assert_allclose(whole.landmarks, np.array([110, 70]) + 40 * DLIB_5)
    assert (part.side, whole.side) == (80, 40)


@pytest.mark.parametrize(("box", "landmarks"), [((5,), (5, 2)), ((4,), (10,)), ((4,), (5, 3))])
def test_a_face_of_the_wrong_shape_is_a_bug(box, landmarks):
    with pytest.raises(ValueError, match="must be"):
        Face(np.zeros(box), 1.0, np.zeros(landmarks))


@pytest.mark.parametrize("template", [DLIB_5, EYES_NOSE_MOUTH])
@pytest.mark.parametrize("degrees", [0, 20, -60, 180])
@pytest.mark.parametrize("side", [30, 100, 400])  # px: enlarged, about the same, shrunk by area
def test_landmarks_land_on_the_template(template, degrees, side):
    matrix = similarity(degrees, side, 500, 500)
    landmarks = template @ matrix[:, :2].T + matrix[:, 2]
    middle = landmarks.mean(0)
    place = Face(np.concatenate([middle - side / 2, middle + side / 2]), 1.0, landmarks)
    size, margin = 112, 0.3
    targets = (template + margin) / (1 + 2 * margin) * size
    for landmark, target in zip(landmarks, targets, strict=True):
        image = np.zeros((1000, 1000, 3), np.uint8)
        at = tuple(int(c) for c in np.round(landmark * 16))  # in 16ths of a pixel
        cv2.circle(image, at, side * 16 // 20, (255,) * 3, -1, cv2.LINE_AA, shift=4)
        cut, aligned = faces.crop(image, place, template, size, margin)
        assert aligned
        assert cut.shape == (size, size, 3)
        rows, columns = np.indices((size, size))
        weight = cut[..., 0] / cut[..., 0].sum(dtype=float)
        np.testing.assert_allclose([(columns * weight).sum(), (rows * weight).sum()], target, atol=1)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.full((5, 2), 30.0),  # all on one point
        np.full((5, 2), np.nan),
        [10, 20] + 90 * DLIB_5,  # of a face more than twice as large as the box
        [10, 20] + 19 * DLIB_5,  # of one less than half as large
    ],
)
def test_without_good_landmarks_the_plain_box_is_cut(landmarks):
    image = RNG.integers(0, 256, (100, 100, 3), dtype=np.uint8)
    cut, aligned = faces.crop(image, face(10, 20, 40, landmarks=landmarks), DLIB_5, 40, 0.0)
    assert not aligned
    np.testing.assert_array_equal(cut, image[20:60, 10:50])


@pytest.mark.parametrize(("margin", "edges"), [(0.0, (40, 60)), (0.5, (30, 70)), (1.0, (20, 80))])
def test_the_margin_is_in_parts_of_the_face(margin, edges):
    image = np.zeros((100, 100, 3), np.uint8)
    low, high = edges
    image[low:high, low:high] = 255
    side = high - low
    cut, _ = faces.crop(image, face(40, 40, 20, landmarks=np.zeros((5, 2))), DLIB_5, side, margin)
    assert (cut == 255).all()


def test_edges_are_replicated():
    white = np.full((50, 50, 3), 255, np.uint8)
    for place in (face(-20, -30, 60), face(30, 30, 60), face(30, 30, 60, landmarks=np.zeros((5, 2)))):
        cut, _ = faces.crop(white, place, DLIB_5, 64, 0.5)
        assert (cut == 255).all()


def test_a_face_is_less_sharp_the_more_it_is_blurred(heads):
    image, place = heads[0][0], face(75, 75, 130)
    blurred = [image, *(cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (0.7, 1.5, 3, 6))]
    measured = [faces.sharpness(image, place) for image in blurred]
    assert measured == sorted(measured, reverse=True)
    assert measured[0] > 10 * measured[-1]


def test_sharpness_does_not_depend_on_the_size_of_the_face(heads):
    smooth = cv2.GaussianBlur(heads[0][0], (0, 0), 2)
    twice = cv2.resize(smooth, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    small, large = faces.sharpness(smooth, face(64, 64, 128)), faces.sharpness(twice, face(128, 128, 256))
    assert large == pytest.approx(small, rel=0.25)


@pytest.mark.parametrize("side", [32, 48, 64, 96, 128, 256])  # px of a head that was drawn some 125 px large
def test_a_small_face_is_as_sharp_as_it_is_at_its_own_size(heads, side):
    scale = side / 130
    small = cv2.resize(heads[0][0], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = small if scale < 1 else heads[0][0]
    place = face(75 * min(scale, 1), 75 * min(scale, 1), 130 * min(scale, 1))
    blurred = cv2.GaussianBlur(small, (0, 0), 4)
    assert faces.sharpness(small, place) > 40
    assert faces.sharpness(blurred, place) < 20


@pytest.mark.parametrize(("left", "top"), [(-500, 0), (60, 0), (0, 400)])
def test_a_box_beside_the_image_has_no_sharpness(left, top):
    assert faces.sharpness(RNG.integers(0, 256, (50, 50, 3), dtype=np.uint8), face(left, top)) == 0


def test_an_even_image_has_no_sharpness():
    assert faces.sharpness(np.full((50, 50, 3), 77, np.uint8), face()) == 0


@pytest.mark.parametrize("points", [5, 68])
def test_dlib_finds_its_landmarks_in_the_box(heads, points):
    landmarks = faces.dlib_landmarks(points)(heads[0][0], np.array([79.0, 79, 204, 204]))
    assert landmarks.shape == (points, 2)
    assert ((landmarks > 60) & (landmarks < 230)).all()


def test_a_model_that_is_not_installed_is_named():
    with pytest.raises(UserError, match=r"no dlib model none\.dat"):
        faces.dlib_model("none.dat")


def test_a_large_face_is_shrunk_where_it_is_as_if_the_whole_picture_were():
    ramp = np.linspace(0, 255, 900)
    picture = np.stack([np.tile(ramp, (700, 1)), np.tile(ramp[:700, None], (1, 900)), np.full((700, 900), 9.0)], 2)
    matrix = similarity(10, 0.2, 5, -40)  # a fifth: area first, then bilinear
    cut = faces.warp(picture.round().astype(np.uint8), matrix, 64)
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    inverse = np.linalg.inv(matrix[:, :2])
    source = (np.stack([x, y], 2) - matrix[:, 2]) @ inverse.T
    inside = ((source > 5) & (source < (894, 694))).all(2)
    assert inside.mean() > 0.5
    expected = source[..., :2] * 255 / 899  # what a ramp shows at a place
    assert np.abs(cut[..., :2] - expected)[inside].max() < 1.5


@pytest.mark.parametrize("shift", [(-1e4, 0.0), (1e4, 1e4), (0.0, -1e4)])
def test_a_view_beside_the_picture_repeats_its_edge(shift):
    picture = np.full((300, 300, 3), 77, np.uint8)
    assert (faces.warp(picture, similarity(0, 0.2, *shift), 32) == 77).all()


@pytest.mark.parametrize("degrees", [0, 25])
@pytest.mark.parametrize("scale", [0.2, 0.6, 1.0, 1.7])
@pytest.mark.parametrize("shift", [(-60.0, -40.0), (20.0, 10.0), (-240.0, -110.0)])
def test_a_view_of_a_picture_takes_from_it_only_what_it_shows(degrees, scale, shift):
    picture = RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    matrix = similarity(degrees, scale, *(scale * part for part in shift))
    asked = Asked(picture)
    expected = cv2.warpAffine(
        picture,
        matrix,
        (64, 64),
        flags=cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    cut = faces.warp(asked, matrix, 64)
    assert np.array_equal(cut, faces.warp(picture, matrix, 64))
    assert scale < 0.5 or np.array_equal(cut, expected)
    assert asked.pixels < 4 * (64 / scale + 8) ** 2


class Asked:
    """A picture that counts what is taken from it."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture, self.shape, self.pixels = picture, picture.shape, 0

    def __getitem__(self, place: tuple[slice, slice]) -> np.ndarray:
        part = self.picture[place]
        self.pixels += part.shape[0] * part.shape[1]
        return part
