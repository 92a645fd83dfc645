"""transfer: the benchmark of methods that nobody trained on: its card says what its report says."""

import importlib.util
import re
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepfake import bundle, inference

ROOT = Path(__file__).parents[1]
SILENT, UNLIKE, LOST = 0.33, 99.0, None  # a logit near even odds, a distance beyond the bound, no face

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def transfer():
    spec = importlib.util.spec_from_file_location("transfer", ROOT / "benchmarks/transfer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forged(folder: Path, method: str) -> Path:
    """What deepfake forge leaves of four people, but for the videos."""
    rows = [{"path": f"real/{who}.mp4", "label": "real", "identities": who} for who in "abcd"]
    fakes = {"label": "fake", "method": method}
    rows += [
        {"path": f"{method}/{who}.mp4", "identities": f"{who}+x", "source": f"real/{who}.mp4"} | fakes for who in "abcd"
    ]
    folder.mkdir()
    pd.DataFrame(rows).fillna("").to_csv(folder / "manifest.csv", index=False)
    return folder


def tracks(file: str, copy: str, logit: float | None, distance: float = 1.0) -> dict[str, object]:
    """The row of a video of one track."""
    if logit is None:
        return {"file": file, "copy": copy, "status": "no_face", "track": -1, "logit": np.nan, "faces": 0}
    return {"file": file, "copy": copy, "status": "ok", "track": 0, "logit": logit, "faces": 8, "distance": distance}


@pytest.fixture
def written(transfer, tmp_path, monkeypatch) -> Path:
    """A folder with report.md, and the detector that ships in `described`, as of a table of logits."""
    folders = [forged(tmp_path / method, method) for method in ("mouth", "swap")]
    logits = {  # of a, b, c, d
        (folders[0] / "real", "as it is"): [-4.0, -3.0, 2.0, SILENT],
        (folders[0] / "mouth", "as it is"): [5.0, 1.5, -2.0, LOST],
        (folders[1] / "swap", "as it is"): [6.0, 4.0, 3.0, SILENT],
        (folders[0] / "real", "usual"): [-4.0, -3.0, -2.0, -1.0],
        (folders[0] / "mouth", "usual"): [5.0, 4.0, 3.0, 2.0],
        (folders[0] / "real", "heavy"): [-4.0, -3.0, LOST, -1.0],
    }
    rows = [
        tracks(str(folder / f"{who}.mp4"), copy, logit)
        for (folder, copy), own in logits.items()
        for who, logit in zip("abcd", own, strict=True)
    ]
    rows[0]["distance"] = UNLIKE
    pd.DataFrame(rows).to_csv(tmp_path / "logits.csv", index=False)
    monkeypatch.chdir(tmp_path)
    options = {"--logits": "logits.csv", "--out": "report.md", "--scope": "described"}
    words = [word for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", ["transfer", "builtin", *map(str, folders), *words])
    transfer.main()
    return tmp_path


def lines(report: Path) -> dict[tuple[str, str], list[str]]:
    """The cells of a report by copy and method."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report.read_text().splitlines()[2:]]
    return {(copy, method): rest for copy, method, *rest in cells}


def test_what_the_card_says_is_what_the_report_says(written):
    said = bundle.read(written / "described").scope
    report = lines(written / "report.md")
    columns = {"as it is": said.video, "usual": said.extra["sent on, usual"], "heavy": said.extra["sent on, heavy"]}
    assert list(said.extra) == ["sent on, usual", "sent on, heavy"]
    assert said.source == sha256((written / "report.md").read_bytes()).hexdigest()
    for copy, column in columns.items():
        videos, lost, silent, *_, called = report[copy, "real"]
        alarms, answered = map(int, called.split(" of "))
        assert (column.reals, column.inconclusive.reals) == (int(videos) - int(lost), int(silent))
        assert answered == column.reals - column.inconclusive.reals
        assert column.false_positive_rate.value == pytest.approx(alarms / answered, abs=1e-6)
    for copy in ("as it is", "usual"):
        videos, lost, silent, auc, interval, _, called = report[copy, "all"]
        figure, hits, answered = columns[copy].auc, *map(int, called.split(" of "))
        assert auc == f"{figure.value:.3f}"
        assert interval == f"{figure.low:.3f} to {figure.high:.3f}"
        assert columns[copy].false_negative_rate.value == pytest.approx(1 - hits / answered, abs=1e-6)
        assert (columns[copy].fakes, columns[copy].inconclusive.fakes) == (int(videos) - int(lost), int(silent))
        unscored = int(lost) + int(report[copy, "real"][1])
        assert columns[copy].unscored == unscored
    assert columns["heavy"].auc.value is None  # of no fakes
    assert list(said.by_method) == ["mouth", "swap"]
    for name, method in said.by_method.items():
        videos, lost, silent, auc, interval, _, called = report["as it is", name]
        hits, answered = map(int, called.split(" of "))
        assert (method.fakes, auc) == (int(videos) - int(lost), f"{method.auc.value:.3f}")
        assert interval == f"{method.auc.low:.3f} to {method.auc.high:.3f}"
        assert method.false_negative_rate.value == pytest.approx(1 - hits / answered, abs=1e-6)


def test_the_report_counts_what_can_be_counted_by_eye(written):
    report = lines(written / "report.md")
    assert report["as it is", "real"] == ["4", "0", "2", "", "", "", "1 of 2"]  # a is unlike, d near even odds
    videos, lost, silent, auc, _, own, called = report["as it is", "mouth"]
    assert (videos, lost, silent, own, called) == ("4", "1", "0", "0.67", "2 of 3")  # of c its original is above
    assert auc == f"{9 / 12:.3f}"  # pairs in order: 4, 3 and 2 of 4
    assert report["as it is", "swap"][-1] == "3 of 3"
    assert report["heavy", "real"][:3] == ["4", "1", "0"]


def test_only_the_card_differs_and_the_verdicts_stay(written):
    before, after = bundle.BUILTIN, written / "described"
    assert {file.name for file in after.iterdir()} == {file.name for file in before.iterdir()}
    for file in after.iterdir():
        assert (file.read_bytes() == (before / file.name).read_bytes()) is (file.name != bundle.CARD)
    assert inference.load(after).scoring == inference.load(before).scoring


def test_a_card_admits_that_p_fake_was_fitted_on_the_same_videos(transfer, written):
    known = bundle.read_validation(bundle.BUILTIN)["video_id"]
    method, stem, copy = re.fullmatch(r"(\w+)/(\S+) (.*)", known[0]).groups()
    assert "fitted" not in bundle.read(written / "described").scope.test
    about = {"label": 1, "method": method, "group": "a", "source": "x"}
    table = pd.DataFrame([tracks(f"{stem}.mp4", copy, 1.0) | about, tracks("y.mp4", copy, 0.0) | about | {"label": 0}])
    videos = transfer.judgements(table, inference.load(bundle.BUILTIN))
    assert transfer.described(videos, "", bundle.BUILTIN).test.endswith("its P(fake) and its doubt were fitted, too")
