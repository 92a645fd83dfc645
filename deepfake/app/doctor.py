"""doctor: what is installed, which detectors, codecs and devices work here, and what mends the rest."""

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deepfake.base.errors import UserError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from deepfake.cards import Card

MARKS = {"ok": "ok", "absent": "--", "broken": "!!"}  # absent: nothing that is needed; broken: an exit code of 1
ENCODERS = ("libx264", "libx264rgb", "ffv1", "aac")  # what frames, faces, fakes and their sound are written by
DECODERS = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "png", "webp", "aac")  # what people's files hold
FAULTS = (UserError, ImportError, OSError, RuntimeError, ValueError)  # of libraries that do not work here


@dataclass(frozen=True)
class Check:
    """What was found of one thing."""

    topic: str
    name: str
    state: str  # ok, absent, broken
    detail: str
    mend: str = ""  # a command, or what else to do


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object, for programs")] = False,
) -> None:
    """Say what is installed and what works here, and the command that mends what does not.

    Exit code: 0 where all that is needed works, 1 where something does not; what is optional may be absent.
    """
    checks = [check for topic in TOPICS for check in topic()]
    healthy = all(check.state != "broken" for check in checks)
    if as_json:
        print(json.dumps({"healthy": healthy, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print("\n".join(lines(checks)))
    raise typer.Exit(0 if healthy else 1)


def lines(checks: list[Check]) -> Iterator[str]:
    """The checks for a person, by topic; below each what mends it."""
    wide = max(len(check.name) for check in checks)
    topic = ""
    for check in checks:
        if check.topic != topic:
            topic = check.topic
            yield f"{topic}:"
        yield f"  {MARKS[check.state]}  {check.name:<{wide}}  {check.detail}".rstrip()
        if check.mend:
            yield f"      {'':<{wide}}  -> {check.mend}"


def installed() -> Iterator[Check]:
    """Python, each library that is needed, and of each extra whether it is whole; versions against those declared."""
    yield Check("installed", "python", "ok", f"{platform.python_version()}, {platform.platform(terse=True)}")
    try:
        yield Check("installed", "deepfake", "ok", metadata.version("deepfake"))
        declared = metadata.requires("deepfake") or []
    except metadata.PackageNotFoundError:
        yield Check("installed", "deepfake", "broken", "run from a folder, and not installed", "pip install .")
        return
    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in declared]
    for requirement in needed:
        installed = version(requirement.name)
        if not always(requirement):
            continue
        if installed and requirement.specifier.contains(installed, prereleases=True):
            yield Check("installed", requirement.name, "ok", installed)
        else:
            mend = f"pip install '{requirement.name}{requirement.specifier}'"
            yield Check(
                "installed",
                requirement.name,
                "broken",
                f"{installed or 'missing'}, needs {requirement.specifier}",
                mend,
            )
    for extra in sorted(metadata.metadata("deepfake").get_all("Provides-Extra") or []):
        own = [
            requirement.name
            for requirement in needed
            if requirement.marker and requirement.marker.evaluate({"extra": extra}) and not always(requirement)
        ]
        missing = [name for name in own if not version(name)]
        if missing:
            text, mend = f"without {', '.join(missing)}", f"pip install 'deepfake[{extra}]'"
            yield Check("installed", f"[{extra}]", "absent", text, mend)
        else:
            yield Check("installed", f"[{extra}]", "ok", ", ".join(f"{name} {version(name)}" for name in own))


def always(requirement: "Requirement") -> bool:
    """Whether it is needed here without any extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def version(package: str) -> str:
    """The version of what is installed; "" where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def opencv() -> Iterator[Check]:
    """OpenCV: of several wheels one overwrites the files of another."""
    from deepfake.base.libraries import PROVIDERS

    there = [name for name in PROVIDERS["cv2"] if version(name)]
    if len(there) > 1:
        mend = f"pip uninstall {' '.join(there)} && pip install opencv-python-headless"
        yield Check("installed", "cv2", "broken", f"comes from {' and '.join(there)} at once", mend)


def tools() -> Iterator[Check]:
    """The programs that the pipeline calls."""
    for name, mend in (("git", "install git"), ("dvc", "pip install dvc, or source .venv/bin/activate")):
        where = shutil.which(name)
        yield Check("programs", name, "ok" if where else "absent", where or "not on the path", "" if where else mend)


def codecs() -> Iterator[Check]:
    """What PyAV's FFmpeg reads and writes, and that a clip that it writes is read again."""
    mend = "pip install --force-reinstall --only-binary :all: av"
    try:
        import av
        import numpy as np

        from deepfake import video

        yield Check("video", "PyAV", "ok", f"{av.__version__}, FFmpeg {av.ffmpeg_version_info}")
        kinds: tuple[tuple[str, Literal["r", "w"], tuple[str, ...]], ...]
        kinds = (("writes", "w", ENCODERS), ("reads", "r", DECODERS))
        for kind, mode, wanted in kinds:
            there = [name for name in wanted if has(name, mode)]
            lost = [name for name in wanted if name not in there]
            state = "ok" if not lost else "broken" if mode == "w" else "absent"
            known = f"{' '.join(there)}; not {' '.join(lost)}" if lost else " ".join(there)
            yield Check("video", kind, state, known, mend if lost else "")
        with TemporaryDirectory() as folder:
            clip = Path(folder, "clip.mkv")
            video.encode(clip, np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8), 25.0)
            count = sum(1 for _ in video.read(clip))
        state = "ok" if count == 3 else "broken"
        yield Check("video", "a clip", state, f"{count} of 3 frames come back", "" if count == 3 else mend)
    except FAULTS as error:
        yield Check("video", "a clip", "broken", said_of(error), mend)


def has(codec: str, mode: Literal["r", "w"]) -> bool:
    """Whether FFmpeg decodes (r) or encodes (w) by it."""
    from av.codec import Codec

    try:
        return bool(Codec(codec, mode).name)
    except ValueError:
        return False


def detectors() -> Iterator[Check]:
    """Each face detector, built, and shown a grey picture; the one of params.yaml with its model file."""
    from deepfake.base import params, plugins

    chosen = params.sections().get("detect", {}) if params.FILE.is_file() else {}
    for name in plugins.names("detectors"):
        ours = chosen.get("detector") == name
        try:
            import numpy as np

            built = plugins.load("detectors", name).build(chosen.get("weights") if ours else None)
            built.detect(np.full((160, 160, 3), 127, np.uint8))
            yield Check("detectors", name, "ok", "works" + (", chosen in params.yaml" if ours else ""))
        except UserError as error:
            yield Check("detectors", name, "broken" if ours else "absent", error.args[0], error.hint)
        except FAULTS as error:
            yield Check("detectors", name, "broken", said_of(error), "pip install --force-reinstall deepfake")


def devices() -> Iterator[Check]:
    """Processors, memory, and GPUs as PyTorch sees them; that the one which would be used computes."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    yield Check("devices", "cpu", "ok", f"{os.cpu_count()} cores, {platform.machine()}, {size(memory)} of memory")
    try:
        import torch

        from deepfake.inference import device
    except ImportError as error:
        yield Check("devices", "torch", "broken", str(error), "pip install --force-reinstall torch")
        return
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        yield Check("devices", f"cuda:{number}", "ok", f"{about.name}, {size(about.total_memory)}")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        text = (
            f"PyTorch {torch.__version__} for CUDA {built} finds no GPU" if built else "PyTorch is built without CUDA"
        )
        yield Check("devices", "gpu", "absent", text, "only where there is a GPU: install its driver" if built else "")
    try:
        used = device()
        torch.ones(8, 8, device=used) @ torch.ones(8, 8, device=used)
        yield Check("devices", "used", "ok", f"{used}, {torch.get_num_threads()} threads")
    except FAULTS as error:
        yield Check("devices", "used", "broken", said_of(error), "unset DEVICE" if os.environ.get("DEVICE") else "")


def caches() -> Iterator[Check]:
    """What is kept between runs, and how much room it takes."""
    from deepfake.base import cache, disk

    kept = cache.entries()
    own, bound = sum(entry.own for entry in kept), cache.limit() * cache.GB
    whole = (
        f"{len(kept)} results, {size(sum(entry.size for entry in kept))}, {size(own)} of its own, in {cache.store()}"
    )
    if own > bound:
        yield Check("caches", "videos", "absent", f"{whole}: above {size(bound)}", "deepfake cache --prune")
    else:
        yield Check("caches", "videos", "ok", whole)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or home / "huggingface", "hub"))
    torch_home = Path(os.environ.get("TORCH_HOME") or home / "torch")
    for name, folder in (("dvc", Path(".dvc/cache")), ("hugging face", hub), ("torch", torch_home)):
        if folder.is_dir():
            yield Check("caches", name, "ok", f"{size(disk.occupied(folder))} in {folder}")
    free = shutil.disk_usage(Path.cwd()).free
    yield Check("caches", "free here", "ok", size(free))


def trained() -> Iterator[Check]:
    """The detector that `deepfake predict` takes by itself, and the one that is shipped."""
    from deepfake import bundle

    folder = Path("models/detector")
    try:
        card = bundle.read(folder)
    except UserError as error:
        yield Check("models", str(folder), "broken" if folder.is_dir() else "absent", error.args[0], error.hint)
    else:
        yield Check("models", str(folder), "ok", rank(card))
    try:
        yield Check("models", "builtin", "ok", rank(bundle.read(bundle.BUILTIN)))
    except UserError as error:
        yield Check("models", "builtin", "broken", error.args[0], "pip install --force-reinstall deepfake")


def rank(card: "Card") -> str:
    """How well a whole detector tells the videos of its validation and of its test, and what it does not know."""
    from deepfake.scope import spoken

    auc = card.validation.get("auc")
    text = f"whole, validation AUC {auc:.3f}" if auc is not None else "whole"
    if card.scope:
        text = "; ".join(
            [text, *(f"test, {figure}" for figure in spoken(card.scope)), f"methods: {card.scope.methods}"]
        )
    else:
        text += "; does not say on what it was tested"
    return text if card.validation.get("novelty") else f"{text}; does not know what is unlike its training data"


def size(count: float) -> str:
    """Bytes in GB, or MB where they are few."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def said_of(error: BaseException) -> str:
    """The first line of an error, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


TOPICS: tuple[Callable[[], Iterator[Check]], ...] = (
    *(installed, opencv, tools, codecs, detectors, devices),
    *(caches, trained),
)
