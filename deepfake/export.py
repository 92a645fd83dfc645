"""export: the networks of a detector as ONNX files, each compared with PyTorch when it is made.

A file reads `clips` (B, T, 3, H, W) float32 in [0, 1] and `mask` (B, T) bool, what is masked last, of any B and T, and
gives `logits` (B,), above 0 = fake. The scaling of pixels is inside.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from deepfake import bundle, inference, sessions
from deepfake.base.errors import UserError
from deepfake.models.network import Architecture, Network, side_of

PARITY = 1e-4  # of a logit: how far an exported network may be from the one that it is made of
COARSE = 0.1  # of a logit: further off, in 8 bits, what was fitted on the logits is said not to hold
OPSET = 20  # of ONNX: the oldest that PyTorch's exporter needs, for runtimes that are not the newest


def export(folder: Path, out: Path, *, int8: bool = False) -> dict[str, list[float]]:
    """Write the detector with its networks as ONNX files beside its weights.

    By backend, onnx and int8: how far logits are from PyTorch's, the largest of each member over clips of noise.

    The new folder stands wherever a detector does. int8: also with 8 bits for each weight, and for activations, whose
    ranges are measured as they come. Raises UserError for a network that cannot be exported.
    """
    folder = bundle.home(folder)
    bundle.vacant(out, folder)
    card, loaded = bundle.read(folder), inference.load(folder)
    differences: dict[str, list[float]] = {backend: [] for backend in ("onnx", "int8")[: 1 + int8]}
    with TemporaryDirectory() as scratch:
        networks = Path(scratch, "networks")
        bundle.join(networks, [folder])
        for entry, member in zip(bundle.read_networks(networks).members, loaded.members, strict=True):
            plain = networks / sessions.name_of(entry.weights, "onnx")
            differences["onnx"].append(write(plain, member))
            if int8:
                coarse = networks / sessions.name_of(entry.weights, "int8")
                quantize(plain, coarse)
                clips = examples(inference.architecture(member.settings))
                differences["int8"].append(apart(member.network, sessions.Session(coarse), clips))
        bundle.save(out, networks, loaded.params, card.scoring, card.validation, card.scope)
    return differences


def write(file: Path, member: inference.Member) -> float:
    """Write the member's network: the largest difference of a logit from PyTorch's, over clips of several shapes.

    Raises UserError where PyTorch cannot export it, or the difference is above PARITY.
    """
    a = inference.architecture(member.settings)
    what = f"encoder {a.encoder}{f' ({a.backbone})' if a.backbone else ''} with head {a.head}"
    for library in ("onnx", "onnxscript", "onnxruntime"):
        sessions.library(library)
    if not isinstance(member.network, Network):
        raise UserError(f"{what}: is exported already")
    net = member.network.cpu().eval()
    first, *others = examples(a)
    axes = {0: torch.export.Dim("clips"), 1: torch.export.Dim("frames")}
    with plainly():
        try:
            program = torch.onnx.export(
                net,
                first,
                dynamic_shapes=(axes, axes),
                input_names=["clips", "mask"],
                output_names=["logits"],
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise UserError(f"{what}: PyTorch cannot export it: {reason}", "predict with PyTorch") from error
        assert program is not None  # as of old exporters
        # where its source lies on this machine is nobody's business, and would make files differ
        import_module("onnx_ir.passes.common").ClearMetadataAndDocStringPass()(program.model)
        program.save(file)
    difference = apart(net, sessions.Session(file), [first, *others])
    if difference > PARITY:
        raise UserError(f"{what}: logits of the export are {difference:.2g} off", "predict with PyTorch")
    return difference


def apart(first: inference.ClipNetwork, second: inference.ClipNetwork, clips: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The largest difference of a logit between two, of clips and their masks, on the CPU."""
    with torch.inference_mode():
        return max(float((first(*given) - second(*given)).abs().max()) for given in clips)


def examples(a: Architecture) -> list[tuple[Tensor, Tensor]]:
    """Clips of noise and their masks: what the exporter sees, and what it does not, for the file must take any.

    A mask leaves each clip a frame less than the one before. Thumbnails make two pictures or more of what is seen: the
    exporter takes a size of one for a constant.
    """
    frames = 2 * max(2, a.thumbnails**2)
    return [example(clips, count, side_of(a)) for clips, count in ((2, frames), (1, 1), (3, frames + 3))]


def example(clips: int, frames: int, side: int) -> tuple[Tensor, Tensor]:
    """Clips (B, T, 3, side, side) of noise, no two of the same brightness, and their mask (B, T)."""
    shades = torch.linspace(1, 0.3, clips).view(-1, 1, 1, 1, 1)
    noise = torch.rand(clips, frames, 3, side, side, generator=torch.Generator().manual_seed(0))
    lengths = (frames - torch.arange(clips)).clamp(min=1).unsqueeze(1)
    return noise * shades, torch.arange(frames) < lengths


def quantize(plain: Path, file: Path) -> None:
    """Write the network with weights and activations of 8 bits, by ONNX Runtime's dynamic quantisation.

    Source: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", CVPR 2018.
    """
    tools: Any = sessions.library("onnxruntime.quantization")
    with TemporaryDirectory() as scratch, plainly():
        folded = Path(scratch, "folded.onnx")  # large weights of an LSTM are put together anew at each run, else
        tools.shape_inference.quant_pre_process(plain, folded, skip_symbolic_shape=True)
        tools.quantize_dynamic(folded, file, weight_type=tools.QuantType.QInt8, per_channel=True)


@contextmanager
def plainly() -> Iterator[None]:
    """Without fused attention, which ONNX has not, and without what the exporters say of their own insides."""
    fused, root = torch.backends.mha.get_fastpath_enabled(), logging.getLogger()
    level = root.level
    torch.backends.mha.set_fastpath_enabled(False)
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations within PyTorch: whether the file is right is compared
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        root.setLevel(level)
