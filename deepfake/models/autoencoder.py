"""autoencoder: a small network that draws faces anew from few numbers, by one of four ways to enlarge.

Each way leaves its own traces, and so do the generators that use it: nearest and bilinear enlarging before a
convolution, transposed convolution, and pixels shuffled out of channels.

Source: Odena et al., "Deconvolution and checkerboard artifacts", Distill 2016; Shi et al., "Real-time single image
super-resolution", CVPR 2016; the adversary by patches, Isola et al., "Image-to-image translation", CVPR 2017.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WAYS = ("bilinear", "nearest", "shuffle", "transposed")
ADVERSARY = 0.02  # its weight, to the mean absolute error


class Autoencoder(nn.Module):
    """pictures (N, 3, S, S) in [0, 1] -> the same, through `code` numbers for each square of 2**depth px."""

    def __init__(self, way: str, *, width: int, depth: int, code: int) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        self.multiple = 2**depth
        down = [_block(nn.Conv2d(a, b, 3, 2, 1), b) for a, b in pairwise(widths)]
        up = [_block(_enlarged(way, b, a), a) for a, b in pairwise(widths)]
        self.encoder = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1), *down, nn.Conv2d(widths[-1], code, 1))
        self.decoder = nn.Sequential(nn.Conv2d(code, widths[-1], 3, 1, 1), *up[::-1], nn.Conv2d(width, 3, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        rest = (0, -width % self.multiple, 0, -height % self.multiple)
        out: Tensor = self.decoder(self.encoder(functional.pad(pictures, rest, mode="replicate")))
        return torch.sigmoid(out[..., :height, :width])


def trained(faces: Tensor, way: str, *, width: int, steps: int, batch: int, adversary: bool, seed: int) -> Autoencoder:
    """An autoencoder of (N, 3, S, S) uint8 pictures, on their device."""
    torch.manual_seed(seed)
    net = Autoencoder(way, width=width, depth=2 if adversary else 3, code=12 if adversary else 24).to(faces.device)
    judge = nn.Sequential(
        *(_step(3, width), _step(width, 2 * width), _step(2 * width, 4 * width), nn.Conv2d(4 * width, 1, 3, 1, 1))
    ).to(faces.device)
    own, its = (torch.optim.AdamW(m.parameters(), 1e-3, (0.5, 0.99), weight_decay=0) for m in (net, judge))
    learning = [(own, 2e-3), (its, 5e-4)][: 1 + adversary]
    rates = [torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps) for optimizer, rate in learning]
    draws = torch.Generator().manual_seed(seed)
    for step in range(steps):
        chosen = torch.randint(len(faces), (batch,), generator=draws)
        real = faces[chosen.to(faces.device)].float() / 255
        real = real.flip(3) if step % 2 else real
        with torch.autocast(faces.device.type, torch.bfloat16, enabled=faces.device.type == "cuda"):
            fake = net(real)
            loss = (fake - real).abs().mean()
            if adversary and step > steps // 4:
                loss = loss - ADVERSARY * judge(fake).mean()
        own.zero_grad()
        loss.backward()
        own.step()
        if adversary:
            with torch.autocast(faces.device.type, torch.bfloat16, enabled=faces.device.type == "cuda"):
                wrong = functional.relu(1 - judge(real)).mean() + functional.relu(1 + judge(fake.detach())).mean()
            its.zero_grad()
            wrong.backward()  # type: ignore[no-untyped-call]
            its.step()
        for rate in rates:
            rate.step()
    return net.eval()


def _block(layer: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(layer, nn.GroupNorm(min(8, channels), channels), nn.SiLU())


def _step(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 4, 2, 1), nn.LeakyReLU(0.2))


def _enlarged(way: str, inner: int, outer: int) -> nn.Module:
    if way == "transposed":
        return nn.ConvTranspose2d(inner, outer, 3, 2, 1, output_padding=1)
    if way == "shuffle":
        return nn.Sequential(nn.Conv2d(inner, 4 * outer, 3, 1, 1), nn.PixelShuffle(2))
    how = nn.Upsample(scale_factor=2, mode=way, align_corners=False if way == "bilinear" else None)
    return nn.Sequential(how, nn.Conv2d(inner, outer, 3, 1, 1))
