"""devices: what trains: processors, machines, loaders. All from the environment: it changes the speed only."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from deepfake.base.errors import UserError


def trained_on() -> dict[str, Any]:
    """The Trainer's options: DEVICES, NUM_NODES, STRATEGY and ACCELERATOR, or what torchrun has set; else one device.

    One device is the default even where there are more: with several, batch norm sees parts of a batch.
    """
    here = number("LOCAL_WORLD_SIZE", 0, least=0)  # of torchrun; Lightning's own children have WORLD_SIZE alone
    everywhere = number("WORLD_SIZE", 1) if here else 0
    devices, nodes = number("DEVICES", here or 1), number("NUM_NODES", everywhere // here if here else 1)
    return {
        "accelerator": os.environ.get("ACCELERATOR", "auto"),
        "devices": devices,
        "num_nodes": nodes,
        "strategy": os.environ.get("STRATEGY") or ("ddp" if devices * nodes > 1 else "auto"),
        "sync_batchnorm": torch.cuda.is_available() and devices * nodes > 1,
        "use_distributed_sampler": False,  # the batches know their rank
    }


def is_first() -> bool:
    """Whether this is the one process, or the first of several: the one that writes."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def loading() -> dict[str, Any]:
    """The DataLoader's options: WORKERS processes; by default 8 at most beside a GPU, and none beside a CPU.

    On the CPU the memory maps are read in a hundredth of a step's time, and workers would only take its cores.
    """
    gpu = torch.cuda.is_available()
    workers = number("WORKERS", min(8, (os.cpu_count() or 1) - 1) if gpu else 0, least=0)
    own = torch.Generator()  # else each epoch draws from the generator of dropout
    return {"num_workers": workers, "pin_memory": gpu, "persistent_workers": workers > 0, "generator": own}


def number(name: str, default: int, least: int = 1) -> int:
    """A whole number of the environment. Raises UserError for what is none."""
    value = os.environ.get(name, "")
    if value and not (value.isdecimal() and int(value) >= least):
        raise UserError(f"{name}={value}: must be a number from {least} on", f"unset it for {default}")
    return int(value) if value else default


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Lightning says of machines, loggers and loaders; its errors and other warnings remain."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for about in (
            "does not have many workers",
            "GPU available but not used",
            "isinstance.treespec",
            "is not empty",
        ):
            warnings.filterwarnings("ignore", f".*{about}")
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
