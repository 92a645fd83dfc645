"""service: uploads lie in private and go; what a file says of itself decides; workers that hang or die are replaced."""

import fcntl
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import bombs
import psutil
import pytest
from typer import Exit

from deepfake.app.cli import main
from deepfake.app.service import gate, inbox, models, options
from deepfake.app.service.inbox import Inbox, shown_name
from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.base.errors import UserError

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

    def opened(limits: Limits, ready: bool = True) -> Desk:
        desks.append(Desk(models.load([Path("builtin")]), limits))
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
