"""redraw: generators draw the faces they were given, by every way to enlarge, and the same for the same seed."""

import numpy as np
import pytest
import torch

from deepfake import redraw, video
from deepfake.base import items
from deepfake.base.items import Item
from deepfake.models.autoencoder import WAYS, Autoencoder, trained
from deepfake.redraw import RedrawParams

pytestmark = pytest.mark.usefixtures("one_thread")
P = RedrawParams(decoders=["nearest"], adversary=False, width=8, steps=3, batch_size=4, seed=0)


@pytest.mark.parametrize("side", [32, 37])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_comes_back_in_its_size(way, side):
    net = Autoencoder(way, width=8, depth=3, code=4)
    out = net(torch.rand(2, 3, side, side))
    assert out.shape == (2, 3, side, side)
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("adversary", [False, True])
def test_it_learns_to_draw(heads, adversary):
    faces = torch.from_numpy(heads[0][:, ::4, ::4].copy()).permute(0, 3, 1, 2)

    def error(steps: int) -> float:
        net = trained(faces, "shuffle", width=8, steps=steps, batch=8, adversary=adversary, seed=0)
        with torch.inference_mode():
            return float((net(faces.float() / 255) - faces / 255).abs().mean())

    assert error(80) < 0.6 * error(1)


def test_every_face_is_drawn_and_the_same_for_the_same_seed(heads, tmp_path):
    files = []
    for number, head in enumerate(heads):
        files.append(tmp_path / f"{number}.npy")
        np.save(files[-1], head[:3, ::8, ::8])
    [item] = redraw.todo(files, 1, P)
    films = []
    for name in ("one", "again"):
        (tmp_path / name).mkdir()
        result = redraw.work(item, tmp_path / name, P)
        assert (result["faces"], result["learnt"]) == (6, 3)
        films.append(video.images(tmp_path / name / redraw.FACES))
    assert films[0].shape == (6, 32, 32, 3)
    np.testing.assert_array_equal(*films)


def test_there_is_a_generator_for_each_way_and_rival():
    p = P.model_copy(update={"decoders": ["transposed", "bilinear"], "adversary": True})
    todo: list[Item] = redraw.todo([], 0, p)
    assert [item.name for item in todo] == ["bilinear", "bilinear_adversary", "transposed", "transposed_adversary"]
    assert redraw.todo([], 0, p.model_copy(update={"decoders": []})) == []


def test_a_further_generator_is_made_and_the_others_are_kept(heads, tmp_path):
    np.save(tmp_path / "face.npy", heads[0][:2, ::8, ::8])
    more = P.model_copy(update={"decoders": ["nearest", "shuffle"]})
    reused = []
    for p in (P, more):
        results = items.make(redraw.todo([tmp_path / "face.npy"], 1, p), redraw.work, p, label="redraw")
        reused.append([result.reused for result in results])
    assert reused == [[False], [True, False]]
