"""shapes: landmarks of stored crops, where they are in the frame, and none where there is no face."""

import numpy as np

from deepfake.detectors import dlib_hog
from deepfake.faces import crop
from deepfake.pseudo import shapes
from deepfake.swap import Finder


def test_landmarks_of_a_crop_lie_where_they_lie_in_the_frame(heads):
    detector, image = dlib_hog.build(None), heads[0][0]
    face = detector.detect(image)[0]
    cut, aligned = crop(image, face, detector.template, 160, 0.3)
    assert aligned
    landmarks = shapes.landmarks(cut[None], 0.3)[0]
    again = Finder()(cut)
    assert np.abs(landmarks - again).max() < 6  # px of 160


def test_a_picture_without_a_face_has_none():
    flat = np.full((1, 96, 96, 3), 128, np.uint8)
    landmarks = shapes.landmarks(flat, 0.3)
    assert landmarks.shape == (1, 68, 2)
