"""same scores: whoever asks, and however: evaluate, predict, HTTP, the page and ONNX say the same of a video."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from served import Http

from deepfake import bundle, export, inference, sessions
from deepfake.app.service import models
from deepfake.app.service.limits import Limits
from deepfake.dataset.videos import read
from deepfake.predict import predict

SAME, ONNX = 1e-5, 1e-4
SHARPER = 300
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture
def table(project, tmp_path, monkeypatch) -> pd.DataFrame:
    """P(fake) of each video of the tiny project's test, a column for each way of asking; evaluate's comes first."""
    for library in ("fastapi", "pebble", "onnxruntime", "onnxscript"):
        pytest.importorskip(library)
    from deepfake.app.service.desk import Desk

    trained, videos = project / "models/detector", project / "data/demo/videos"
    sharpened(project / "models/calibrated" / bundle.CARD)
    monkeypatch.chdir(project)
    for name in ("evaluate", "describe"):
        import_module(f"stages.{name}").run()
    scores = read(project / "reports/predictions.csv").set_index("video_id")["score"].to_frame("evaluate")
    paths = {name: videos / str(name) for name in scores.index}
    detector = inference.load(trained)
    scores["predict"] = pd.Series({name: predict(path, detector).score for name, path in paths.items()})
    server = Http(tmp_path / "server", detector=str(trained))
    answers = {name: server.post(path).json() for name, path in paths.items()}
    assert server.stop() == 0
    scores["HTTP"] = pd.Series({name: answer["results"][0]["score"] for name, answer in answers.items()})
    desk = Desk(models.load([trained]), Limits(), pictures=True)  # as the page has it
    try:
        jobs = {name: handed_in(desk, path) for name, path in paths.items()}
        assert all(job.wait(120) for job in jobs.values())
    finally:
        desk.close()
    scores["page"] = pd.Series({name: job.results[0].facts["score"] for name, job in jobs.items()})
    assert all(job.results[0].frames for job in jobs.values())
    export.export(trained, tmp_path / "exported", int8=False)
    onnx = sessions.load(tmp_path / "exported", "onnx")
    scores["ONNX"] = pd.Series({name: predict(path, onnx).score for name, path in paths.items()})
    return scores


def sharpened(card: Path) -> None:
    """It learnt next to nothing: apart as its scores are, they would be the same to 1e-4 whatever we did."""
    written = json.loads(card.read_text())
    for part in ("slope", "intercept"):
        written["scoring"][part] *= SHARPER
    card.write_text(json.dumps(written))


def handed_in(desk, path):
    """What the page does with an upload."""
    place = desk.enter("a session", path.stat().st_size)
    upload = desk.inbox.upload(path.name)
    upload.write(path.read_bytes())
    return desk.take(upload, place, ())


def test_a_video_has_one_score(table):
    print(table.to_string())
    assert len(table) >= 4
    assert table.notna().all(axis=None)
    assert np.ptp(table["evaluate"]) > 10 * ONNX  # else equal scores would say nothing
    for way in ("predict", "HTTP", "page"):
        assert (table[way] - table["evaluate"]).abs().max() <= SAME
    assert (table["ONNX"] - table["evaluate"]).abs().max() <= ONNX
