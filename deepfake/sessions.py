"""sessions: networks exported to ONNX, run by ONNX Runtime in place of PyTorch; all else of a detector is the same."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepfake import bundle, inference
from deepfake.base.errors import UserError

KINDS = {"onnx": ".onnx", "int8": ".int8.onnx"}  # backend -> what its files end in


class Session:
    """clips (B, T, 3, H, W) float in [0, 1] and mask (B, T) bool, on the CPU -> logits (B,): what its Network gives."""

    device = torch.device("cpu")

    def __init__(self, path: Path) -> None:
        ort = library("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors alone
        try:
            self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no base of their own
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: ONNX Runtime cannot load it: {reason}", "export it anew") from None

    def __call__(self, clips: Tensor, mask: Tensor) -> Tensor:
        logits = self.session.run(["logits"], {"clips": clips.numpy(), "mask": mask.numpy()})[0]
        return torch.from_numpy(logits)


def load(folder: Path, backend: str) -> inference.Detector:
    """The detector of a folder that `deepfake export` wrote, its networks run by ONNX Runtime.

    Raises UserError where it was not exported for this backend, or is broken, or ONNX Runtime is not installed.
    """
    folder = bundle.home(folder)
    names = files(folder, backend)
    library("onnxruntime")
    detector = inference.load(folder)
    members = zip(detector.members, names, strict=True)
    return replace(detector, members=tuple(replace(member, network=Session(folder / file)) for member, file in members))


def files(folder: Path, backend: str) -> list[str]:
    """The file of each member's export, in the folder. Raises UserError where it was not exported for this backend."""
    card = bundle.read(folder)
    names = [name_of(member.weights, backend) for member in bundle.read_networks(folder).members]
    if missing := [name for name in names if name not in card.files]:
        option = " --int8" if backend == "int8" else ""
        hint = f"export it: deepfake export {folder} --out NEW_FOLDER --onnx{option}"
        raise UserError(f"{folder}: no network for the backend {backend}: {missing[0]} is missing", hint)
    return names


def name_of(weights: str, backend: str) -> str:
    """The file of a member's export: member_0.safetensors -> member_0.onnx, member_0.int8.onnx."""
    return f"{Path(weights).stem}{KINDS[backend]}"


def library(name: str) -> Any:
    """A module that only ONNX needs. Raises UserError where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"ONNX needs {error.name}, which is not installed", "pip install 'deepfake[onnx]'") from None
