"""service: uploads lie in private and go; what a file says of itself decides; workers that hang or die are replaced."""

import fcntl
import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import av
import bombs
import films
import numpy as np
import psutil
import pytest
from typer import Exit

from deepfake import bundle, scope, video
from deepfake.app.cli import main
from deepfake.app.service import extras, gate, inbox, judge, models, options, pictures, words
from deepfake.app.service.extras import Extra
from deepfake.app.service.inbox import Inbox, shown_name
from deepfake.app.service.jobs import Job
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.app.service.shelf import Shelf
from deepfake.app.service.work import Asked, Task
from deepfake.base.errors import UserError
from deepfake.track import Track

CASE = ("SHA256SUMS", "case.html", "case.json", "case.pdf", "where.json")
FEW = Limits(kept=2, keep_seconds=1000, stored_megabytes=400)


@pytest.fixture
def own_tmp(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def desk(own_tmp):
    """A function that opens a desk with the detector that ships, and these limits."""
    pytest.importorskip("pebble")
    from deepfake.app.service.desk import Desk

    desks = []

    def opened(limits: Limits, ready: bool = True, **more) -> Desk:
        desks.append(Desk(models.load([Path("builtin")]), limits, **more))
        if ready:
            desks[-1].ready()
        return desks[-1]

    yield opened
    for desk in desks:
        desk.close()
        desk.close()  # twice is as once
    assert list(own_tmp.glob("deepfake-inbox-*")) == []


def handed_in(desk, path: Path, name: str = "", client: str = "me", **more):
    """The job of a file."""
    place = desk.enter(client)
    upload = desk.inbox.upload(name or path.name)
    upload.write(path.read_bytes())
    return desk.take(upload, place, (), **more)


# ---- the inbox


def test_what_a_killed_service_left_behind_goes_and_what_another_holds_stays(own_tmp):
    left, held, young = (own_tmp / f"{inbox.PREFIX}{name}" for name in ("left", "held", "young"))
    for folder in (left, held, young):
        (folder / "upload").mkdir(parents=True)
        if folder != young:
            os.utime(folder, (0, 0))
    lock = os.open(held, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ours = Inbox(Limits())
    assert sorted(own_tmp.iterdir()) == sorted([held, young, ours.root])
    assert ours.root.stat().st_mode & 0o777 == 0o700
    ours.close()
    assert sorted(own_tmp.iterdir()) == [held, young]
    os.close(lock)


def test_an_upload_is_bounded_private_and_of_no_name_of_its_own(own_tmp):
    ours = Inbox(Limits(megabytes=1))
    upload = ours.upload("../../../x/evil.MP4")
    assert (upload.path.name, upload.name) == ("video.mp4", "evil.MP4")
    assert upload.path.stat().st_mode & 0o777 == 0o600
    assert upload.path.parent.parent == ours.root
    upload.write(bytes(2**20))
    with pytest.raises(Refused, match="more than 1 MB"):
        upload.write(b"x")
    assert upload.path.stat().st_size <= 2**20
    upload.remove()
    upload.remove()
    assert list(ours.root.iterdir()) == []
    other = ours.upload("evil.php")
    assert other.path.name == "video"
    other.remove()
    ours.close()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "video"),
        ("a/b\\c.mp4", "c.mp4"),
        ("a\r\nb", "a\\r\\nb"),
        ("/", "video"),
        ("é" * 300, f"{'é' * 170}…{'é' * 29}"),
    ],
)
def test_a_name_is_shown_as_one_line(name, shown):
    assert shown_name(name) == shown


# ---- the gate


def test_what_a_file_says_of_itself(odd):
    facts = gate.look(odd("plain"), Limits())
    assert (facts.codec, facts.width, facts.height, facts.frames) == ("h264", 256, 256, 12)
    assert facts.seconds == pytest.approx(0.48, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "limits", "problem"),
    [
        ("plain", {"pixels": 256 * 256, "frames": 12, "seconds": 0.6}, None),  # each bound is inclusive
        ("plain", {"pixels": 256 * 256 - 1}, "too_many_pixels"),
        ("plain", {"frames": 11}, "too_many_frames"),
        ("plain", {"seconds": 0.3}, "too_long"),
        ("variable rate", {"seconds": 1.0}, "too_long"),
        ("text", {}, "not_a_video"),
        ("empty", {}, "empty"),
    ],
)
def test_each_bound_holds(odd, kind, limits, problem):
    if problem is None:
        assert gate.look(odd(kind), Limits(**limits)).frames == 12
        return
    with pytest.raises(Refused) as error:
        gate.look(odd(kind), Limits(**limits))
    assert error.value.kind == problem


def test_a_header_that_lies_is_not_believed(tmp_path):
    film = bombs.film(tmp_path / "a.mp4", 64, 3)
    facts = gate.look(bombs.declared(tmp_path / "b.mp4", film, 20_000), Limits())
    assert (facts.width, facts.height) == (64, 64)  # as its pictures say
    assert gate.look(bombs.hours(tmp_path / "c.mp4", film), Limits()).seconds < 1


def test_pixels_that_are_made_square_count_as_they_are_shown(tmp_path, film, heads):
    path = film(tmp_path / "a.mkv", heads[0], aspect="4:1")
    size = gate.look(path, Limits())
    assert (size.width, size.height) in ((256, 256), (1024, 256))


def test_a_moving_picture_counts_all_its_frames(tmp_path):
    path = bombs.webp(tmp_path / "a.webp", 1000, 10)
    facts = gate.look(path, Limits(pixels=10**7))
    assert (facts.width, facts.height, facts.frames, facts.seconds) == (1000, 1000, 10, 0.4)
    with pytest.raises(Refused, match="1000 x 10000 px"):
        gate.look(path, Limits(pixels=10**7 - 1))


def test_every_clip_is_let_in_or_refused_with_its_reason(clips):
    for path in sorted(clips.rglob("*.*")):
        with suppress(Refused):
            assert gate.look(path, Limits()).frames > 0


# ---- the desk


def test_a_video_whose_time_is_up_ends_and_the_next_one_is_judged(desk, odd):
    ours = desk(Limits(timeout=0.1))
    job = handed_in(ours, odd("plain"))
    assert job.wait(30)
    assert (job.state, job.refused.kind) == ("failed", "timeout")
    assert list(ours.inbox.root.iterdir()) == []
    assert ours.health() | {"status": "ok", "taken": 0} == ours.health()
    ours.limits = Limits()
    again = handed_in(ours, odd("plain"))
    assert again.wait(60)
    assert again.state == "done"


def test_a_worker_that_dies_is_replaced(desk, odd):
    ours = desk(Limits())
    job = handed_in(ours, odd("plain"))
    while job.state == "waiting":
        time.sleep(0.01)
    family = psutil.Process().children()
    max(family, key=lambda process: process.memory_info().rss).kill()
    assert job.wait(30)
    assert (job.state, job.refused.kind) == ("failed", "too_heavy")
    again = handed_in(ours, odd("plain"))
    assert again.wait(60)
    assert again.state == "done"


def test_what_is_finished_is_forgotten_after_a_while_and_the_room_given_back(desk, odd):
    ours = desk(FEW)
    jobs = [handed_in(ours, odd("plain"), anew=True) for _ in range(1)]
    assert jobs[0].wait(60)
    more = [handed_in(ours, odd("plain")) for _ in range(3)]  # known: answered at once
    assert [job.state for job in more] == ["done"] * 3
    with pytest.raises(Refused, match="forgotten"):
        ours.job(jobs[0].id)
    assert ours.job(more[-1].id) is more[-1]
    places = [ours.enter("me"), ours.enter("you", 200 * 2**20)]
    with pytest.raises(Refused, match="room for uploads is full"):
        ours.enter("her", 1)
    with pytest.raises(Refused, match="above the limit of 200 MB"):
        ours.enter("her", 4 * 2**30)
    for place in places:
        place.leave()
    ours.enter("her", 1).leave()


# ---- what is seen of it meanwhile


@pytest.fixture
def grainy(heads) -> np.ndarray:
    """(48, 512, 512, 3): somebody whose lossless faces take room, as those of a camera do."""
    large = np.concatenate([heads[0]] * 4).repeat(2, 1).repeat(2, 2).astype(int)
    return (large + np.random.default_rng(0).integers(-9, 10, large.shape)).clip(0, 255).astype(np.uint8)


def test_a_face_is_shown_while_its_file_is_still_written(grainy, tmp_path):
    seen = pictures.Glimpse()
    with video.recording(tmp_path / "0" / "faces" / "3.mkv") as record:
        sights = []
        for second, image in enumerate(grainy[:12]):
            record(image[100:300, 100:300], float(second))
            seen = pictures.glimpse(tmp_path, seen)
            sights.append(seen.faces.get(3, b""))
        assert seen.step == "it is read"
    assert sights[0] == b""
    assert sights[-1].startswith(b"\xff\xd8")
    assert len(set(sights)) > 2  # it grows
    seen = pictures.glimpse(tmp_path, seen)
    assert seen.step == "the faces are judged"
    shutil.rmtree(tmp_path / "0")
    assert pictures.glimpse(tmp_path, seen).faces == seen.faces


def test_faces_are_seen_before_all_were_looked_for(grainy, tmp_path, film, monkeypatch):
    """Looked at after each face that is found."""
    seen, faces, add = pictures.Glimpse(), {}, Track.add

    def watched(track: Track, *face) -> None:
        nonlocal seen
        add(track, *face)
        seen = pictures.glimpse(tmp_path / "scratch", seen)
        faces.setdefault(seen.step, []).append(seen.faces.get(0))

    monkeypatch.setattr(Track, "add", watched)
    clip = film(tmp_path / "long.mp4", grainy, preset="ultrafast")
    asked = {name: Asked(model.folder, model.sha256) for name, model in models.load([Path("builtin")]).items()}
    (result,) = judge.judge(Task(clip, tmp_path / "scratch", "long.mp4", "", asked, pictures=True))
    assert faces["faces are looked for"][0] is None
    assert faces["faces are looked for"][-1].startswith(b"\xff\xd8")
    assert result.faces[0]


# ---- what is made of a video beside


def soon(true, seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def over(job, seconds: float = 60) -> list[str]:
    """What became of each extra of a job."""
    assert job.wait(seconds)
    soon(lambda: all(extra.state != "coming" for extra in job.extras), seconds)
    return [extra.state for extra in job.extras]


def left(desk) -> list[str]:
    """The files that lie in its inbox."""
    return sorted(path.name for path in desk.inbox.root.rglob("*") if path.is_file())


def test_a_film_and_a_case_are_made_once_the_verdict_is_said_and_the_upload_goes(desk, deepfake, heads, tmp_path):
    pytest.importorskip("fpdf")
    clip = films.with_sound(tmp_path / "<b>clip.mp4", heads[0], "aac")
    ours = desk(Limits())
    job = handed_in(ours, clip, more=True)
    assert job.wait(60)
    assert job.results[0].facts["score"] is not None
    assert over(job) == ["there", "there"]
    film, case = (extra.order.target for extra in job.extras)
    assert left(ours) == ["case0.zip", "film0.mp4"]
    assert [extra.size for extra in job.extras] == [film.stat().st_size, case.stat().st_size]
    about = video.probe(film)
    assert (about.width, about.height) == (256, 256 + 24)
    times = [frame.time for frame in video.read(clip)]
    assert [frame.time for frame in video.read(film)] == pytest.approx(times)
    with av.open(film) as file:
        assert [sound.codec_context.name for sound in file.streams.audio] == ["aac"]
    with ZipFile(case) as archive:
        assert archive.namelist() == [f"case/{name}" for name in CASE]
        assert archive.read("case/case.pdf").startswith(b"%PDF-")
        archive.extractall(tmp_path)
    code, told, _ = deepfake("verify", tmp_path / "case", "--video", clip)
    assert (code, told.splitlines()[-1]) == (0, "verify: all is the same")
    ours.remove(job.id)
    assert left(ours) == []


def test_what_cannot_be_made_is_a_line_and_no_lost_verdict(desk, odd, monkeypatch):
    ours = desk(Limits())
    of = extras.of
    with monkeypatch.context() as patch:
        patch.setattr(extras, "of", lambda task, results, folder, _: of(task, results, folder, 2000))
        job = handed_in(ours, odd("plain"), more=True)
        assert over(job) == ["failed", "failed"]
    assert (job.state, job.refused) == ("done", None)
    assert [str(extra.refused) for extra in job.extras] == ["it would be larger than a file may be"] * 2
    assert left(ours) == []
    assert over(handed_in(ours, odd("black"), more=True))[0] == "there"  # which says that it shows no face


def test_what_was_made_makes_room_for_others(desk, odd):
    ours = desk(Limits(megabytes=1, stored_megabytes=2))
    job = handed_in(ours, odd("plain"), more=True)
    assert over(job)[0] == "there"
    assert "film0.mp4" in left(ours)
    for _ in range(2):
        ours.enter("you", 2**20)
    assert str(job.extras[0].refused) == "it made room for others"
    assert left(ours) == []
    assert ours.job(job.id).results


def test_what_was_made_goes_in_time_though_nobody_asks(tmp_path):
    made = tmp_path / "upload" / "extras" / "film0.mp4"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"film")
    shelf = Shelf(Limits(keep_seconds=0.5), threading.RLock(), lambda: 0)
    extra = Extra(None, size=4)
    job = Job("clip.mp4", 1, "", (), None, tmp_path / "upload" / "scratch", extras=(extra,))
    shelf.put(job)
    job.finish([], None)
    assert made.exists()
    shelf.tidy_later()
    soon(lambda: not made.exists())
    assert str(extra.refused) == "it was kept long enough"


@pytest.mark.parametrize("full", [False, True], ids=["made", "no_worker"])
def test_who_sees_that_the_last_extra_is_over_finds_the_room_of_its_video_free(full):
    call: Future[int] = Future()

    def made(order):
        if full:
            raise Refused("busy", "no worker takes it")
        return call

    job = SimpleNamespace(unwanted=False, extras=(Extra(None),))
    seen = []
    extras.make(job, made, 60, lambda: seen.append(job.extras[0].state), lambda: None)
    if not full:
        assert seen == []
        call.set_result(1000)
    assert seen[0] == "coming"
    assert job.extras[0].state == ("failed" if full else "there")


def test_who_wants_no_more_ends_what_is_made(desk, odd):
    ours = desk(Limits())
    job = handed_in(ours, odd("plain"), more=True)
    assert job.wait(60)
    ours.remove(job.id)
    assert over(job) == ["failed", "failed"]
    assert left(ours) == []
    assert ours.health()["taken"] == 0


# ---- options


def test_limits_are_named_one_by_one(capsys):
    assert options.settings(["megabytes=5", "timeout=1.5"]) == Limits(megabytes=5, timeout=1.5)
    with pytest.raises(UserError, match=r"--limit\.megabytes: Input should be greater than 0"):
        options.settings(["megabytes=0"])
    with pytest.raises(UserError, match="no NAME=VALUE"):
        options.settings(["megabytes"])
    with pytest.raises(Exit):
        options.settings(["help"])
    assert "2**20 bytes of an upload" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "library", "module"),
    [("serve", "fastapi", "deepfake.app.serve.api"), ("app", "streamlit", "deepfake.app.page.host")],
)
def test_an_extra_that_is_missing_is_a_line_with_the_command_that_mends_it(
    command, library, module, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr("sys.argv", ["deepfake", command])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == (
        f"error: deepfake {command} needs {library}, which is not installed\n"
        f"  hint: pip install 'deepfake[{command}]'\n"
    )


def test_models_are_called_by_their_folders_or_by_their_paths_where_two_are_alike(tmp_path):
    for name in ("a/detector", "b/detector", "c"):
        shutil.copytree(models.BUILTIN, tmp_path / name)
    detectors = models.load([tmp_path / name for name in ("a/detector", "b/detector", "c", "c")])
    assert list(detectors) == [str(tmp_path / "a/detector"), str(tmp_path / "b/detector"), "c"]
    assert len({model.sha256 for model in detectors.values()}) == 1
    with pytest.raises(UserError, match="no trained detector"):
        models.load([tmp_path])


@pytest.fixture
def measured(tmp_path) -> scope.Scope:
    """A scope of two columns, and the detector that ships with it in its card, in `described`."""
    own = scope.read(Path(__file__).parents[1] / "reports/metrics.json")
    better = own.video.model_copy(update={"auc": scope.Figure(value=0.75)})
    whole = own.model_copy(update={"extra": {"celeb": better}})
    bundle.describe(tmp_path / "described", bundle.BUILTIN, whole)
    return whole


def test_a_model_says_on_what_it_was_measured(measured, tmp_path):
    [model] = models.load([tmp_path / "described"]).values()
    assert scope.Scope.model_validate(model.to_dict()["scope"]) == measured
    doubts = list(words.doubts({"score": None}, model.to_dict()))
    assert not any("validation" in doubt for doubt in doubts)
    aucs = {"all test videos": measured.video.auc.value, "celeb": 0.75}
    for name, auc in aucs.items():
        start = f"On its test ({name}) it ranked a forged video above a real one in {words.percent(auc)} of the pairs"
        assert any(doubt.startswith(start) for doubt in doubts)
    assert f"It was measured on these methods of forging: {measured.methods}." in doubts


def test_of_a_model_that_nobody_measured_its_validation_is_told(measured, tmp_path):
    card = bundle.read(tmp_path / "described").model_copy(update={"scope": None})
    (tmp_path / "described" / bundle.CARD).write_text(card.model_dump_json())
    [model] = models.load([tmp_path / "described"]).values()
    assert model.to_dict()["scope"] is None
    doubts = list(words.doubts({"score": None}, model.to_dict()))
    assert any(doubt.startswith("In its own validation it ranked") for doubt in doubts)
    assert not any("measured" in doubt for doubt in doubts)
