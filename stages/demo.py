"""demo: the embedded videos: talking heads that are drawn, and swaps of their faces."""

from pathlib import Path
from tempfile import TemporaryDirectory

from deepfake.base import params
from deepfake.base.disk import aside
from deepfake.demo import CRF, DemoParams, draw
from deepfake.forge import ForgeParams, forge
from stages.command import Out, done, main


def run(videos: Out = Path("data/demo/videos")) -> None:
    """Draw the demo's people and swap their faces: as many fakes as reals, without any data set."""
    p = params.load("demo", DemoParams)
    with TemporaryDirectory() as drawn, aside(videos) as new:
        draw(Path(drawn), p)
        forged = forge(Path(drawn), new, ForgeParams(methods=p.methods, seed=p.seed, resolution=p.resolution, crf=CRF))
    done("demo", f"{len(forged.manifest)} videos, half of them fake", videos)


if __name__ == "__main__":
    main(run)
