"""monitor: a training tells how far it is, as the stages of videos do."""

from contextlib import ExitStack
from typing import Any

from lightning.pytorch.callbacks import Callback

from deepfake.base.progress import reported


class Monitor(Callback):
    """Counts the batches of a training, on its first process."""

    def __init__(self) -> None:
        self.stack = ExitStack()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.is_global_zero:
            epoch = int(trainer.num_training_batches)
            total, start = epoch * int(trainer.max_epochs), epoch * int(trainer.current_epoch)
            self.step = self.stack.enter_context(reported("train", total, "batches", start))

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.is_global_zero:
            self.step(0)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self.stack.close()
