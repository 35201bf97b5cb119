"""The exercises: what the reader of the student edition writes, in which lesson, for how many points.

An exercise is a function, a method or a class; of a class it is all methods. What else only its solution needs goes
with it. "FullyConnectedNet with …" extends what another exercise has begun, and so has nothing of its own to write.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ".student_edition.json"  # in a student edition: the checksums of its files
COURSE = ("FullyConnectedNets", "BatchNormalization", "Dropout", "ConvolutionalNetworks", "PyTorch")


@dataclass(frozen=True)
class Exercise:
    """A row of the table.

    Attributes
    ----------
    points : int
    name : str
    lesson : str
        Name of a notebook.
    section : int
        Number of the lesson's section that explains it.
    file : str
        Where it is defined: a module, or the lesson itself.
    places : tuple of (str, str)
        File and name of all that is to be written: the exercise, and what only its solution needs.
    needs : tuple of str
        Exercises that it builds on: as long as one of them is wrong, so may be what comes of this one.
    """

    points: int
    name: str
    lesson: str
    section: int
    file: str
    places: tuple
    needs: tuple

    def message(self, name):
        """What one of the names raises as long as it is not written."""
        what = name if name == self.name else f"{name.split('.')[-1]} (for {self.name})"
        return f"{what}: lesson {self.lesson}, section {self.section}"


def _of(lesson, *rows):
    for points, section, name, module, *parts in rows:
        file = f"notebooks/{lesson}.ipynb" if module is None else _file(module)
        places = [] if " with " in name else [(file, name)]
        for part in parts:
            module, _, part = part.rpartition(":")
            places.append((_file(module) if module else file, part))
        yield Exercise(points, name, lesson, section, file, tuple(places), NEEDS.get(name, _forward_of(name)))


def _forward_of(name):
    """A backward pass takes what its forward pass has kept."""
    return (name.removesuffix("_alt").replace("_backward", "_forward"),) if "_backward" in name else ()


def _file(module):
    return f"cs231n/{module}.py"


NORMALIZATION, NET, CONVNET = "layers/normalization", "classifiers/fc_net", "classifiers/cnn"
NET_PARTS = (
    "FullyConnectedNet._hidden_forward",
    "FullyConnectedNet._hidden_backward",
    "classifiers/weights:add_penalty",
)

LAYERS_OF_A_NET = ("affine_forward", "affine_backward", "relu_forward", "relu_backward", "softmax_loss")
NEEDS = {
    "FullyConnectedNet.loss": (*LAYERS_OF_A_NET, "FullyConnectedNet.__init__"),
    "FullyConnectedNet with normalization": (
        "FullyConnectedNet.loss",
        "batchnorm_forward",
        "batchnorm_backward_alt",
        "layernorm_forward",
        "layernorm_backward",
    ),
    "FullyConnectedNet with dropout": ("FullyConnectedNet.loss", "dropout_forward", "dropout_backward"),
    "ThreeLayerConvNet.loss": (*LAYERS_OF_A_NET, "ThreeLayerConvNet.__init__"),
}

# points, section, exercise, module (None: the lesson), and what goes with it, after "module:" if it stands elsewhere
EXERCISES = (
    *_of(
        "FullyConnectedNets",
        (3, 2, "affine_forward", "layers/affine"),
        (3, 2, "affine_backward", "layers/affine"),
        (1, 2, "relu_forward", "layers/activations"),
        (2, 2, "relu_backward", "layers/activations"),
        (3, 2, "softmax_loss", "layers/losses"),
        (3, 5, "FullyConnectedNet.__init__", NET),
        (6, 5, "FullyConnectedNet.loss", NET, *NET_PARTS),
        (2, 7, "sgd_momentum", "optim"),
        (1, 7, "nesterov_momentum", "optim"),
        (2, 7, "rmsprop", "optim"),
        (4, 7, "adam", "optim"),
    ),
    *_of(
        "BatchNormalization",
        (6, 2, "batchnorm_forward", NORMALIZATION, "normalize", "normalize_batch"),
        (5, 4, "batchnorm_backward", NORMALIZATION),
        (3, 4, "batchnorm_backward_alt", NORMALIZATION, "normalize_backward"),
        (2, 5, "FullyConnectedNet with normalization", NET),
        (3, 8, "layernorm_forward", NORMALIZATION),
        (3, 8, "layernorm_backward", NORMALIZATION),
    ),
    *_of(
        "Dropout",
        (4, 3, "dropout_forward", "layers/dropout"),
        (2, 5, "dropout_backward", "layers/dropout"),
        (2, 6, "FullyConnectedNet with dropout", NET),
    ),
    *_of(
        "ConvolutionalNetworks",
        (4, 5, "conv_forward_naive", "layers/convolution"),
        (4, 6, "conv_backward_naive", "layers/convolution"),
        (2, 7, "max_pool_forward_naive", "layers/pooling"),
        (2, 7, "max_pool_backward_naive", "layers/pooling"),
        (1, 7, "avg_pool_forward_naive", "layers/pooling"),
        (1, 7, "avg_pool_backward_naive", "layers/pooling"),
        (2, 9, "ThreeLayerConvNet.__init__", CONVNET),
        (4, 9, "ThreeLayerConvNet.loss", CONVNET),
        (2, 11, "spatial_batchnorm_forward", NORMALIZATION),
        (1, 11, "spatial_batchnorm_backward", NORMALIZATION),
        (2, 11, "spatial_groupnorm_forward", NORMALIZATION),
        (1, 11, "spatial_groupnorm_backward", NORMALIZATION),
    ),
    *_of(
        "PyTorch",
        (2, 2, "two_layer_fc", None),
        (3, 2, "three_layer_convnet", None),
        (2, 3, "TwoLayerFC", None),
        (4, 3, "ThreeLayerConvNet", None),
        (3, 4, "sequential_convnet", None),
    ),
)
