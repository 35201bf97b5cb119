"""The challenge: a small residual network, trained well on whatever processor there is.

The recipe gathers what shortens training: residual blocks (He et al. 2016, arXiv:1512.03385), batch normalization
(Ioffe and Szegedy 2015, arXiv:1502.03167), one cycle of the learning rate (Smith and Topin 2018, arXiv:1708.07120),
label smoothing (Szegedy et al. 2016, arXiv:1512.00567), images that grow during training (Howard 2018, progressive
resizing in DAWNBench), a max-pooled, scaled output (Page 2018, "How to Train Your ResNet").
"""

from .kept import ABLATION, kept_ablation
from .resnet import Residual, ResNet
from .settings import INGREDIENTS, Settings, without
from .training import MODEL, Training, augmentation, evaluate, load_model

__all__ = [
    "ABLATION",
    "INGREDIENTS",
    "MODEL",
    "ResNet",
    "Residual",
    "Settings",
    "Training",
    "augmentation",
    "evaluate",
    "kept_ablation",
    "load_model",
    "without",
]
