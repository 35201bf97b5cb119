"""The course's own notebooks run: what their import cells bring is all they call."""

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cs231n"

NETS = """
import numpy as np
import matplotlib.pyplot as plt
from cs231n.classifiers.fc_net import *
from cs231n.data_utils import get_CIFAR10_data
from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from cs231n.solver import Solver
"""

# Of each notebook, the import cell and then a use of every name it calls, as it calls it.
NOTEBOOKS = {
    "FullyConnectedNets": f"""{NETS}
data = get_CIFAR10_data(num_training=50, num_validation=10, num_test=10)
x, w, b = data["X_train"][:3], np.random.randn(3072, 5), np.random.randn(5)
for forward, backward in ((affine_forward, affine_backward), (affine_relu_forward, affine_relu_backward)):
    out, cache = forward(x, w, b)
    dx, dw, db = backward(out, cache)
relu_backward(out, relu_forward(out)[1])
y = np.array([0, 1, 4])
for loss_function in (svm_loss, softmax_loss):
    loss, dx = loss_function(out, y)
    eval_numerical_gradient(lambda out: loss_function(out, y)[0], out, verbose=False)
eval_numerical_gradient_array(lambda b: affine_forward(x, w, b)[0], b, out)
model = FullyConnectedNet([10, 10], weight_scale=1e-1, reg=3.14, dtype=np.float64)
model.params = {{name: value + 0.0 for name, value in model.params.items()}}
model.loss(x)
loss, grads = model.loss(x, y)
from cs231n.optim import sgd_momentum
from cs231n.optim import rmsprop
from cs231n.optim import adam
for rule, state in ((sgd_momentum, "velocity"), (rmsprop, "cache"), (adam, "m")):
    next_w, config = rule(w, dw, None)
    assert config[state].shape == w.shape
solver = Solver(model, data, print_every=10, num_epochs=2, batch_size=25, update_rule="sgd_momentum",
                optim_config={{"learning_rate": 5e-3}}, verbose=True)
solver.train()
plt.plot(solver.loss_history, "o")
plt.plot(solver.train_acc_history, "-o")
plt.plot(solver.val_acc_history, "-o")
model.params = solver.best_params
assert solver.check_accuracy(data["X_val"], data["y_val"]) == solver.best_val_acc
y_test_pred = np.argmax(model.loss(data["X_test"]), axis=1)
""",
    "BatchNormalization": f"""{NETS}
bn_param = {{"mode": "train"}}
x, gamma, beta = np.random.randn(4, 5), np.ones(5), np.zeros(5)
out, cache = batchnorm_forward(x, gamma, beta, bn_param)
bn_param["running_mean"], bn_param["running_var"]
bn_param["mode"] = "test"
batchnorm_forward(x, gamma, beta, bn_param)
batchnorm_backward(out, cache)
batchnorm_backward_alt(out, cache)
out, cache = layernorm_forward(x, gamma, beta, {{}})
layernorm_backward(out, cache)
for normalization in ("batchnorm", "layernorm", None):
    model = FullyConnectedNet([20, 30], input_dim=15, reg=3.14, weight_scale=5e-2, dtype=np.float64,
                              normalization=normalization)
    model.reg = 0.0
    loss, grads = model.loss(np.random.randn(2, 15), np.array([0, 3]))
assert "gamma1" not in grads
""",
    "Dropout": f"""{NETS}
x = np.random.randn(500, 500) + 10
out, cache = dropout_forward(x, {{"mode": "train", "p": 0.25}})
dropout_param, mask = cache
dropout_backward(out, cache)
dropout_forward(x, {{"mode": "test", "p": 0.25}})
model = FullyConnectedNet([20, 30], input_dim=15, weight_scale=5e-2, dtype=np.float64,
                          dropout_keep_ratio=0.75, seed=123)
assert model.dropout_param["seed"] == 123
model.loss(np.random.randn(2, 15), np.array([0, 3]))
""",
    "ConvolutionalNetworks": """
import numpy as np
import matplotlib.pyplot as plt
from cs231n.classifiers.cnn import *
from cs231n.data_utils import get_CIFAR10_data
from cs231n.gradient_check import eval_numerical_gradient_array, eval_numerical_gradient
from cs231n.layers import *
from cs231n.fast_layers import *
from cs231n.solver import Solver
from imageio import imread
from PIL import Image
x, w, b, conv_param = np.random.randn(2, 3, 8, 8), np.random.randn(3, 3, 3, 3), np.zeros(3), {"stride": 1, "pad": 1}
pool_param = {"pool_width": 2, "pool_height": 2, "stride": 2}
out, cache = conv_forward_naive(x, w, b, conv_param)
conv_backward_naive(out, cache)
out, cache = max_pool_forward_naive(x, pool_param)
max_pool_backward_naive(out, cache)
from cs231n.fast_layers import conv_forward_fast, conv_backward_fast
out, cache = conv_forward_fast(x, w, b, conv_param)
conv_backward_fast(out, cache)
for forward in (conv_forward_im2col, conv_forward_strides):
    assert np.array_equal(forward(x, w, b, conv_param)[0], out)
from cs231n.fast_layers import max_pool_forward_fast, max_pool_backward_fast
out, cache = max_pool_forward_fast(x, pool_param)
max_pool_backward_fast(out, cache)
from cs231n.layer_utils import conv_relu_pool_forward, conv_relu_pool_backward
out, cache = conv_relu_pool_forward(x, w, b, conv_param, pool_param)
conv_relu_pool_backward(out, cache)
from cs231n.layer_utils import conv_relu_forward, conv_relu_backward
out, cache = conv_relu_forward(x, w, b, conv_param)
conv_relu_backward(out, cache)
model = ThreeLayerConvNet(num_filters=3, filter_size=3, input_dim=(3, 8, 8), hidden_dim=7, dtype=np.float64)
model.reg = 0.5
loss, grads = model.loss(x, np.array([0, 9]))
from cs231n.vis_utils import visualize_grid
grid = visualize_grid(model.params["W1"].transpose(0, 2, 3, 1))
plt.imshow(grid.astype("uint8"))
bn_param = {"mode": "train"}
out, cache = spatial_batchnorm_forward(x, np.ones(3), np.zeros(3), bn_param)
spatial_batchnorm_backward(out, cache)
gamma, beta = np.ones((1, 3, 1, 1)), np.zeros((1, 3, 1, 1))
out, cache = spatial_groupnorm_forward(x, gamma, beta, 3, {})
spatial_groupnorm_backward(out, cache)
""",
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_of_the_course_finds_every_name_it_calls(name):
    exec(compile(NOTEBOOKS[name], name, "exec"), {"__name__": "__main__"})


def test_there_is_nothing_to_build():
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing to build" in done.stdout


def test_the_data_are_fetched_beside_the_package():
    command = ["bash", "get_datasets.sh", "--help"]
    done = subprocess.run(command, cwd=PACKAGE / "datasets", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--folder" in done.stdout
