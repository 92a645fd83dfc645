"""bundle: a detector comes back from disk as it was; a broken one is said to be broken; nothing in it is a pickle."""

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from deepfake import Detector, bundle, export, scope
from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.bundle import CARD, NETWORKS, VALIDATION
from deepfake.inference import architecture, load
from deepfake.models.network import Network

USUAL = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())["train"]
TRAIN = USUAL | {"encoder": "cnn", "head": "lstm", "frames": 3, "side": 32, "motion": False}
BACKBONES = {"timm": "test_resnet", "video": "mc3_18"}
WEIGHTS = "member_0.safetensors"
SCOPE = scope.read(Path(__file__).parents[1] / "reports/metrics.json")
PREPARED = {"extract": {"frames_per_video": 4}, "detect": {"size": 64, "weights": None}, "filter": {"min_side": 30}}

pytestmark = pytest.mark.usefixtures("one_thread")


def network(seed: int = 0, **train) -> tuple[Network, dict]:
    """Untrained, but for the settings of train given."""
    torch.manual_seed(seed)
    settings = TRAIN | train
    return Network(architecture(settings)).eval(), settings


@pytest.fixture(scope="module")
def once(tmp_path_factory, saved_detector) -> Path:
    return saved_detector(tmp_path_factory.mktemp("once") / "detector", [network()], PREPARED, slope=2.0)


@pytest.fixture
def saved(tmp_path, once) -> Path:
    """The folder of a detector, to be spoilt."""
    return Path(shutil.copytree(once, tmp_path / "detector"))


# ---- disk


@pytest.mark.parametrize(
    "train",
    [
        *({"encoder": name, "backbone": BACKBONES.get(name)} for name in plugins.names("models.encoders")),
        *({"head": name} for name in plugins.names("models.heads")),
        {"fusion": "gate"},
        {"thumbnails": 2},
    ],
)
def test_a_detector_comes_back_as_it_was(tmp_path, saved_detector, train):
    before, settings = network(**train)
    with torch.no_grad():
        for buffer in before.buffers():
            buffer.add_(1)  # statistics of batch norm that are not those of the beginning
    after = load(saved_detector(tmp_path / "deep" / "detector", [(before, settings)], PREPARED, slope=2.0))
    assert (after.scoring.slope, after.params) == (2.0, PREPARED)
    assert after.validation == {"auc": 1.0, "untrained": ""}
    assert after.members[0].settings == settings
    assert not after.members[0].network.training
    for name, value in before.state_dict().items():
        torch.testing.assert_close(after.members[0].network.state_dict()[name], value, rtol=0, atol=0)


def test_the_folder_holds_weights_and_cards_that_a_person_can_read(saved):
    assert sorted(file.name for file in saved.iterdir()) == sorted([CARD, NETWORKS, VALIDATION, WEIGHTS])
    card, networks = (json.loads((saved / name).read_text()) for name in (CARD, NETWORKS))
    assert card["scoring"] == {"tracks": "max", "slope": 2.0, "intercept": 0.0, "doubt": 0.0}
    assert networks["members"] == [{"weights": WEIGHTS, "settings": TRAIN, "epoch": 0, "known": "", "drawings": ""}]
    assert set(load_file(saved / WEIGHTS)) == set(Network(architecture(TRAIN)).state_dict())


def test_nothing_in_the_folder_is_a_pickle(saved):
    content = (saved / WEIGHTS).read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])  # says where the numbers of each weight lie
    ends = [weight["data_offsets"][1] for name, weight in header.items() if name != "__metadata__"]
    assert 8 + size + max(ends) == len(content)
    assert not any(zipfile.is_zipfile(file) for file in saved.iterdir())  # torch.save makes one, with a pickle in it


def test_an_older_detector_is_replaced_whole(saved, saved_detector):
    (saved / "old.txt").touch()
    saved_detector(saved, [network(head="mean")], PREPARED)
    assert not (saved / "old.txt").exists()
    assert load(saved).members[0].settings["head"] == "mean"


def test_the_model_file_of_the_face_detector_travels_with_the_bundle(tmp_path, saved_detector, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/faces.onnx").write_bytes(b"a network")
    detect = {"detector": "yunet", "weights": "data/weights/faces.onnx"}
    folder = saved_detector(tmp_path / "detector", [network()], PREPARED | {"detect": detect})
    shutil.rmtree(tmp_path / "data")
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir("/")  # from anywhere
    weights = Path(load(moved).params["detect"]["weights"])
    assert weights.read_bytes() == b"a network"
    weights.write_bytes(b"another")
    with pytest.raises(UserError, match=r"a broken bundle: faces\.onnx is not what the card says"):
        load(moved)


# ---- what is broken


def mistake(folder) -> str:
    """The mistake in one line, which names the folder; the hint says how to get a whole one."""
    with pytest.raises(UserError) as error:
        load(folder)
    assert "dvc repro" in error.value.hint
    message = error.value.args[0]
    assert str(folder) in message
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("missing", [CARD, WEIGHTS, NETWORKS, VALIDATION])
def test_a_missing_file_is_named(saved, missing):
    (saved / missing).unlink()
    assert mistake(saved) == f"no trained detector: {saved / missing} is missing"


def test_a_missing_folder_is_named(tmp_path):
    assert "is missing" in mistake(tmp_path / "none")


def test_a_file_in_the_place_of_the_folder_is_no_detector(tmp_path):
    (tmp_path / "file").touch()
    assert "no trained detector" in mistake(tmp_path / "file")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_weights_that_were_cut_off_are_broken(saved, share):
    content = (saved / WEIGHTS).read_bytes()
    (saved / WEIGHTS).write_bytes(content[: int(share * len(content))])
    assert "a broken bundle" in mistake(saved)


@pytest.mark.parametrize(
    "text", ["", "{", "not JSON", "[]", "3", "null", "{}", '{"format": 3}', '{"format": 3, "params": {}}', "\xff"]
)
@pytest.mark.parametrize("name", [CARD, NETWORKS])
def test_a_card_that_is_not_one_is_broken(saved, name, text):
    (saved / name).write_text(text, encoding="latin-1")
    assert "a broken bundle" in mistake(saved)


@pytest.mark.parametrize("key", ["format", "params", "scoring", "validation", "files"])
def test_a_card_that_lacks_something_says_what(saved, key):
    card = json.loads((saved / CARD).read_text())
    del card[key]
    (saved / CARD).write_text(json.dumps(card))
    assert mistake(saved).endswith(f"a broken bundle: {CARD}: {key}: Field required")


def test_a_bundle_of_another_format_says_which(saved):
    card = json.loads((saved / CARD).read_text())
    (saved / CARD).write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(UserError, match="format 99, this version reads 3"):
        load(saved)


def test_weights_of_another_network_do_not_fit(tmp_path, saved_detector):
    other = network(head="mean")[0], TRAIN
    assert "a broken bundle" in mistake(saved_detector(tmp_path / "detector", [other], PREPARED))


def test_settings_that_no_network_is_made_of_are_broken(tmp_path, saved_detector):
    settings = {name: value for name, value in TRAIN.items() if name != "head"}
    assert "a broken bundle" in mistake(saved_detector(tmp_path / "detector", [(network()[0], settings)], PREPARED))


GONE = object()
FIELD = "Field required"


@pytest.fixture
def shipped(tmp_path) -> Path:
    """The folder of a detector that says all, to be spoilt."""
    bundle.describe(tmp_path / "detector", Path(shutil.copytree(bundle.BUILTIN, tmp_path / "whole")), SCOPE)
    return tmp_path / "detector"


def spoilt(folder: Path, name: str, keys: tuple, value: object) -> Path:
    """The folder with another value in one of its cards, and the hashes that go with it."""
    content = json.loads((folder / name).read_text())
    *above, last = keys
    place = content
    for key in above:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    (folder / name).unlink()  # it may be linked
    (folder / name).write_text(json.dumps(content))
    if name != CARD:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        spoilt(folder, CARD, ("files", name), digest)
    return folder


@pytest.mark.parametrize(
    ("name", "keys", "value", "fault"),
    [
        (CARD, ("params", "extract"), GONE, FIELD),
        (CARD, ("params", "detect"), GONE, FIELD),
        (CARD, ("params", "filter"), GONE, FIELD),
        (CARD, ("params", "extract", "frames_per_video"), -1, "Input should be greater than 0"),
        (CARD, ("params", "detect", "detector"), None, "Input should be a valid string"),
        (CARD, ("params", "detect", "weights"), GONE, "names no file of it"),
        (CARD, ("params", "detect", "weights"), "x.onnx", "names no file of it"),
        (CARD, ("params", "filter", "min_faces"), "x", "Input should be a valid integer"),
        (CARD, ("validation", "auc"), GONE, FIELD),
        (CARD, ("validation", "auc"), "0.9", "Input should be a valid number"),
        (CARD, ("validation", "auc"), -1.0, "Input should be greater than or equal to 0"),
        (CARD, ("validation", "untrained"), None, "Input should be a valid string"),
        (CARD, ("validation", "novelty", "bound"), GONE, FIELD),
        (CARD, ("validation", "novelty", "bound"), 0, "Input should be greater than 0"),
        (CARD, ("scope", "video"), GONE, FIELD),
        (CARD, ("scope", "video", "reals"), -1, "Input should be greater than or equal to 0"),
        (CARD, ("scope", "video", "reals"), 1.5, "Input should be a valid integer"),
        (CARD, ("scope", "video", "auc", "value"), 1.5, "Input should be less than or equal to 1"),
        (CARD, ("scope", "video", "auc", "value"), "0.9", "Input should be a valid number"),
        (CARD, ("scope", "video", "auc", "high"), 0.0, "low and high are no interval"),
        (CARD, ("scope", "by_method"), [], "Input should be an object"),
        (CARD, ("scope", "extra"), {"x": {}}, FIELD),
        (CARD, ("scope", "held_out"), "x", "Input should be an object"),
        (CARD, ("scope", "auc"), 0.9, "Extra inputs are not permitted"),
        (NETWORKS, ("members",), [], "List should have at least 1 item"),
        (NETWORKS, ("members", 0, "weights"), "x", "names no file of it"),
        (NETWORKS, ("members", 0, "weights"), ".", "names no file of it"),
        (NETWORKS, ("members", 0, "weights"), "a\0b", "names no file of it"),
        (NETWORKS, ("members", 0, "weights"), "../detector/member_0.safetensors", "names no file of it"),
        (NETWORKS, ("members", 0, "known"), ".", "names no file of it"),
        (NETWORKS, ("members", 0, "settings", "side"), None, "Input should be a valid integer"),
        (NETWORKS, ("members", 0, "settings", "side"), 10**6, "frames of 1000000 px are more than fit into memory"),
        (NETWORKS, ("members", 0, "settings", "frames"), 10**9, "1000000000 frames of"),
        (NETWORKS, ("members", 0, "settings", "sampling"), GONE, FIELD),
        (NETWORKS, ("members", 0, "settings", "encoder"), GONE, FIELD),
        (NETWORKS, ("members", 0, "settings", "hidden"), "x", "Input should be a valid integer"),
    ],
)
def test_a_card_that_garbles_something_is_said_to_be_broken_and_where(shipped, name, keys, value, fault):
    with pytest.raises(UserError) as error:
        Detector.load(spoilt(shipped, name, keys, value))
    told = error.value.args[0]
    assert len(told.splitlines()) == 1
    if value in (10**6, 10**9) or keys[-1] == "high":  # of two settings together
        keys = keys[:-1]
    if keys[-1] == "extra":
        keys += ("x", "reals")
    assert told.startswith(f"{shipped}: a broken bundle: {name}: {'.'.join(map(str, keys))}: ")
    assert fault in told


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../x", "files: ../x is not in its folder"),
        ("..", "is missing"),
        ("a\0b", r"a\x00b is missing"),
        ("a" * 300, "is missing"),
    ],
)
def test_a_card_names_files_of_its_folder_alone(shipped, name, fault):
    (shipped.parent / "x").touch()
    assert fault in mistake(spoilt(shipped, CARD, ("files", name), hashlib.sha256().hexdigest()))


def test_a_file_that_cannot_be_read_is_said_to_be_so(shipped, monkeypatch):
    def refused(_: Path) -> str:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(bundle, "_digest", refused)
    assert mistake(shipped).endswith("safetensors: Permission denied")


def test_a_broken_bundle_is_one_line_of_the_command(shipped, deepfake):
    (shipped.parent / "a.mp4").touch()
    spoilt(shipped, CARD, ("params", "filter", "min_faces"), GONE)
    code, _, complaint = deepfake("predict", "a.mp4", "--detector", shipped)
    assert (code, len(complaint.splitlines())) == (2, 2)  # and a hint


# ---- what it was measured on


def test_a_detector_tells_what_it_was_measured_on_and_is_the_same_otherwise(saved, tmp_path):
    bundle.describe(tmp_path / "described", saved, SCOPE)
    assert load(tmp_path / "described").scope == SCOPE
    assert load(saved).scope is None
    before, after = bundle.read(saved), bundle.read(tmp_path / "described")
    assert after.model_copy(update={"scope": None}) == before
    for name in before.files:
        assert (saved / name).samefile(tmp_path / "described" / name)


def test_programs_are_told_what_it_was_measured_on(shipped):
    assert Detector.load(shipped).scope == SCOPE


def test_a_detector_is_not_described_in_its_own_place(saved):
    with pytest.raises(UserError, match="is the detector itself"):
        bundle.describe(saved, saved, SCOPE)


@pytest.mark.parametrize("form", [3, 4, 5])
def test_a_detector_of_an_older_format_says_nothing_of_it(saved, form):
    for name in (NETWORKS, CARD):
        spoilt(saved, name, ("format",), form)
    spoilt(saved, CARD, ("scope",), GONE)
    assert bundle.read(saved).scope is None
    assert load(saved).scope is None


def test_half_the_size_and_another_form_were_measured_as_the_whole(saved, tmp_path):
    bundle.describe(tmp_path / "described", saved, SCOPE)
    bundle.halve(tmp_path / "half", tmp_path / "described")
    assert bundle.read(tmp_path / "half").scope == SCOPE
    pytest.importorskip("onnxscript")
    export.export(tmp_path / "half", tmp_path / "exported")
    assert bundle.read(tmp_path / "exported").scope == SCOPE


def test_detectors_together_are_one_that_nobody_measured(saved, tmp_path, deepfake):
    bundle.describe(tmp_path / "described", saved, SCOPE)
    code, _, complaint = deepfake("ensemble", tmp_path / "described", tmp_path / "described", "--out", "both")
    assert code == 0, complaint
    assert bundle.read(Path("both")).scope is None


# ---- several as one


def validation(logits: dict[str, float], **columns) -> pd.DataFrame:
    """One track a video, the names that begin with f are fakes."""
    rows = [
        {"video_id": name, "label": int(name.startswith("f")), "group": name, "track": 0, "sequence": 0, "logit": logit}
        for name, logit in logits.items()
    ]
    return pd.DataFrame(rows).assign(faces=3, member=0, **columns)


def test_detectors_are_joined_with_all_their_members(tmp_path, saved_detector):
    folders = []
    for seed, logits in enumerate(({"a": -2.0, "f": 1.0}, {"a": 0.5, "f": 3.0})):
        folder = tmp_path / str(seed)
        folders.append(saved_detector(folder, [network(seed)], PREPARED, validation=validation(logits)))
    table = bundle.join(tmp_path / "both", folders)
    assert table["member"].tolist() == [0, 0, 1, 1]
    assert table["logit"].tolist() == [-2.0, 1.0, 0.5, 3.0]
    assert [member.weights for member in bundle.read_networks(tmp_path / "both").members] == [
        "member_0.safetensors",
        "member_1.safetensors",
    ]
    for number, folder in enumerate(folders):
        assert (tmp_path / f"both/member_{number}.safetensors").read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": PREPARED | {"filter": {"min_side": 1}}}, "other settings of filter than"),
        ({"validation": validation({"a": 0.0, "fz": 1.0})}, "validated on other videos than"),
        ({"validation": validation({"a": 0.0, "f": 1.0}, label=1)}, "validated on other videos than"),
    ],
)
def test_detectors_that_do_not_belong_together_are_refused(tmp_path, saved_detector, change, message):
    given = {"params": PREPARED, "validation": validation({"a": 0.0, "f": 1.0})}
    folders = []
    for number, own in enumerate((given, given | change)):
        folder = tmp_path / str(number)
        folders.append(saved_detector(folder, [network()], own["params"], validation=own["validation"]))
    with pytest.raises(UserError, match=message):
        bundle.join(tmp_path / "both", folders)
    assert not (tmp_path / "both").exists()


def test_what_is_published_says_of_which_commit_and_by_which_licence(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    bundle.halve(tmp_path / "unknown", saved)
    assert bundle.read(tmp_path / "unknown").origin == bundle.read(saved).origin
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for call in (["init", "--quiet"], [*who, "commit", "--quiet", "--allow-empty", "--message", "all"]):
        subprocess.run(["git", *call], check=True)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    bundle.halve(tmp_path / "half", saved, "CC0-1.0")
    origin = bundle.read(tmp_path / "half").origin
    assert (origin.labels, origin.revision, origin.licence) == (("real", "fake"), revision, "CC0-1.0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", origin.date)
