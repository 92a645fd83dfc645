"""case: what is filed about a video says what is known, keeps claims apart, and comes out byte for byte again."""

import datetime
import hashlib
import json
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest
import torch
import yaml

from deepfake import bundle, scope
from deepfake.app.case import credentials, pages
from deepfake.inference import architecture
from deepfake.models.network import Network
from deepfake.pages import document
from deepfake.player import container

pytest.importorskip("fpdf")
from deepfake.pages import paper

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def exhibit(odd, tmp_path) -> Path:
    """A film of a face, whose name is HTML."""
    return Path(shutil.copy(odd("plain"), tmp_path / "<b>clip.mp4"))


# ---- the report


def test_a_case_is_the_same_bytes_wherever_and_whenever_it_is_written(deepfake, detector, exhibit, tmp_path):
    call = ("case", exhibit, "--detector", detector, "--out")
    code, told, _ = deepfake(*call, "first")
    assert code == 0
    assert "-> first/case.html, first/case.pdf" in told
    assert deepfake(*call, tmp_path / "deep" / "second")[0] == 0
    for name in ("case.json", "case.html", "case.pdf", "SHA256SUMS"):
        assert Path("first", name).read_bytes() == (tmp_path / "deep/second" / name).read_bytes()
    sums = dict(line.split("  ")[::-1] for line in Path("first/SHA256SUMS").read_text().splitlines())
    for name, digest in sums.items():
        assert hashlib.sha256(Path("first", name).read_bytes()).hexdigest() == digest
    assert str(tmp_path) not in Path("first/case.json").read_text()


def test_a_case_says_what_predict_says_and_what_identifies_the_exhibit(deepfake, detector, exhibit):
    deepfake("case", exhibit, "--detector", detector, "--out", "filed")
    _, told, _ = deepfake("predict", exhibit, "--detector", detector, "--json")
    facts, prediction = json.loads(Path("filed/case.json").read_text()), json.loads(told)
    assert facts["opinion"]["score"] == prediction["score"]
    assert facts["opinion"]["tracks"] == prediction["tracks"]
    assert facts["exhibit"]["sha256"] == hashlib.sha256(exhibit.read_bytes()).hexdigest()
    assert facts["detector"]["card_sha256"] == hashlib.sha256((detector / "bundle.json").read_bytes()).hexdigest()
    page = Path("filed/case.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;clip.mp4" in page
    for words in (facts["exhibit"]["sha256"], facts["opinion"]["verbal"], "known error rates", "data:image/jpeg"):
        assert words in page
    assert "http" not in page  # nothing from elsewhere


def test_a_case_may_lie_in_a_folder_of_any_name(deepfake, detector, odd, tmp_path):
    folder = os.fsdecode(b"f\xe9")
    (tmp_path / folder).mkdir()
    shutil.copy(odd("plain"), tmp_path / folder / "clip.mp4")
    code, told, _ = deepfake("case", f"{folder}/clip.mp4", "--detector", detector, "--out", f"{folder}/filed")
    assert code == 0
    assert told.endswith("-> f\\xe9/filed/case.html, f\\xe9/filed/case.pdf\n")
    assert deepfake("verify", f"{folder}/filed")[0] == 0


def test_a_video_without_a_face_has_a_case_without_an_opinion(deepfake, detector, odd):
    code, told, _ = deepfake("case", odd("black"), "--detector", detector, "--out", "filed")
    assert code == 1
    assert told.startswith("case: inconclusive, no score -> ")
    assert "The detector gives no score: no_face" in Path("filed/case.html").read_text()


@pytest.mark.parametrize(
    "arguments", [("none.mp4",), ("text.mp4",), ("clip.mp4", "--test", "none.json"), ("clip.mp4", "--window", "0.1")]
)
def test_what_no_case_can_be_made_of_is_said(deepfake, detector, odd, tmp_path, arguments):
    shutil.copy(odd("text"), tmp_path / "text.mp4")
    shutil.copy(odd("plain"), tmp_path / "clip.mp4")
    code, _, complaint = deepfake("case", *arguments, "--detector", detector, "--out", "filed")
    assert code == 2
    assert "hint: " in complaint
    assert not Path("filed").exists()


def test_a_case_is_never_written_over(deepfake, detector, exhibit, tmp_path):
    (tmp_path / "filed").mkdir()
    code, _, complaint = deepfake("case", exhibit, "--detector", detector, "--out", "filed")
    assert (code, "is there already" in complaint) == (2, True)


def test_the_figures_of_a_test_are_quoted(deepfake, detector, exhibit):
    metrics = ROOT / "reports/metrics.json"
    deepfake("case", exhibit, "--detector", detector, "--test", metrics, "--out", "filed")
    figure = json.loads(metrics.read_text())["video"]["auc"]
    assert f"{figure:.3f}" in Path("filed/case.html").read_text()
    assert json.loads(Path("filed/case.json").read_text())["test"]["figures"]["auc"][0] == figure


@pytest.fixture
def described(detector, tmp_path) -> Path:
    """The detector, and on what it was measured."""
    bundle.describe(tmp_path / "described", detector, scope.read(ROOT / "reports/metrics.json"))
    return tmp_path / "described"


def test_a_detector_alone_says_how_often_it_errs_and_on_what(deepfake, described, exhibit):
    metrics = json.loads((ROOT / "reports/metrics.json").read_text())
    assert deepfake("case", exhibit, "--detector", described, "--out", "filed")[0] == 0
    facts, page = json.loads(Path("filed/case.json").read_text()), Path("filed/case.html").read_text()
    assert facts["detector"]["scope"]["video"]["auc"]["value"] == metrics["video"]["auc"]
    for name in ("auc", "eer", "false_positive_rate", "false_negative_rate"):
        value, low, high = (metrics["video"][f"{name}{end}"] for end in ("", "_low", "_high"))
        assert pages.between(value, low, high) in page
    for name, own in metrics["by_method"].items():
        assert name in page
        assert pages.between(own["auc"], own["auc_low"], own["auc_high"]) in page
    assert f"It was measured on these methods of forging: {', '.join(metrics['by_method'])}." in page
    assert "flatter it" not in page
    assert deepfake("verify", "filed")[0] == 0


def test_a_detector_of_an_unknown_test_says_so(deepfake, detector, exhibit):
    deepfake("case", exhibit, "--detector", detector, "--out", "filed")
    page = Path("filed/case.html").read_text()
    assert "card tells of no test, and none was named" in page
    assert "does not say on which methods of forging it was measured" in page


def test_the_test_that_is_named_is_told_apart_from_another(deepfake, described, exhibit, tmp_path):
    call = ("case", exhibit, "--detector", described, "--test")
    deepfake(*call, ROOT / "reports/metrics.json", "--out", "same")
    page = Path("same/case.html").read_text()
    assert "The test that whoever wrote this case named is this one." in page
    assert "Test, AUC" not in page  # it stands there already
    metrics = json.loads((ROOT / "reports/metrics.json").read_text())
    metrics["video"]["auc"] = 0.123456
    (tmp_path / "other.json").write_text(json.dumps(metrics))
    deepfake(*call, tmp_path / "other.json", "--out", "other")
    page = Path("other/case.html").read_text()
    assert "is this one" not in page
    assert "0.123" in page  # beside what the card says
    assert pages.between(*(metrics["video"][f"eer{end}"] for end in ("", "_low", "_high"))) in page
    assert "What its card says of its test" in page


@pytest.mark.parametrize(
    ("log10", "words"),
    [(0.3, "2 times likelier of a fake video"), (-2.0, "100 times likelier of a real video"), (None, "no opinion")],
)
def test_a_likelihood_ratio_is_told_in_words(log10, words):
    assert words in pages.ratio(log10, "x")


# ---- verify


def test_verify_says_that_all_is_the_same_and_finds_what_is_not(deepfake, detector, exhibit, tmp_path):
    deepfake("case", exhibit, "--detector", detector, "--out", "filed")
    code, told, _ = deepfake("verify", "filed")
    assert code == 0, told
    assert told.splitlines()[-1] == "verify: all is the same"
    moved = exhibit.rename(tmp_path / "moved.mp4")
    assert deepfake("verify", "filed")[0] == 2
    assert deepfake("verify", "filed", "--video", moved)[0] == 0
    content = moved.read_bytes()
    moved.write_bytes(content + b"\0")
    code, told, _ = deepfake("verify", "filed", "--video", moved)
    assert code == 1
    assert "OTHER  exhibit" in told
    assert "same   score" in told
    moved.write_bytes(content)
    page = Path("filed/case.html")
    page.write_text(page.read_text().replace("real", "fake"))
    code, told, _ = deepfake("verify", "filed", "--video", moved)
    assert code == 1
    assert "OTHER  file      case.html" in told
    assert "same   exhibit" in told


def test_another_detector_is_found(deepfake, detector, saved_detector, exhibit, tmp_path):
    deepfake("case", exhibit, "--detector", detector, "--out", "filed")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    torch.manual_seed(5)
    sections = json.loads((detector / "bundle.json").read_text())["params"]
    other = saved_detector(tmp_path / "other", [(Network(architecture(settings)), settings)], sections)
    code, told, _ = deepfake("verify", "filed", "--detector", other)
    assert code == 1
    assert "OTHER  detector" in told
    assert "OTHER  score" in told


@pytest.mark.parametrize("spoil", ["nothing", "no json", "no case"])
def test_what_is_no_case_is_said_to_be_none(deepfake, tmp_path, spoil):
    if spoil != "nothing":
        (tmp_path / "filed").mkdir()
        (tmp_path / "filed/case.json").write_text("{" if spoil == "no json" else "{}")
        (tmp_path / "filed/where.json").write_text("{}")
    code, _, complaint = deepfake("verify", "filed")
    assert code == 2
    assert complaint.startswith("error: ")


@pytest.mark.parametrize(
    ("name", "keys", "value", "fault"),
    [
        ("where.json", ("video",), 5, "video: Input should be an instance of str"),
        ("where.json", ("detector",), None, "detector: Input should be an instance of str"),
        ("case.json", ("exhibit",), "x", "exhibit: Input should be a valid dictionary"),
        ("case.json", ("exhibit", "sha256"), [], "exhibit.sha256: Input should be a valid string"),
        ("case.json", ("program", "libraries"), 5, "program.libraries: Input should be a valid dictionary"),
        ("case.json", ("opinion", "score"), "0.1", "opinion.score: Input should be a valid number"),
        ("case.json", ("window",), float("nan"), "window: Input should be a finite number"),
        ("case.json", ("window",), -1, "window: Input should be greater than or equal to 0"),
        ("case.json", ("test",), "x", "test: Input should be a valid dictionary"),
        ("case.json", ("test",), {}, "test.sha256: Field required"),
    ],
)
def test_a_case_with_a_value_of_another_kind_is_said_to_be_broken(deepfake, tmp_path, name, keys, value, fault):
    facts = {"exhibit": {"name": "a", "sha256": "b"}, "detector": {"card_sha256": "c"}, "window": 10.0, "test": None}
    facts |= {"program": {"deepfake": "1", "device": "cpu", "libraries": {}}, "opinion": {"score": 0.5, "verdict": "x"}}
    parts = {"case.json": facts, "where.json": {"video": "a.mp4", "detector": "builtin"}}
    (tmp_path / "filed").mkdir()
    for part, content in parts.items():
        (tmp_path / "filed" / part).write_text(json.dumps(content))
    assert "no exhibit a.mp4" in deepfake("verify", "filed")[2]  # it is no broken one as it is
    *above, last = keys
    place = parts[name]
    for key in above:
        place = place[key]
    place[last] = value
    (tmp_path / "filed" / name).write_text(json.dumps(parts[name]))
    code, _, complaint = deepfake("verify", "filed")
    assert code == 2
    assert complaint.startswith(f"error: filed: a broken case: {name}: {fault}")


def test_every_reason_to_take_a_video_for_unlike_has_its_false_alarms():
    validation = {"untrained": "", "auc": 0.7, "novelty": {"false_alarms": 0.031, "videos": 60}}
    validation |= {"drawn": {"false_alarms": 0.047, "videos": 61}}
    facts = {"detector": {"validation": validation, "scope": None}, "test": None}
    [rows] = [part.rows for part in pages.errors(facts) if isinstance(part, pages.Table)]
    assert ("Videos like its own that are taken for unlike", "at most 3.1%, from 60 videos") in rows
    assert ("Videos like its own that are taken for drawn", "at most 4.7%, from 61 videos") in rows


# ---- the file's own words


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4 file."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_edit_lists_are_read_in_both_widths():
    short = box(b"elst", struct.pack(">IIIiiIii", 0, 2, 100, -1, 65536, 900, 512, 65536))
    wide = box(b"elst", struct.pack(">IIQqi", 1 << 24, 1, 2**33, 7, 65536))
    content = box(b"ftyp", b"isom") + box(b"moov", box(b"trak", box(b"edts", short)) + box(b"trak", box(b"edts", wide)))
    tree = list(container.boxes(content, 0, len(content)))
    assert [node.kind for node in tree] == [b"ftyp", b"moov"]
    edits = [edit for node in tree for edit in container.edits(content, node)]
    assert edits == [
        {"duration": 100, "start": -1},
        {"duration": 900, "start": 512},
        {"duration": 2**33, "start": 7},
    ]


@pytest.mark.parametrize("content", [b"\0\0\0\5ftyp", b"\xff\xff\xff\xffftyp....", b"\0\0\0\1ftyp", b""])
def test_boxes_that_make_no_sense_end_the_walk(content):
    assert list(container.boxes(content, 0, len(content))) == []


def test_a_file_that_ffmpeg_wrote_says_so(odd):
    facts = container.facts(odd("plain"))
    assert any(sign.startswith("FFmpeg wrote the file") for sign in facts["signs"])
    assert facts["streams"][0]["width"] == 256
    assert facts["credentials"] is False


def test_nothing_is_said_against_a_file_whose_tags_are_a_cameras():
    tags = {"creation_time": "2023-02-03T21:48:14.000000Z", "major_brand": "qt  "}
    facts = {"tags": tags, "streams": [{"tags": {}}], "writers": [], "boxes": ["ftyp", "mdat", "moov"], "edits": []}
    assert container.signs(facts) == []


# ---- content credentials


def certificate(x509, of, by, key, signer, *, ca):
    """A certificate of ten years, as C2PA wants it."""
    from cryptography.hazmat.primitives import hashes

    names = [x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)]) for name in (of, by)]
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"encipher_only": False, "decipher_only": False, "crl_sign": ca, "key_cert_sign": ca}
    begin = datetime.datetime(2024, 1, 1)
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin)
    builder = builder.not_valid_after(begin + datetime.timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(digital_signature=not ca, **usage), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if not ca:
        mail = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(mail, critical=False)
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture
def signed(odd, tmp_path) -> Path:
    """A film with credentials of a newspaper that nobody vouches for."""
    c2pa = pytest.importorskip("c2pa")
    x509 = pytest.importorskip("cryptography.x509")
    x509.NameOID = pytest.importorskip("cryptography.x509.oid").NameOID
    x509.ExtendedKeyUsageOID = pytest.importorskip("cryptography.x509.oid").ExtendedKeyUsageOID
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = [
        certificate(x509, "A newspaper", "Root", leaf, root, ca=False),
        certificate(x509, "Root", "Root", root, root, ca=True),
    ]
    secret = leaf.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    public = b"".join(certificate.public_bytes(s.Encoding.PEM) for certificate in chain)
    info = c2pa.C2paSignerInfo(alg=c2pa.C2paSigningAlg.ES256, sign_cert=public, private_key=secret, ta_url=None)
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": source}]}
    claim = {
        "claim_generator_info": [{"name": "a camera", "version": "1"}],
        "format": "video/mp4",
        "assertions": [{"label": "c2pa.actions", "data": actions}],
    }
    path = tmp_path / "signed.mp4"
    with odd("plain").open("rb") as given, path.open("w+b") as target:
        c2pa.Builder(claim).sign(c2pa.Signer.from_info(info), "video/mp4", given, target)
    return path


def test_credentials_are_read_and_a_change_is_found(signed):
    facts = container.facts(signed)
    assert facts["credentials"] is True
    claims = credentials.credentials(signed, seen=True)
    assert (claims["state"], claims["signer"], claims["program"]) == ("valid", "A newspaper", "a camera")
    assert (claims["actions"], claims["sources"]) == (["c2pa.created"], ["digitalCapture"])
    assert claims["said"].endswith("they hold; nobody vouches for their signer.")
    content = bytearray(signed.read_bytes())
    content[content.index(b"mdat") + 100] ^= 255
    signed.write_bytes(content)
    claims = credentials.credentials(signed, seen=True)
    assert (claims["state"], claims["said"]) == ("invalid", "Content credentials (C2PA) are present; they do not hold.")
    assert "assertion.bmffHash.mismatch" in claims["faults"]


def test_credentials_that_no_library_reads_are_said_to_be_there(signed, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    claims = credentials.credentials(signed, seen=True)
    assert claims["state"] == "unread"
    assert "present and were not verified" in claims["said"]


def test_bytes_that_only_look_like_credentials_are_said_to_be_broken(odd, tmp_path):
    pytest.importorskip("c2pa")
    path = tmp_path / "a.mp4"
    path.write_bytes(odd("plain").read_bytes() + box(b"uuid", container.C2PA + b"no manifest"))
    assert container.facts(path)["credentials"] is True
    assert credentials.credentials(path, seen=True)["state"] in ("broken", "absent", "invalid")


def test_a_file_without_credentials_says_that_it_says_nothing(odd):
    assert credentials.credentials(odd("plain"), seen=False) == credentials.ABSENT


# ---- documents


BLOCKS = (
    document.Text("A < B", "strong"),
    document.Points(["one", "two"]),
    document.Table(("a", "b"), [("1", "2")] * 60),
    document.Timeline("Over time", [(0.0, 1.0, 0.9), (1.0, 2.0, None), (2.0, 3.0, 0.1)]),
)


def test_a_document_is_html_in_which_nothing_is_markup_but_its_own():
    page = document.html("T", [document.Section("H", BLOCKS)])
    assert "A &lt; B" in page
    assert page.count("<rect ") == 2
    assert page.count("<tr>") == 61


def test_a_document_is_a_pdf_of_several_pages_and_the_same_bytes_each_time():
    jpeg = (ROOT / "reports/plots/faces.jpg").read_bytes()
    sections = [document.Section("H", (*BLOCKS, document.Pictures([(jpeg, "Ünïcödé, a face")])))]
    first, second = (paper.pdf("T", sections, "foot") for _ in range(2))
    assert first == second
    assert first.startswith(b"%PDF-")
    assert first.count(b"/Type /Page\n") >= 2


@pytest.mark.parametrize(("score", "shade"), [(0.0, document.GREEN), (0.5, document.AMBER), (0.7, document.RED)])
def test_a_score_has_a_colour(score, shade):
    assert document.shade(score) == shade
