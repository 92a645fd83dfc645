"""weights: what an encoder begins with, from a file or its library, and which of it learns. No file's code is run."""

import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import torch
from huggingface_hub import constants, hf_hub_download, is_offline_mode
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from deepfake.base.disk import beside
from deepfake.base.errors import UserError

State = dict[str, Tensor]
Adapt = Callable[[State, nn.Module], State]
WHERE = "params.yaml: train.pretrained"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
# what reading a file raises of which a part is missing or wrong: found by cutting and changing 1200 of them
BROKEN = (
    *(SafetensorError, UnpicklingError, struct.error, EOFError, OSError),
    *(RuntimeError, ValueError, LookupError, AssertionError),
)
TRAINABLE = "all, head, norm_only, last_<n>_layers"


def load(module: nn.Module, file: str | Path, adapt: Adapt | None = None) -> None:
    """Fill the module from a file, whose names are those of the module; what else it holds is left out.

    Raises UserError for a file that is missing, broken, unsafe, or of another network.
    """
    fill(module, read(Path(file)), Path(file).name, adapt)


def read(file: Path) -> State:
    """The tensors of a file: .safetensors, or .pth, .pt, .bin of torch.save."""
    if file.suffix not in SUFFIXES:
        raise UserError(f"{WHERE}: {str(file)!r} is no file of weights", f"one that ends in {', '.join(SUFFIXES)}")
    if not file.is_file():
        raise UserError(f"{WHERE}: no file {file}", beside(file) or "the path begins at the repository's root")
    try:
        content = load_file(file) if file.suffix == SUFFIXES[0] else _unwrapped(_unpickled(file))
    except BROKEN as e:
        if "unsupported global" in str(e).lower():  # so torch calls a function that weights have no use for
            raise UserError(f"{WHERE}: {file.name} holds code, which is not run", "save its state_dict() alone") from e
        raise UserError(
            f"{WHERE}: {file.name} cannot be read: truncated, or no file of weights", "get the file again"
        ) from e
    if not content or not all(isinstance(name, str) and isinstance(content[name], Tensor) for name in content):
        raise UserError(f"{WHERE}: {file.name} holds more than weights, or none", "save its state_dict() alone")
    return {name.removeprefix("module."): value for name, value in content.items()}  # of DataParallel


def fill(module: nn.Module, state: State, source: str, adapt: Adapt | None = None) -> None:
    """Copy all of the module's weights from the state, brought into its shape by `adapt`. Raises UserError."""
    own = module.state_dict()
    try:
        state = adapt(state, module) if adapt else state
    except (KeyError, RuntimeError, ValueError):
        state = {}  # of another network: nothing of it fits
    # files older than PyTorch 0.4.1 do not count the batches
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    shaped = [name for name in own if name in state and own[name].shape != state[name].shape]
    if missing or shaped:
        problem = f"{len(missing)} missing, {len(shaped)} of another shape (first: {(missing + shaped)[0]})"
        raise UserError(f"{WHERE}: {source}: of {len(own)} weights {problem}", "weights of this encoder and backbone")
    module.load_state_dict({name: state[name] for name in own if name in state}, strict=False)


def in_order(state: State, module: nn.Module) -> State:
    """Weights under other names, given the module's own where all of them fit one after the other."""
    own = module.state_dict()
    pairs = list(zip(own, state.items(), strict=False))
    if set(own) & set(state) or len(pairs) < len(own):
        return state
    fits = all(own[name].shape == value.shape for name, (_, value) in pairs)
    return {name: value for name, (_, value) in pairs} if fits else state


@contextmanager
def download(name: str) -> Iterator[None]:
    """What is downloaded within ends in one UserError where it cannot be had. Caches are used without a network."""
    try:
        yield
    except OSError as e:  # URLError, a timeout, the hub's own errors
        raise UserError(
            f"{WHERE}: the weights of {name} could not be downloaded", "go online, or give a file of them: <path>.pth"
        ) from e


def of_hub(repository: str) -> str:
    """The file of weights of a repository of the Hugging Face hub, downloaded, or from the cache. Raises OSError."""
    # without a network the hub's client tries for a minute and a half: it is told where there is nobody to ask
    offline = is_offline_mode() or not _reachable(constants.ENDPOINT)
    return str(hf_hub_download(repository, "model.safetensors", local_files_only=offline))


def freeze(encoder: nn.Module, trainable: str) -> None:
    """Choose which weights of the encoder learn.

    all; head: none, only what comes after; norm_only: the scales and shifts of its normalisation; last_<n>_layers: the
    last n modules with weights of their own, in order of definition. Raises UserError for anything else.
    Source: norm_only: GenD, WACV 2026.
    """
    layers = [module for module in encoder.modules() if next(module.parameters(recurse=False), None) is not None]
    last = re.fullmatch(r"last_([1-9]\d*)_layers", trainable)
    if trainable == "all":
        chosen = layers
    elif trainable == "head":
        chosen = []
    elif trainable == "norm_only":  # by name: timm has a dozen norms of its own
        chosen = [module for module in layers if "norm" in type(module).__name__.lower()]
    elif last:
        chosen = layers[-int(last[1]) :]
    else:
        raise UserError(f"params.yaml: train.trainable: no choice {trainable!r}; there are: {TRAINABLE}", "all")
    if trainable == "norm_only" and not chosen:
        raise UserError("params.yaml: train.trainable: norm_only: the encoder has no normalisation", "all, or head")
    encoder.requires_grad_(False)
    for module in chosen:
        for weight in module.parameters(recurse=False):
            weight.requires_grad_(True)


def _unpickled(file: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what torch would not have written: an error says that, or nothing need be
        return torch.load(file, map_location="cpu", weights_only=True)


def _unwrapped(content: Any) -> dict[str, Any]:
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    return dict(content) if isinstance(content, Mapping) else {}


def _reachable(address: str) -> bool:
    try:
        urlopen(Request(address, method="HEAD"), timeout=5).close()
    except URLError as e:
        return hasattr(e, "code")  # an HTTP status is an answer
    except TimeoutError:
        return False
    return True
