"""wilddeepfake: WildDeepfake, whose face crops in archives are packed into videos first.

It comes as {real,fake}_{train,test}/7.tar.gz, each an archive of folders of numbered face crops of 224 px. `deepfake
dataset pack ROOT NEW` makes of every folder a lossless video of the same place, and this layout reads NEW. The crops
are faces already: set detect.detector to whole_frame. What comes of one archive comes of one video of the web, and is
one source; who is shown nobody knows, and there is no official val.

Source: Zi et al., "WildDeepfake: a challenging real-world dataset for deepfake detection", ACM Multimedia 2020.
"""

from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.files import printable
from deepfake.dataset.published import Clip, files, survey, table, told

NAME = "WildDeepfake"
FORM = "real_train/7.tar.gz, packed into real_train/7/7/real/12.mkv"
PUBLISHED = {NAME: {"real": 3805, "fake": 3509}}

_PATH = told(r"(?P<label>real|fake)[_ -](?P<split>train|test)/(?P<archive>[^/]+)/(?:[^/]+/)*(?P<name>[^/]+)")


def scan(root: Path) -> pd.DataFrame:
    """One row a sequence of faces."""
    archives = files(root, ["*.tar.gz", "*.tgz", "*.tar"])
    packed = [file for files in archives.lists.values() for file in files if read(file.with_suffix("") / "0")]
    if packed and not any(read(file.with_suffix("")) for file in archives.videos):
        shown = printable(str(root))
        raise UserError(
            f"{shown}: {len(packed)} archives of face crops, no videos",
            f"deepfake dataset pack {shown} NEW makes videos of them; then set extract.root to NEW",
        )
    return table(survey(root, NAME, FORM, read))


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    match = _PATH(path)
    if not match:
        return None
    label, split = match["label"].lower(), match["split"].lower()
    return Clip(int(label == "fake"), NAME, split=split, source=f"archive:{label}_{split}/{match['archive']}")
