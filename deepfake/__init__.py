"""deepfake: raw videos in, a trained and honestly evaluated deepfake detector out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepfake.base.errors import UserError
    from deepfake.library import Detector
    from deepfake.prediction import Box, Prediction, Span, Track, Window

__all__ = ["Box", "Detector", "Prediction", "Span", "Track", "UserError", "Window"]
HOMES = {"Detector": "library", "UserError": "base.errors"}
HOMES |= dict.fromkeys(("Box", "Prediction", "Span", "Track", "Window"), "prediction")


def __getattr__(name: str) -> Any:
    """What programs import, when they ask for it: PyTorch takes seconds."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
