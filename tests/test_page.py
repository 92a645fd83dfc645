"""page: in a browser: a video goes up, is seen to be judged, and what is said can be kept; bad files are told why."""

import asyncio
import csv
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import av
import bombs
import films
import httpx2 as httpx
import pytest
from served import Served, answer

from deepfake import bundle, inference, video
from deepfake.app.service.limits import MB, Limits
from deepfake.predict import predict

pytest.importorskip("streamlit")
pytest.importorskip("pebble")
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

PAGE, WORKER = 700, 2900  # MB of memory at most
LONG = 60_000  # ms
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
ASKED = """() => {
  const asked = (event) => { window.asked = true; event?.preventDefault() };
  document.querySelector("input[type=file]").addEventListener("click", asked);
  window.showOpenFilePicker = () => { asked(); return Promise.reject(new DOMException("", "AbortError")) };
}"""
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page with two detectors, that takes 2 MB."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(bundle.BUILTIN, folder / "twin")
    more = ("--port", "0", "--detector", str(folder / "twin"), "--limit", "megabytes=2", "--limit", "idle_seconds=2")
    running = Served(folder / "home", *more, command="app", DEEPFAKE_DB_URL=f"sqlite:///{folder}/log.db")
    running.listens()
    yield running
    assert running.stop() == 0
    assert list(running.tmp.glob("deepfake-inbox-*")) == []


@pytest.fixture
def visit(site, browser):
    """A function that opens the page as somebody else each time; nobody may be sent elsewhere, or see an alert."""
    contexts, wrong = [], []

    def opened(size: str = "desktop", scheme: str = "light"):
        contexts.append(browser.new_context(viewport=SIZES[size], color_scheme=scheme, accept_downloads=True))
        page = contexts[-1].new_page()
        page.on(
            "request", lambda request: request.url.startswith((site.url, "data:", "blob:")) or wrong.append(request.url)
        )
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.set_default_timeout(LONG)
        page.goto(site.url)
        page.get_by_role("heading", name="Is this video forged?").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def upload(page, file) -> None:
    """Hand in a file, or what stands for one."""
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("document.querySelectorAll('input[type=file]').length === 1")  # the old one is gone
    page.locator("input[type=file]").set_input_files(file)


def alive(site, page, clip: Path) -> None:
    """A video is still judged, no upload is kept but for what was made of it on demand, and memory is bounded."""
    upload(page, clip)
    page.get_by_role("heading", name="Over time").wait_for()
    inbox = next(site.tmp.glob("deepfake-inbox-*"))
    site.until(lambda: all([part.name for part in upload.iterdir()] == ["extras"] for upload in inbox.iterdir()))
    first, *others = site.peaks()
    assert first < PAGE
    assert max(others) < WORKER


def kept(page, kind: str) -> str:
    """What is downloaded."""
    with page.expect_download() as caught:
        page.get_by_role("button", name=kind, exact=False).first.click()
    return Path(caught.value.path()).read_text()


def fetched(page, kind: str) -> bytes:
    """What a link leads to, once it is there: a file to be kept, which is no page."""
    link = page.get_by_role("link", name=kind)
    link.wait_for()
    answer = page.request.get(f"{page.url}{link.get_attribute('href')}")
    assert answer.headers["content-disposition"].startswith("attachment; ")
    link.click()
    assert page.get_by_role("heading", name="Over time").count() == 1  # still
    return answer.body()


def test_a_video_is_seen_to_be_judged_by_two_detectors_and_what_they_say_is_kept(site, visit, odd, film, heads):
    page = visit()
    long = film(site.tmp.parent / "long.mp4", heads[0].repeat(3, 0).repeat(3, 1).repeat(3, 2), preset="ultrafast")
    upload(page, long)
    page.get_by_role("progressbar").wait_for()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_text("Some of the frames that are looked at").wait_for()
    page.get_by_role("heading", name="Over time").wait_for()
    assert page.get_by_role("progressbar").count() == 0
    for name in ("builtin", "twin"):
        page.get_by_role("heading", name=name).wait_for()
    first, second = (page.get_by_role("heading", name=name).bounding_box() for name in ("builtin", "twin"))
    assert first["y"] == second["y"]  # side by side
    assert first["x"] < second["x"]
    assert page.get_by_text("· probability of forgery").count() == 2
    assert page.get_by_text("would be guessing").count() == 4  # doubts: of each as the test is, and as it is sent on
    page.locator(".stVegaLiteChart canvas, .stVegaLiteChart svg").first.wait_for()  # the timeline
    if find_spec("captum"):
        page.get_by_text("What speaks for that score").first.click()
        page.get_by_text("Grad-CAM").first.wait_for()
    expected = predict(long, inference.load(bundle.BUILTIN))
    job = json.loads(kept(page, "JSON"))
    assert [result["model"] for result in job["results"]] == ["builtin", "twin"]
    assert [result["score"] for result in job["results"]] == [pytest.approx(expected.score, abs=1e-5)] * 2
    rows = list(csv.DictReader(kept(page, "CSV").splitlines()))
    assert [(row["name"], row["model"], row["track"]) for row in rows] == [
        ("long.mp4", "builtin", "0"),
        ("long.mp4", "twin", "0"),
    ]
    page.get_by_text("Show the log of this machine").click()
    page.get_by_role("grid").or_(page.get_by_test_id("stDataFrame")).first.wait_for()


def test_a_film_and_a_case_are_made_where_that_is_ticked_and_come_from_the_disk(site, visit, heads):
    pytest.importorskip("fpdf")
    clip = films.with_sound(site.tmp.parent / "sound.mp4", heads[0], "aac")
    page = visit()
    page.get_by_text("It is removed as soon as it is judged").wait_for()
    page.get_by_role("button", name="twin").or_(page.get_by_role("radio", name="twin")).first.click()
    page.get_by_text("Also make an annotated video").click()
    page.get_by_text("It is removed as soon as these are made; they are kept for 60 minutes at most").wait_for()
    upload(page, clip)
    page.get_by_role("heading", name="Over time").wait_for()
    files = {name: fetched(page, name) for name in ("Annotated video", "Case report")}
    film = site.tmp.parent / "film.mp4"
    film.write_bytes(files["Annotated video"])
    assert video.probe(film).height == 256 + 24
    assert len(list(video.read(film))) == len(heads[0])
    with av.open(film) as file:
        assert len(file.streams.audio) == 1
    with ZipFile(BytesIO(files["Case report"])) as archive:
        assert {"case/case.html", "case/case.pdf"} <= set(archive.namelist())
    assert httpx.get(f"{site.url}/extras/unknown/0").status_code == 404
    assert sorted(path.name for path in site.tmp.rglob("*0.*")) == ["case0.zip", "film0.mp4"]
    assert list(site.tmp.rglob("video.mp4")) == []  # the upload is gone


def test_one_detector_alone_may_be_chosen_and_what_was_asked_before_is_shown_again(visit, odd):
    page = visit()
    page.get_by_role("button", name="twin").or_(page.get_by_role("radio", name="twin")).first.click()
    upload(page, odd("plain"))
    page.get_by_role("heading", name="Over time").wait_for()
    assert page.get_by_role("heading", name="builtin").count() == 1
    assert page.get_by_role("heading", name="twin").count() == 0
    upload(page, odd("black"))
    page.get_by_text("Cannot be judged").first.wait_for()
    page.get_by_text("No face in").first.wait_for()
    page.get_by_role("button", name="Show").last.click()
    page.get_by_text("probability of forgery").first.wait_for()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "no video, and no picture"),
        ("random", "no video, and no picture"),
        ("no index", "no video, and no picture"),
        ("empty", "the file is empty"),
        ("sound", "no video stream"),
        ("huge", "2.0MB or smaller"),
        ("bomb", "the pictures are too large"),
        ("hours", "the video is too long"),
    ],
)
def test_a_bad_file_is_told_why_and_the_page_goes_on(site, visit, odd, tmp_path, kind, message):
    page = visit()
    match kind:
        case "huge":
            file = tmp_path / "huge.mp4"
            file.write_bytes(bytes(3 * MB))
        case "bomb":
            file = bombs.webp(tmp_path / "bomb.webp", 16_000, 2)
        case "hours":
            file = bombs.film(tmp_path / "hours.mp4", 64, 3, [0, 1, 36_000])
        case _:
            file = odd(kind)
    upload(page, file)
    page.get_by_text(message).first.wait_for()
    alive(site, page, odd("plain"))


def test_a_damaged_video_is_judged_and_its_damage_is_a_doubt(visit, odd):
    page = visit()
    upload(page, odd("truncated"))
    page.get_by_text("The file is damaged").first.wait_for()


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.mp4",
        "<script>alert(1)</script>.mp4",
        "![a](http://elsewhere.invalid/a.png) [b](javascript:alert(1)) :material/home: $x^2$.mp4",
        "=HYPERLINK(1).mp4",
    ],
)
def test_a_name_is_shown_as_it_is(visit, odd, name):
    page = visit()
    upload(page, {"name": name, "mimeType": "video/mp4", "buffer": odd("plain").read_bytes()})
    page.get_by_role("heading", name="Over time").wait_for()
    shown = name.replace("\\", "/").rpartition("/")[2]
    page.get_by_text(shown, exact=True).first.wait_for()
    assert not kept(page, "CSV").splitlines()[1].startswith("=")


def test_two_users_at_once_see_each_their_own(site, visit, film, heads, tmp_path):
    pages = [visit(), visit()]
    files = [film(tmp_path / f"of {who}.mp4", heads[who][:6]) for who in (0, 1)]
    for page, file in zip(pages, files, strict=True):
        upload(page, file)
    jobs = []
    for page, file in zip(pages, files, strict=True):
        page.get_by_role("heading", name="Over time").wait_for()
        assert page.get_by_text(file.name, exact=True).count() >= 1
        jobs.append(json.loads(kept(page, "JSON")))
    assert [job["name"] for job in jobs] == [file.name for file in files]
    assert pages[0].get_by_text(files[1].name).count() == 0
    alive(site, pages[0], files[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_as_wide_as_the_screen_in_light_and_dark(visit, odd, size, scheme):
    page = visit(size, scheme)
    upload(page, odd("plain"))
    page.get_by_role("heading", name="Over time").wait_for()
    page.get_by_text("All that was said").wait_for()
    wide = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.stMain *')].map(e => e.getBoundingClientRect().right))"
    )
    assert wide <= SIZES[size]["width"] + 1
    colour = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    light = sum(map(int, colour.strip("rgba()").split(",")[:3])) > 380
    assert light == (scheme == "light")
    if size == "phone":  # one below the other
        first, second = (page.get_by_role("heading", name=name).bounding_box() for name in ("builtin", "twin"))
        assert second["y"] > first["y"]


def test_it_is_used_by_the_keyboard_alone(visit, odd):
    page = visit()
    page.locator("input[type=file]").wait_for(state="attached")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''"))
    assert [any(name in text for text in reached) for name in ("builtin", "twin", "Upload")] == [True] * 3
    page = visit()
    page.locator("input[type=file]").wait_for(state="attached")
    page.evaluate(ASKED)  # for a file
    page.locator("button", has_text="Upload").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("window.asked")
    upload(page, odd("plain"))
    page.get_by_role("button", name="JSON").wait_for()
    page.get_by_role("button", name="JSON").focus()
    with page.expect_download():
        page.keyboard.press("Enter")


# ---- attacks without a browser


def test_four_gigabytes_that_are_declared_are_refused_at_once(site, visit, odd):
    began = time.monotonic()
    head = b"PUT /_stcore/upload_file/x/y HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n\r\n"
    reply = answer(site.raw(head))
    assert reply.startswith("HTTP/1.1 413 ")
    assert "content-type: application/problem+json" in reply
    assert time.monotonic() - began < 5
    alive(site, visit(), odd("plain"))


def test_a_head_that_does_not_come_is_not_waited_for(site, visit, odd):
    began = time.monotonic()
    assert answer(site.raw(b"PUT /_stcore/upl")).startswith("HTTP/1.1 408 ")
    assert time.monotonic() - began < 10
    alive(site, visit(), odd("plain"))


@pytest.mark.parametrize(("limits", "status"), [({"idle_seconds": 0.2}, 408), ({"stored_megabytes": 1}, 503)])
def test_an_upload_is_bounded_in_time_and_room_before_streamlit_holds_it(monkeypatch, limits, status):
    from deepfake.app.page import host

    class Held:  # as Streamlit tells what it holds
        uploaded_file_mgr = MemoryUploadedFileManager("x")

    async def streamlit(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        pytest.fail("it was taken whole")

    async def receive():
        sent.append(sent and await asyncio.sleep(9))
        return {"type": "http.request", "body": bytes(9), "more_body": True}

    async def send(message) -> None:
        messages.append(message)

    sent, messages = [], []
    monkeypatch.setattr(host.Runtime, "instance", Held)
    scope = {
        "type": "http",
        "path": f"{host.UPLOADS}x/y",
        "method": "PUT",
        "headers": [(b"content-length", b"2000000")],
    }
    with ThreadPoolExecutor(1) as pool:  # this thread is Playwright's
        pool.submit(lambda: asyncio.run(host.Uploads(streamlit, Limits(**limits))(scope, receive, send))).result()
    assert (messages[0]["status"], json.loads(messages[1]["body"])["status"]) == (status, status)


@pytest.mark.parametrize(
    "path", [b"/../../../../etc/passwd", b"/static/../../../etc/passwd", b"/media/..%2f..%2fetc%2fpasswd"]
)
def test_no_path_leads_out(site, path):
    reply = answer(site.raw(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert reply.startswith("HTTP/1.1 ")
    assert "root:" not in reply


def test_a_flood_of_visitors_is_answered(site, visit, odd):
    with ThreadPoolExecutor(40) as pool:
        codes = list(pool.map(lambda _: httpx.get(site.url, timeout=30).status_code, range(200)))
    assert set(codes) == {200}
    alive(site, visit(), odd("plain"))
