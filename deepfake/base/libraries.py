"""libraries: which versions of which libraries shape a result, and of weights they download; nothing is imported."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# What installs a module, where that has another name; of several each that is there counts.
PROVIDERS = {
    "PIL": ("pillow",),
    "c2pa": ("c2pa-python",),
    "cv2": ("opencv-contrib-python", "opencv-contrib-python-headless", "opencv-python", "opencv-python-headless"),
    "dlib": ("dlib", "dlib-bin"),
    "fpdf": ("fpdf2",),
    "sklearn": ("scikit-learn",),
}
# What computes behind a library that a module imports.
BEHIND = {
    "albumentations": ("albucore", "cv2", "numpy", "scipy", "simsimd", "stringzilla"),
    "cv2": ("numpy",),
    "lightning": ("torch", "torchmetrics"),
    "matplotlib": ("contourpy", "numpy", "pillow"),
    "pandas": ("numpy", "pyarrow"),  # which writes the tables
    "scipy": ("numpy",),
    "sklearn": ("numpy", "scipy"),
    "timm": ("torch", "torchvision"),
    "torchvision": ("numpy", "pillow", "torch"),
}
# What shapes no pixel and no number, and why.
NEUTRAL = {
    "distributed": "where work is done",
    "dvclive": "draws the curves of a training, which go back into nothing",
    "huggingface_hub": "fetches weights; which ones is told by their revision",
    "joblib": "where work is done",
    "pydantic": "checks settings, whose values count themselves",
    "tqdm": "draws a bar",
    "typer": "reads the command line",
    "yaml": "reads settings, whose values count themselves",
}


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The versions of all that is behind these modules, by the name of what is installed; sorted.

    Without the local part, 2.8.0+cu128: which processor or GPU a library is built for is not what it computes.
    """
    names: set[str] = set()
    todo = [module.partition(".")[0] for module in modules]
    while todo:
        if (name := todo.pop()) not in names | set(NEUTRAL):
            names.add(name)
            todo += BEHIND.get(name, ())
    installed = {package: _installed(package) for name in names for package in PROVIDERS.get(name, (name,))}
    known = {package: number for package, number in installed.items() if number}
    return dict(sorted((known | (_ffmpeg() if "av" in names else {})).items()))


def downloaded(backbone: str) -> dict[str, str]:
    """The revisions of a backbone's weights in the cache of Hugging Face's hub: timm/resnet50.a1_in1k -> a commit.

    Those of torchvision are told by its version: their hash is in its code.
    """
    from huggingface_hub import constants  # only for those who download

    refs = sorted(Path(constants.HF_HUB_CACHE).glob("models--*/refs/main"))
    names = {ref: ref.parents[1].name.removeprefix("models--").replace("--", "/") for ref in refs}
    ours = {ref: name for ref, name in names.items() if name.split("/")[-1].split(".")[0] == backbone.split(".")[0]}
    return {name: ref.read_text(encoding="utf-8").strip() for ref, name in ours.items()}


def _installed(package: str) -> str:
    """Its version; "" for what is not there."""
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""


def _ffmpeg() -> dict[str, str]:
    """The decoders' own version: PyAV's wheels bring one, other builds take what the system has."""
    import av  # 50 ms

    return {"ffmpeg": av.ffmpeg_version_info}
