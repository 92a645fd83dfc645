"""orders: the frames of a sequence as they come, or disturbed: what a detector that looks at time must notice."""

from collections.abc import Callable

import numpy as np

REORDERED = ("shuffled", "reversed")  # the same frames: what loses by these alone knows their order

Order = Callable[[list[int]], list[int]]  # the frames of a sequence -> the same number of them, to be shown


def as_filmed(frames: list[int]) -> list[int]:
    """As they come."""
    return frames


def backwards(frames: list[int]) -> list[int]:
    """The last one first."""
    return frames[::-1]


def frozen(frames: list[int]) -> list[int]:
    """The middle one, again and again."""
    return [frames[len(frames) // 2]] * len(frames)


def shuffled(seed: int) -> Order:
    """In an order that the seed and the frames draw: the same for the same sequence, whoever looks at it."""
    return lambda frames: [int(i) for i in np.random.default_rng([seed, *frames]).permutation(frames)]


def disturbances(seed: int, shuffles: int) -> dict[str, Order]:
    """Every disturbance by its name: shuffled_0, shuffled_1 ..., reversed and repeated."""
    every = {f"shuffled_{i}": shuffled(seed + i) for i in range(shuffles)}
    return every | {"reversed": backwards, "repeated": frozen}
