"""thumbnails: n x n frames of a clip laid out in one picture, so that a network of pictures sees time.

Source: TALL: Xu et al., "Thumbnail layout for deepfake video detection", ICCV 2023.
"""

import torch
from torch import Tensor, nn


def thumbnails(clips: Tensor, mask: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Clips (B, T, 3, H, W), what is masked last, to pictures (B, ceil(T / n²), 3, H, W) and their mask.

    Frames are averaged down to H / n and W / n (n divides both), so that a picture has the size, and the cost, of a
    frame; they lie row by row, and the last true frame fills what is left. A picture counts if its first frame does.
    """
    size, frames, channels, height, width = clips.shape
    pictures = (frames + n**2 - 1) // n**2  # of positive numbers alone: division in ONNX rounds towards zero
    order = torch.arange(pictures * n**2, device=mask.device)
    nearest = torch.minimum(order, mask.sum(1, keepdim=True) - 1)  # (B, P n²)
    small = nn.functional.avg_pool2d(clips.flatten(0, 1), n).view(size, frames, channels, height // n, width // n)
    small = small[torch.arange(size, device=mask.device).unsqueeze(1), nearest]  # (B, P n², 3, H/n, W/n)
    grid = small.view(size, pictures, n, n, channels, height // n, width // n)
    return grid.permute(0, 1, 4, 2, 5, 3, 6).reshape(size, pictures, channels, height, width), mask[:, :: n**2]
