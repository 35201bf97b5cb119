"""The network of the challenge: whitened patches, residual stages, scores."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Layer", "ResNet", "Residual"]


class Layer(nn.Sequential):
    """3 × 3 convolution, max pooling where asked for, batch norm, ReLU."""

    def __init__(self, in_channels, out_channels, settings, pool=False):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=not settings.batch_norm),
            nn.MaxPool2d(2) if pool else nn.Identity(),
            nn.BatchNorm2d(out_channels, momentum=0.4) if settings.batch_norm else nn.Identity(),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """``x + layer(layer(x))``."""

    def __init__(self, channels, settings):
        super().__init__()
        self.layers = nn.Sequential(Layer(channels, channels, settings), Layer(channels, channels, settings))
        self.skip = settings.skip

    def forward(self, x):
        return x + self.layers(x) if self.skip else self.layers(x)


class ResNet(nn.Module):
    """Whitened patches, then stages of a layer that halves height and width and a residual block, then scores.

    Parameters
    ----------
    settings : Settings
    num_classes : int
    """

    def __init__(self, settings, num_classes=10):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 127.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 64.0))
        self.patches = nn.Conv2d(3, 24, 2)
        self.stages = nn.Sequential()
        for before, width in pairwise((24, *settings.widths)):
            layer = Layer(before, width, settings, pool=True)
            if settings.identity:
                nn.init.dirac_(layer[0].weight.data[:before])
            self.stages.extend([layer, Residual(width, settings)])
        self.scores = nn.Linear(settings.widths[-1], num_classes, bias=False)
        self.memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)

    def forward(self, images):
        """Scores (N, num_classes) of images (N, 3, H, W) of pixels from 0 to 255, H and W above 2 ** stages."""
        x = self.stages(F.relu(self.patches(self._normalized(images))))
        # Max pooling over all positions. The factor keeps the first scores, and so the first loss, moderate.
        return self.scores(x.amax(dim=(2, 3))) / 8

    def _normalized(self, images):
        return ((images.to(self.mean.dtype) - self.mean) / self.std).contiguous(memory_format=self.memory_format)

    def normalize_as(self, images):
        """Take the mean and the standard deviation of each channel from these images (N, 3, H, W)."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must have shape (N, 3, H, W), got {tuple(images.shape)}")
        self.mean = images.float().mean(dim=(0, 2, 3), keepdim=True)
        self.std = images.float().std(dim=(0, 2, 3), keepdim=True)

    def whiten(self, images):
        """Fix the first filters: the principal components of 2 × 2 patches, scaled to variance 1, and their negatives.

        Their responses to these images (N, 3, H, W) are uncorrelated, so that the layers after them need not undo the
        correlation of neighbouring pixels (Jordan 2024, arXiv:2404.00498, section 3.1).
        """
        self.patches.weight.requires_grad_(False)
        patches = F.unfold(self._normalized(images), 2).transpose(1, 2).reshape(-1, 12).double()
        variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
        # The components that vary least are noise: the constant keeps them from being scaled up without limit.
        filters = (components / (variances + 5e-4).sqrt()).T.view(12, 3, 2, 2)
        self.patches.weight.copy_(torch.cat([filters, -filters]))
