"""uadfv: UADFV: real/0000.mp4 and fake/0000_fake.mp4, made of it.

All fakes show the face of one actor, who is left out of their identities: he would tie all of them into one group.

Source: Yang, Li and Lyu, "Exposing deep fakes using inconsistent head poses", ICASSP 2019.
"""

from pathlib import Path

import pandas as pd

from deepfake.dataset.published import Clip, survey, table, told

NAME = "UADFV"
FORM = "real/0000.mp4 and fake/0000_fake.mp4"
PUBLISHED = {NAME: {"real": 49, "fake": 49}}

_REAL = told(r"real/(?:videos/|frames/)?(?P<name>\d{4})")
_FAKE = told(r"fake/(?:videos/|frames/)?(?P<name>\d{4})_fake")


def scan(root: Path) -> pd.DataFrame:
    """One row a video."""
    return table(survey(root, NAME, FORM, read), ["one donor is on all fakes, and so on every side of a split"])


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    if match := _REAL(path):
        return Clip(0, NAME, (match["name"],), key=match["name"])
    if match := _FAKE(path):
        return Clip(1, NAME, (match["name"],), "FakeApp", original=match["name"])
    return None
