"""code: what each stage is made of: code, libraries, model files; it always runs."""

import json
from pathlib import Path
from typing import Any

from deepfake.base import code, hashes, libraries, params, plugins
from deepfake.base.disk import aside
from stages.command import Out, done, main

CHOSEN_BY = {  # kind of plugin: the key of params.yaml that chooses one
    "forgeries": "demo.methods",
    "layouts": "extract.layout",
    "detectors": "detect.detector",
    "models.encoders": "train.encoder",
    "models.heads": "train.head",
}
USED_BY = {  # package or module: the keys that give it a use
    "deepfake.pseudo": ("augment.self_blend", "train.drawings"),
    "deepfake.drawings": ("train.drawings",),
    "deepfake.dataset.lookalikes": ("controls.faces",),
}
ELSEWHERE = {("extra", "layouts"): "evaluate.extra.layout"}  # of a stage and kind, where another key chooses
WEIGHTS = {  # stage: the key that may name a file: of weights, a list
    "calibrate": "detect.weights",  # which it copies
    "detect": "detect.weights",
    "split": "split.table",
    "train": "train.pretrained",
}
ROBUSTNESS = (Path("reports/robustness.csv"), Path("reports/plots/robustness.csv"))  # written when asked for
FOUND = {"report": ROBUSTNESS}  # stage: files that it reads where they are there, which dvc.yaml cannot say
FOLDERS = {"extra": "evaluate.extra.root"}  # stage: the key that names folders, which dvc.yaml cannot list


def run(locks: Out = Path("data/code")) -> None:
    """Write a small file for each stage, for DVC to compare: a comment makes nothing again, an upgrade does."""
    settings = params.sections()
    with aside(locks) as new:
        new.mkdir()
        for name in names():
            text = json.dumps(made_of(name, settings), indent=2, sort_keys=True)
            (new / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    done("code", f"{len(names())} stages", locks)


def names() -> list[str]:
    """The stages, sorted; but for this one, which makes no result."""
    return sorted({file.stem for file in Path(__file__).parent.glob("*.py")} - {"__init__", "command", "code"})


def made_of(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What shapes the results of a stage beside its inputs and params. A choice that is wrong is left to the stage."""
    unused = [package for package, keys in USED_BY.items() if not any(value(settings, key) for key in keys)]
    own = code.closure(f"stages.{name}", unused=unused)
    loaded = {kind for module in own for kind in code.kinds(module)}
    chosen = [f"deepfake.{kind}.{plugin}" for kind in sorted(loaded) for plugin in choices(name, kind, settings)]
    others = set(code.closure(*chosen, unused=unused)) - set(own)  # a plugin may load any of its kind by itself
    inner = {kind for module in others for kind in code.kinds(module)}
    chosen += [f"deepfake.{kind}.{plugin}" for kind in sorted(inner) for plugin in plugins.names(kind)]
    shape = code.shape(f"stages.{name}", *chosen, unused=unused)
    if name in FOUND:
        shape["found"] = {file.as_posix(): hashes.content(file) for file in FOUND[name]}
    if name in FOLDERS:
        shape["folders"] = {str(root): hashes.folder(Path(str(root))) for root in value(settings, FOLDERS[name]) or []}
    weights = value(settings, WEIGHTS.get(name, ""))
    if isinstance(weights, str):
        shape["models"][weights] = hashes.content(Path(weights))
    elif weights is True:
        shape["models"] |= libraries.downloaded(str(value(settings, "train.backbone")))
    return shape


def choices(stage: str, kind: str, settings: dict[str, Any]) -> list[str]:
    """The plugins of the kind that the settings choose: one or a list of them, or all where no setting does."""
    known = plugins.names(kind)
    key = ELSEWHERE.get((stage, kind)) or CHOSEN_BY.get(kind)
    chosen = value(settings, key) if key else known
    return [name for name in known if name in (chosen if isinstance(chosen, list) else [chosen])]


def value(settings: Any, key: str) -> Any:
    """The value of "section.key", of each entry of a list; None where there is none."""
    for name in key.split("."):
        if isinstance(settings, list):
            settings = [entry.get(name) for entry in settings if isinstance(entry, dict)]
        else:
            settings = settings.get(name) if isinstance(settings, dict) else None
    return settings


if __name__ == "__main__":
    main(run)
