"""serve: a video over HTTP gets what predict says; who sends too much, too slowly, or lies, is answered; it goes on."""

import json
import re
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import bombs
import httpx2 as httpx
import pytest
from served import Http, answer

pytest.importorskip("fastapi")
pytest.importorskip("pebble")

from deepfake import bundle, inference
from deepfake.app.serve.api import application
from deepfake.app.service.limits import MB, Limits
from deepfake.predict import predict

SERVER, WORKER = 400, 2900  # MB of memory at most; a worker has 2000 beside PyTorch and the networks
PROBLEM = "application/problem+json"
CHUNKED = b"POST /videos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A service with the limits that it has without being told any."""
    with_it = Http(tmp_path_factory.mktemp("server"))
    yield with_it
    assert with_it.stop() == 0
    assert list(with_it.tmp.iterdir()) == []  # nothing is left behind


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A service that takes little, of few, who have to hurry; with a token."""
    limits = (
        "megabytes=1",
        "queue=6",
        "per_client=4",
        "idle_seconds=1",
        "upload_seconds=3",
        "connections=30",
        "memory_megabytes=600",
    )
    with_it = Http(tmp_path_factory.mktemp("strict"), *limits, DEEPFAKE_TOKEN="an open secret")
    with_it.client.headers["Authorization"] = "Bearer an open secret"
    yield with_it
    assert with_it.stop() == 0
    assert list(with_it.tmp.iterdir()) == []


@pytest.fixture(scope="module")
def clip(odd) -> Path:
    """A short video of one face."""
    return odd("plain")


def alive(server: Http, clip: Path) -> None:
    """It still answers, it keeps no upload, and its memory is bounded."""
    response = server.post(clip)
    assert (response.status_code, response.json()["state"]) == (200, "done"), response.text
    server.until(lambda: server.client.get("/health").json()["taken"] == 0)
    assert [list(inbox.iterdir()) for inbox in server.tmp.glob("deepfake-inbox-*")] == [[]]
    first, *others = server.peaks()
    assert first < SERVER
    assert max(others) < WORKER


def refused(response, status: int, kind: str) -> str:
    """The reason of a problem, as it must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    members = response.json()
    assert (members["type"], members["status"]) == (f"urn:deepfake:{kind}", status)
    assert members["title"]
    return members["detail"]


# ---- what it says


def test_a_video_gets_what_predict_says_with_its_boxes(server, clip):
    response = server.post(clip)
    assert response.status_code == 200
    whole = response.json()
    assert (whole["name"], whole["bytes"], whole["state"]) == (clip.name, clip.stat().st_size, "done")
    assert (whole["video"]["width"], whole["video"]["height"], whole["video"]["frames"]) == (256, 256, 12)
    result = whole["results"][0]
    expected = json.loads(json.dumps(predict(clip, inference.load(bundle.BUILTIN)).to_dict()))
    del expected["path"]
    assert {key: result[key] for key in expected} == expected
    assert (result["model"], result["outcome"]) == ("builtin", "SCORED")
    times = [box["time"] for box in result["boxes"]]
    assert len(times) == 12
    assert times == sorted(times)
    assert 40 < result["boxes"][0]["width"] < 256


def test_where_no_model_can_judge_it_says_not_applicable_and_why(server, odd):
    result = server.post(odd("black")).json()["results"][0]
    assert (result["outcome"], result["status"], result["score"], result["verdict"]) == (
        *("NOT_APPLICABLE", "no_face"),
        *(None, None),
    )
    assert "no face" in result["reason"]


def test_without_waiting_it_is_asked_again(server, odd):
    response = server.client.post("/videos", params={"name": "mine.mp4"}, content=odd("sideways").read_bytes())
    assert (response.status_code, response.headers["retry-after"]) == (202, "1")
    assert response.json()["state"] in ("waiting", "running")
    later = server.client.get(response.headers["location"], params={"wait": 60})
    assert (later.status_code, later.json()["state"], later.json()["name"]) == (200, "done", "mine.mp4")
    assert server.client.delete(response.headers["location"]).status_code == 204
    refused(server.client.get(response.headers["location"]), 404, "not_found")


def test_the_same_bytes_are_answered_at_once_unless_anew(server, clip):
    first = server.post(clip).json()
    again = server.post(clip, "another name.mp4", wait=0).json()
    assert again["state"] == "done"
    assert again["results"] == first["results"]
    assert (again["name"], again["id"] == first["id"]) == ("another name.mp4", False)
    assert server.post(clip, wait=0, anew=True).json()["state"] in ("waiting", "running")


def test_it_describes_itself(server):
    assert server.client.get("/health").json()["status"] == "ok"
    assert [model["name"] for model in server.client.get("/models").json()] == ["builtin"]
    limits = server.client.get("/limits").json()
    assert {name: limit["limit"] for name, limit in limits.items()} == Limits().model_dump()
    described = server.client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/videos", "/videos/{id}", "/health", "/models", "/limits"}
    assert set(described["paths"]["/videos"]["post"]["requestBody"]["content"]) == {
        "multipart/form-data",
        "application/octet-stream",
    }
    assert server.client.get("/docs").status_code == 404  # its page would come from a CDN


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/videos", 405), ("GET", "/elsewhere", 404), ("POST", "/videos?wait=1000", 422)],
)
def test_every_error_is_a_problem(server, method, path, status):
    response = server.client.request(method, path)
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM)
    assert response.json()["status"] == status


def test_a_model_that_there_is_not_is_refused_before_the_upload(server, clip):
    assert "there are: builtin" in refused(server.post(clip, model="buildin"), 422, "invalid")


# ---- names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\a.mp4", "a.mp4"),
        ("/etc/cron.d/x.mp4", "x.mp4"),
        ("..", ".."),
        ("a\nb\x1b[31m\x00.mp4", "a\\nb\\x1b[31m\\x00.mp4"),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        ("x" * 900 + ".mp4", "x" * 170 + "…" + "x" * 25 + ".mp4"),
        ("con%00.mp4;rm -rf $HOME", "con%00.mp4;rm -rf $HOME"),
    ],
)
def test_a_name_is_shown_and_never_a_path(server, clip, name, shown):
    response = server.client.post("/videos", params={"name": name}, content=clip.read_bytes())
    assert response.json()["name"] == shown
    assert response.headers["content-type"] == "application/json"  # no browser takes it for a page
    assert response.headers["x-content-type-options"] == "nosniff"
    assert [path.name.startswith("deepfake-inbox-") for path in server.tmp.iterdir()] == [True]
    assert all(line.startswith(("20", "serve:")) for line in server.log.splitlines())  # no name makes a line of its own
    alive(server, clip)


def test_the_folder_of_uploads_is_private(server):
    (inbox,) = server.tmp.iterdir()
    assert inbox.stat().st_mode & 0o777 == 0o700


# ---- lies


@pytest.mark.parametrize(
    ("kind", "status", "problem", "reason"),
    [
        ("empty", 422, "empty", "no bytes"),
        ("text", 415, "not_a_video", "not a readable video"),
        ("random", 415, "not_a_video", "not a readable video"),
        ("sound", 415, "not_a_video", "no video stream"),
        ("no index", 415, "not_a_video", "not a readable video"),
    ],
)
def test_what_is_no_video_is_refused_with_its_reason(server, clip, odd, kind, status, problem, reason):
    assert reason in refused(server.post(odd(kind)), status, problem)
    server.until(lambda: f"POST /videos {status}" in server.log)
    alive(server, clip)


def test_a_damaged_video_is_judged_and_said_to_be_damaged(server, odd):
    result = server.post(odd("truncated")).json()["results"][0]
    assert (result["outcome"], result["status"]) == ("SCORED", "truncated")


def make(kind: str, folder: Path) -> Path:
    """A bomb."""
    match kind:
        case "pixels":
            return bombs.film(folder / "a.mp4", 12_000, 1)
        case "hours":
            return bombs.film(folder / "a.mp4", 64, 3, [0, 1, 36_000])
        case "matroska hours":
            return bombs.film(folder / "a.mkv", 64, 3, [0, 1, 36_000])
        case "frames":
            return bombs.film(folder / "a.mkv", 16, 36_002, [i / 1000 for i in range(36_002)], "mpeg4")
        case "png":
            return bombs.png(folder / "a.png", 20_000)
        case "webp":
            return bombs.webp(folder / "a.webp", 16_000, 2)
        case _:
            return bombs.webp(folder / "a.webp", 1000, 1000)


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("pixels", "too_many_pixels"),
        ("hours", "too_long"),
        ("matroska hours", "too_long"),
        ("frames", "too_many_frames"),
        ("png", "not_a_video"),  # FFmpeg reads no such picture
        ("webp", "too_many_pixels"),
        ("webp of many frames", "too_many_pixels"),
    ],
)
def test_a_bomb_is_refused_before_it_is_decoded(server, clip, tmp_path, kind, problem):
    bomb = make(kind, tmp_path)
    assert bomb.stat().st_size < 2 * MB
    began = time.monotonic()
    refused(server.post(bomb), 415 if problem == "not_a_video" else 422, problem)
    assert time.monotonic() - began < 10
    alive(server, clip)


def test_pictures_that_grow_on_the_way_take_no_more_memory_than_a_video_may(strict, clip, tmp_path):
    response = strict.post(bombs.grows(tmp_path / "a.h264", 64, 10_000))
    whole = response.json()
    if whole["state"] == "done":  # its first pictures alone were read
        assert whole["results"][0]["outcome"] == "NOT_APPLICABLE"
    else:
        assert whole["problem"]["type"] == "urn:deepfake:too_heavy"
    alive(strict, clip)
    assert max(strict.peaks()) < 1600


# ---- sizes


@pytest.mark.parametrize("kind", [b"application/octet-stream", b"multipart/form-data; boundary=x"])
def test_four_gigabytes_that_are_declared_are_refused_before_the_first_byte(server, clip, kind):
    began = time.monotonic()
    head = b"POST /videos HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\nContent-Type: " + kind + b"\r\n\r\n"
    reply = answer(server.raw(head))
    assert reply.startswith("HTTP/1.1 413 ")
    assert f"content-type: {PROBLEM}" in reply
    assert "urn:deepfake:too_large" in reply
    assert time.monotonic() - began < 2
    alive(server, clip)


def test_more_than_the_bound_is_refused_while_it_comes(strict, clip):
    piece = b"10000\r\n" + bytes(2**16) + b"\r\n"
    wire = strict.raw(CHUNKED.replace(b"Host", b"Authorization: Bearer an open secret\r\nHost"))
    with suppress(OSError):  # closed, or reset
        for _ in range(1000):
            wire.sendall(piece)
        pytest.fail("64 MB were taken")
    wire.close()
    strict.until(lambda: "too_large: it has more than 1 MB" in strict.log)
    alive(strict, clip)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "before its last boundary"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n", "no file"),
        (2 * b"--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nc\r\n" + b"--x--\r\n", "more than one"),
        (b"--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nc", "before its last boundary"),
        (b"--x\r\n" + b"a" * 100_000, "the form"),
        (b"not a form", "the form"),
    ],
)
def test_a_broken_form_is_refused(server, clip, body, reason):
    response = server.client.post("/videos", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert reason in refused(response, 422, "invalid")
    alive(server, clip)


# ---- floods, and those who take their time


def test_fifty_requests_in_parallel_are_all_answered(server, clip, odd):
    copies = [
        odd("one frame").read_bytes() + bytes([i]) * i for i in range(50)
    ]  # each other bytes: no answer is another's
    with ThreadPoolExecutor(50) as pool:
        began = time.monotonic()
        responses = list(
            pool.map(lambda copy: server.client.post("/videos", params={"wait": 60}, content=copy), copies)
        )
    print(f"50 requests in parallel: {time.monotonic() - began:.1f} s; MB at most: {server.peaks()}")
    late = [server.client.get(response.headers["location"], params={"wait": 60}) for response in responses]
    assert {response.status_code for response in late} == {200}
    assert len({response.json()["sha256"] for response in late}) == 50
    assert len({response.json()["results"][0]["score"] for response in late}) == 1
    alive(server, clip)


def test_a_flood_beyond_the_bound_is_told_when_to_come_again(strict, clip):
    copies = [clip.read_bytes() + bytes([i]) * i for i in range(24)]
    with ThreadPoolExecutor(24) as pool:
        responses = list(
            pool.map(lambda copy: strict.client.post("/videos", params={"wait": 60}, content=copy), copies)
        )
    codes = [response.status_code for response in responses]
    assert set(codes) == {200, 429}
    assert codes.count(200) >= 4
    for response in responses:
        if response.status_code == 429:
            assert response.headers["retry-after"] == "5"
            refused(response, 429, "too_many")
    alive(strict, clip)


def test_a_flood_of_many_is_told_that_the_service_is_busy(strict, clip):
    def hand_in(number: int) -> httpx.Response:
        own = httpx.HTTPTransport(local_address=f"127.0.0.{2 + number % 8}")  # eight clients
        with httpx.Client(transport=own, base_url=strict.url, headers=strict.client.headers, timeout=120) as client:
            return client.post("/videos", params={"wait": 60}, content=clip.read_bytes() + bytes([number]) * number)

    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(hand_in, range(24)))
    codes = [response.status_code for response in responses]
    assert set(codes) == {200, 503}
    assert codes.count(200) >= 6
    for response in responses:
        if response.status_code == 503:
            assert response.headers["retry-after"] == "5"
            refused(response, 503, "busy")
    alive(strict, clip)


def test_more_connections_than_there_may_be_are_refused(strict, clip):
    strict.client.get("/health")
    wires = [strict.raw() for _ in range(60)]
    strict.until(lambda: "there are 30 connections" in strict.log)
    reply = answer(wires[-1])
    assert reply.startswith("HTTP/1.1 503 ")
    assert "Retry-After: 1" in reply
    for wire in wires:
        wire.close()
    alive(strict, clip)


def test_a_head_that_does_not_come_is_not_waited_for(strict, clip):
    began = time.monotonic()
    reply = answer(strict.raw(b"POST /videos HTT"))
    assert reply.startswith("HTTP/1.1 408 ")
    assert f"Content-Type: {PROBLEM}" in reply
    assert 0.5 < time.monotonic() - began < 5
    alive(strict, clip)


@pytest.mark.parametrize("pause", [5.0, 0.5])  # s between two pieces: longer than a pause may be; or on and on
def test_a_body_that_comes_too_slowly_is_not_waited_for(strict, clip, pause):
    wire = strict.raw(CHUNKED.replace(b"Host", b"Authorization: Bearer an open secret\r\nHost"))
    began = time.monotonic()
    wire.settimeout(pause)
    reply = b""
    while not reply:
        try:
            wire.sendall(b"1\r\na\r\n")
            reply = wire.recv(12)
        except TimeoutError:
            assert time.monotonic() - began < 15
    wire.close()
    assert reply == b"HTTP/1.1 408"
    assert time.monotonic() - began < 8
    alive(strict, clip)


def test_who_leaves_in_the_middle_leaves_nothing(strict, clip):
    wire = strict.raw(CHUNKED.replace(b"Host", b"Authorization: Bearer an open secret\r\nHost"), b"4\r\nabcd\r\n")
    wire.close()
    strict.until(lambda: "the client left" in strict.log)
    alive(strict, clip)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", b"\r\n" * 20_000])
def test_what_is_no_http_is_answered(strict, clip, sent):
    assert re.match(r"HTTP/1\.1 (400|408|422) ", answer(strict.raw(sent)))
    alive(strict, clip)


# ---- who may


@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer wrong", "Basic an open secret", "Bearer an open secret2"])
def test_without_the_token_nothing_is_told(strict, clip, sent):
    own = {"Authorization": sent} if sent else {}
    for method, path in (("POST", "/videos"), ("GET", "/videos/x"), ("GET", "/models"), ("GET", "/limits")):
        request = strict.client.build_request(method, path, headers=own)
        if not sent:
            del request.headers["authorization"]
        response = strict.client.send(request)
        assert response.headers["www-authenticate"] == "Bearer"
        refused(response, 401, "unauthorized")
    assert "an open secret" not in strict.log
    assert strict.client.get("/health", headers=own).status_code == 200
    alive(strict, clip)


@pytest.mark.parametrize("sent", ["gehüm".encode(), "gehüm".encode("latin-1")])
def test_a_token_that_is_not_ascii_is_known_as_clients_send_it(sent):
    from starlette.testclient import TestClient

    with TestClient(application(Mock(limits=Limits()), "gehüm")) as client:
        assert client.get("/limits", headers={b"Authorization": b"Bearer " + sent}).status_code == 200
        assert client.get("/limits", headers={b"Authorization": b"Bearer " + sent + b"x"}).status_code == 401


def test_a_line_that_ends_a_token_is_no_part_of_it(deepfake, monkeypatch):
    tokens = []
    monkeypatch.setenv("DEEPFAKE_TOKEN", "a secret\n")
    monkeypatch.setattr("deepfake.app.service.desk.Desk", lambda *_: Mock(models={}))
    monkeypatch.setattr("deepfake.app.serve.api.application", lambda _, token: tokens.append(token))
    monkeypatch.setattr("deepfake.app.service.server.server", Mock())
    monkeypatch.setattr("deepfake.app.service.requests.told", Mock())
    assert deepfake("serve", "--port", "0")[0] == 0
    assert tokens == ["a secret"]


# ---- the address


@pytest.mark.parametrize("command", ["serve", "app"])
def test_a_port_that_is_in_use_is_said_to_be_so(deepfake, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output, complaint = deepfake(command, "--port", port)
    assert (code, output) == (2, "")
    assert complaint.startswith(f"error: --host 127.0.0.1 --port {port}: Address already in use\n  hint: ")


# ---- the log


@pytest.mark.slow
def test_the_log_is_told_and_asked_first(tmp_path, clip):
    pytest.importorskip("sqlalchemy")
    logged = Http(tmp_path, DEEPFAKE_DB_URL=f"sqlite:///{tmp_path}/log.db")
    first = logged.post(clip, "../<b>first\n.mp4").json()["results"][0]
    logged.client.delete("/videos/x")
    assert logged.stop() == 0
    again = Http(tmp_path / "again", DEEPFAKE_DB_URL=f"sqlite:///{tmp_path}/log.db")
    second = again.post(clip, "second.mp4").json()["results"][0]
    assert second["boxes"] is None  # it was not looked at
    assert {**second, "boxes": first["boxes"], "seconds": first["seconds"]} == first
    anew = again.post(clip, "third.mp4", anew=True).json()["results"][0]
    assert anew["boxes"] == first["boxes"]
    assert again.stop() == 0
    with sqlite3.connect(tmp_path / "log.db") as rows:
        entries = rows.execute("SELECT path, score FROM deepfake_predictions ORDER BY id").fetchall()
    rows.close()
    assert entries == [("<b>first%0A.mp4", first["score"]), ("third.mp4", first["score"])]
