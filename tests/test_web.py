"""web: a page judges pictures in a browser, as Python judges them, and sends nothing anywhere."""

import json
import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import yaml
from small import SIDE, architecture, network

from deepfake import clips, export, novelty, sessions
from deepfake.app.web.command import about
from deepfake.base.opencv import cv2
from deepfake.measures import scoring
from deepfake.novelty import Gaussian
from deepfake.scores import TrackScore

ROOT = Path(__file__).parents[1]
USUAL = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
PREPARED = {"extract": {}, "detect": {"size": 64, "margin": 0.3, "weights": None}, "filter": {}}
LONG = 60_000  # ms
DETECTORS = {  # what differs from the usual small network, of each member
    "pictures": [{"frames": 1}],
    "sequences": [{"frames": 4, "head": "lstm", "sampling": "spread"}, {"frames": 3, "sampling": "contiguous"}],
}
RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (6, SIDE, SIDE, 3), np.uint8) // RNG.integers(
    1, 9, (6, 1, 1, 3), np.uint8
)  # of any colour
pytestmark = pytest.mark.usefixtures("one_thread")


def known() -> Gaussian:
    """What a training of noise looked like."""
    tracks = np.random.default_rng(1).integers(0, 256, (20, 2, SIDE, SIDE, 3), np.uint8)
    return Gaussian.fit(np.stack([novelty.look(track, SIDE) for track in tracks]))


@pytest.fixture(scope="module")
def modules(tmp_path_factory) -> Path:
    """Where onnxruntime-web lies: in the checkout, or as npm installs it by the lock."""
    if (ROOT / "web/node_modules/onnxruntime-web").is_dir():
        return ROOT / "web/node_modules"
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt-get install npm")
    folder = tmp_path_factory.mktemp("npm")
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copy(ROOT / "web" / name, folder)
    npm = subprocess.run(["npm", "ci", "--prefix", folder], cwd=folder, capture_output=True, text=True)
    if npm.returncode:
        pytest.skip(f"npm cannot install onnxruntime-web: {npm.stderr.strip().splitlines()[-1]}")
    return folder / "node_modules"


@pytest.fixture(scope="module", params=DETECTORS)
def exported(request, tmp_path_factory, saved_detector) -> Path:
    """A small detector, exported, which knows its training data and is never inconclusive for its odds."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported")
    members = []
    for changed in DETECTORS[request.param]:
        sampling = {"sampling": changed.get("sampling", "spread")}
        built = {key: value for key, value in changed.items() if key != "sampling"}
        settings = USUAL | architecture(**built).model_dump(mode="json") | sampling
        members.append((network(**built), settings, known()))
    saved_detector(folder / "plain", members, PREPARED, slope=0.7, intercept=0.2)
    export.export(folder / "plain", folder / "onnx")
    card = json.loads((folder / "onnx/bundle.json").read_text())
    card["validation"]["novelty"] = {"bound": 1e6}
    (folder / "onnx/bundle.json").write_text(json.dumps(card))
    return folder / "onnx"


@pytest.fixture(scope="module")
def site(exported, modules):
    """The address of the page, and its folder."""
    from deepfake.app.web.command import export_page

    folder = exported.parent / "page"
    export_page(exported, folder, modules)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()


@pytest.fixture
def page(site, browser):
    """The page on a phone; at the end, that nothing was sent anywhere, and nothing failed."""
    url, _ = site
    wrong = []
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    context.on(
        "request", lambda asked: (asked.method, asked.url[: len(url)]) == ("GET", url) or wrong.append(asked.url)
    )
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.set_default_timeout(LONG)
    opened.goto(url)
    opened.get_by_text("The detector is ready").wait_for()
    yield opened
    context.close()
    assert wrong == []


def files(folder: Path, images) -> list[Path]:
    """The pictures as PNG files."""
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(str(path), image[..., ::-1])
    return paths


def chosen(page, paths) -> dict[str, str]:
    """What the page says of pictures that are handed in."""
    page.locator("#files").set_input_files(paths)
    return answer(page)


def answer(page) -> dict[str, str]:
    """What it says, when it is done."""
    page.locator("#result[aria-busy=false]").wait_for()
    return page.locator("#result").evaluate("result => ({ ...result.dataset })")


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 4, 6])  # of 4, the members of a detector see different sequences
def test_the_page_says_of_pictures_what_python_says(page, exported, tmp_path, count):
    detector = sessions.load(exported, "onnx")
    expected = detector.track(FACES[:count])
    judged = scoring.judged(detector, [expected])
    shown = chosen(page, files(tmp_path, FACES[:count]))
    assert float(shown["logit"]) == pytest.approx(expected.logit, abs=1e-4)
    assert float(shown["score"]) == pytest.approx(judged.score, abs=1e-4)
    assert float(shown["novelty"]) == pytest.approx(judged.novelty, rel=1e-3)
    assert shown["verdict"] == judged.verdict
    assert page.get_by_role("heading", name=detector.wording(judged.verdict)).is_visible()
    assert f"P(fake) {judged.score * 100:.0f} %" in page.locator("#score").inner_text()
    rows = page.locator("#rows tr")
    logits = [float(rows.nth(n).get_attribute("data-logit")) for n in range(rows.count())]
    assert logits == pytest.approx(expected.logits, abs=1e-4)
    parts = [", ".join(f"{i}.png" for i in part) for part in scoring.parts(detector, count, expected)]
    assert rows.locator("td:first-child").all_inner_texts() == parts


@pytest.mark.slow
def test_a_broken_file_is_named_and_the_rest_goes_on(page, exported, tmp_path):
    broken = {
        "half.png": files(tmp_path, FACES)[0].read_bytes()[:60],
        "<b>film</b>.mp4": b"\0\0\0 ftypisom",
        "no.jpg": b"",
    }
    payloads = [{"name": name, "mimeType": "image/png", "buffer": content} for name, content in broken.items()]
    page.locator("#files").set_input_files(payloads)
    page.locator("#refused li").nth(2).wait_for()
    assert page.locator("#refused").inner_text().splitlines() == [
        f"{name}: no picture that this browser can read" for name in broken
    ]
    assert page.locator("#result").is_hidden()
    mixed = [
        *payloads,
        *({"name": p.name, "mimeType": "", "buffer": p.read_bytes()} for p in files(tmp_path, FACES[:2])),
    ]
    shown = chosen(page, mixed)
    expected = sessions.load(exported, "onnx").track(FACES[:2]).logit
    assert float(shown["logit"]) == pytest.approx(expected, abs=1e-4)
    page.get_by_role("button", name="Remove").first.click()
    page.locator("#rows td", has_text="0.png").wait_for(state="detached")
    assert page.locator("#rows tr").count() == 1


@pytest.mark.slow
def test_nothing_is_wider_than_the_screen(page, tmp_path):
    first, second = files(tmp_path, [FACES[0], np.zeros((40, 900, 3), np.uint8)])
    chosen(page, [first, second.rename(tmp_path / f"{'long' * 40}.png")])
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_the_square_is_moved_by_keys_and_by_hand_and_its_pixels_are_what_is_judged(page, exported, tmp_path):
    wide = RNG.integers(0, 256, (SIDE, 3 * SIDE, 3), np.uint8)
    detector = sessions.load(exported, "onnx")
    expected = [detector.track(wide[None, :, start : start + SIDE]).logit for start in (SIDE, SIDE + 1, 2 * SIDE)]
    assert float(chosen(page, files(tmp_path, [wide]))["logit"]) == pytest.approx(expected[0], abs=1e-4)
    across, down = page.get_by_label("Across"), page.get_by_label("Down")
    assert down.is_disabled()
    across.press("ArrowRight")
    assert float(answer(page)["logit"]) == pytest.approx(expected[1], abs=1e-4)
    box = page.locator(".whole").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 2 * box["width"], box["y"] + 5, steps=3)
    page.mouse.up()
    assert across.input_value() == str(2 * SIDE)
    assert float(answer(page)["logit"]) == pytest.approx(expected[2], abs=1e-4)


@pytest.mark.slow
def test_a_large_picture_is_shrunk_as_in_python(page):
    large = RNG.integers(0, 256, (1, 83, 83, 3), np.uint8)
    call = "async rgba => [...(await import('/pixels.js')).shrunk(Uint8ClampedArray.from(rgba), 83, 32)]"
    opaque = np.concatenate([large[0], np.full((83, 83, 1), 255, np.uint8)], 2)
    shrunk = np.array(page.evaluate(call, opaque.ravel().tolist())).reshape(32, 32, 4)
    assert np.abs(shrunk[..., :3] - clips.resized(large, 32)[0].astype(int)).max() <= 1
    assert (shrunk[..., 3] == 255).all()


@pytest.mark.slow
def test_what_is_unlike_the_training_data_or_near_even_odds_is_inconclusive(page, exported):
    call = "async ([card, logit, novelty]) => (await import('/judge.js')).judged(card, logit, novelty)"
    card = about(exported)
    detector = sessions.load(exported, "onnx")
    for logit in (-3.0, -0.3, -0.2, 0.0, 5.0, 80.0, -80.0):
        shown = page.evaluate(call, [card, logit, None])
        judged = scoring.judged(detector, [TrackScore((logit,), 1)])
        assert (shown["score"], shown["verdict"], shown["reason"]) == (judged.score, judged.verdict, "")
    doubtful = {"unlike the training data": [card, 3.0, 1.5], "learn": [card | {"untrained": "guessed"}, 3.0, 0.5]}
    doubtful["nearer to even"] = [card | {"scoring": card["scoring"] | {"doubt": 0.5}}, 0.0, 0.5]
    for reason, given in doubtful.items():
        shown = page.evaluate(call, given)
        assert shown["verdict"] == "inconclusive"
        assert reason in shown["reason"].replace("Unlike", "unlike")


@pytest.mark.slow
def test_the_browser_itself_forbids_the_page_to_reach_anything_else(page):
    call = """() => new Promise((heard) => {
      addEventListener("securitypolicyviolation", (event) => heard(event.effectiveDirective));
      fetch("http://localhost:9/").catch(() => {});
    })"""
    assert page.evaluate(call) == "connect-src"


def test_a_missing_runtime_is_told_with_the_command_that_installs_it(deepfake, tmp_path):
    code, _, complaint = deepfake("export-page", tmp_path / "detector", tmp_path / "page")
    assert code == 2
    assert complaint == (
        "error: no onnxruntime-web: web/node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs is missing\n"
        "  hint: npm ci --prefix web\n"
    )


def test_a_folder_that_is_no_page_is_left_alone(deepfake, tmp_path):
    (tmp_path / "mine.txt").touch()
    code, _, complaint = deepfake("export-page", tmp_path / "detector", tmp_path)
    assert code == 2
    assert complaint == f"error: {tmp_path}: is there, and is no page\n  hint: name a new folder\n"
    assert (tmp_path / "mine.txt").exists()


def test_a_detector_that_is_not_exported_says_how(deepfake, tmp_path, saved_detector):
    settings = USUAL | architecture().model_dump(mode="json")
    folder = saved_detector(tmp_path / "detector", [(network(), settings)], PREPARED)
    dist = tmp_path / "web/node_modules/onnxruntime-web/dist"
    dist.mkdir(parents=True)
    for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (dist / name).touch()
    code, _, complaint = deepfake("export-page", folder, tmp_path / "page")
    assert code == 2
    assert f"hint: export it: deepfake export {folder} --out NEW_FOLDER --onnx" in complaint
    assert not (tmp_path / "page").exists()


def test_the_lock_holds_versions_and_hashes_and_no_addresses():
    packages = json.loads((ROOT / "web/package-lock.json").read_text())["packages"]
    assert all({"version", "integrity"} <= set(package) for name, package in packages.items() if name)
    assert not any("resolved" in package for package in packages.values())
    assert "://" not in (ROOT / "web/package-lock.json").read_text() + (ROOT / "web/.npmrc").read_text()
