"""Cells of the lesson PyTorch that go with course.py."""

import torch.nn.functional as F
from torch import nn


# %%
def flatten(x):
    N = x.shape[0]
    return x.view(N, -1)


def two_layer_fc(x, params):
    x = flatten(x)
    w1, b1, w2, b2 = params
    x = F.relu(x.mm(w1) + b1)
    x = x.mm(w2) + b2
    return x


# %%
def three_layer_convnet(x, params):
    conv_w1, conv_b1, conv_w2, conv_b2, fc_w, fc_b = params
    scores = F.relu(F.conv2d(x, conv_w1, bias=conv_b1, padding=2))
    scores = F.relu(F.conv2d(scores, conv_w2, bias=conv_b2, padding=1))
    scores = flatten(scores).mm(fc_w) + fc_b
    return scores


# %%
class TwoLayerFC(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        self.hidden = nn.Linear(input_size, hidden_size)
        nn.init.kaiming_normal_(self.hidden.weight)
        self.scores = nn.Linear(hidden_size, num_classes)
        nn.init.kaiming_normal_(self.scores.weight)

    def forward(self, x):
        x = flatten(x)
        return self.scores(F.relu(self.hidden(x)))


# %%
class Flatten(nn.Module):
    def forward(self, x):
        return flatten(x)


class ThreeLayerConvNet(nn.Module):
    def __init__(self, in_channel, channel_1, channel_2, num_classes):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channel, channel_1, (5, 5), padding=2),
            nn.ReLU(),
            nn.Conv2d(channel_1, channel_2, (3, 3), padding=1),
            nn.ReLU(),
            Flatten(),
            nn.Linear(channel_2 * 32 * 32, num_classes),
        )

    def forward(self, x):
        scores = self.net(x)
        return scores


# %%
def sequential_convnet(in_channel, channel_1, channel_2, num_classes):
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(in_channel, channel_1, 5, padding=2))
    model.add_module("relu1", nn.ReLU())
    model.add_module("conv2", nn.Conv2d(channel_1, channel_2, 3, padding=1))
    model.add_module("relu2", nn.ReLU())
    model.add_module("flatten", Flatten())
    model.add_module("fc", nn.Linear(channel_2 * 32 * 32, num_classes))
    return model
