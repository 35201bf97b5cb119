"""Cells of the lesson PyTorch that go with loops.py: helpers by assignment, layers in lists."""

# ruff: noqa: E402
from collections import OrderedDict

# %%
import torch
import torch.nn as nn

relu, flatten, DTYPE = nn.ReLU(), nn.Flatten(), torch.float32


def two_layer_fc(x, params):
    x = flatten(x)
    for number in (0, 2):
        x = x.mm(params[number]) + params[number + 1]
        if number == 0:
            x = relu(x)
    return x


# %%
def three_layer_convnet(x, params):
    for number, padding in ((0, 2), (2, 1)):
        x = relu(torch.conv2d(x, params[number], params[number + 1], padding=padding))
    return torch.addmm(params[5], flatten(x), params[4])


# %%
class TwoLayerFC(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        sizes = [input_size, hidden_size, num_classes]
        self.stack = nn.ModuleList(nn.Linear(m, n) for m, n in zip(sizes[:-1], sizes[1:]))

    def forward(self, x):
        x = flatten(x)
        for number, layer in enumerate(self.stack):
            x = layer(relu(x) if number else x)
        return x


# %%
class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        convolutions = [nn.Conv2d(in_channel, channel_1, 5, padding=2), nn.Conv2d(channel_1, channel_2, 3, padding=1)]
        self.convolutions = nn.ModuleList(convolutions)
        self.scores = nn.Linear(channel_2 * 32 * 32, num_classes)

    def forward(self, x):
        for convolution in self.convolutions:
            x = relu(convolution(x))
        return self.scores(flatten(x))


# %%
def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    layers = []
    for m, n, size in ((in_channel, channel_1, 5), (channel_1, channel_2, 3)):
        layers += [nn.Conv2d(m, n, size, padding=size // 2), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channel_2 * 32 * 32, num_classes))
    return nn.Sequential(OrderedDict(zip(("conv1", "relu1", "conv2", "relu2", "flatten", "fc"), net)))
