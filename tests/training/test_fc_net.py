"""Fully connected networks, held against PyTorch at every depth."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cs231n import initializers
from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.compute import blocks
from cs231n.layers import affine_backward

nets = st.fixed_dictionaries(
    {
        "hidden_dims": st.lists(st.integers(1, 6), max_size=4),
        "input_dim": st.integers(1, 6),
        "num_classes": st.integers(1, 5),
        "reg": st.sampled_from([0.0, 0.1, 3.14]),
        "normalization": st.sampled_from([None, "batchnorm", "layernorm"]),
        "dropout_keep_ratio": st.sampled_from([1, 0.6]),
        "seed": st.just(123),
    }
)


def random_net(number, **arguments):
    """A float64 net with random parameters, biases too, so that no unit sits at the corner of its ReLU."""
    rng = np.random.default_rng(number)
    net = FullyConnectedNet(dtype=np.float64, **arguments)
    for name, array in net.params.items():
        net.params[name] = rng.standard_normal(array.shape)
    return net, rng


def batch(rng, net, N):
    D, C = net.params["W1"].shape[0], net.params[f"b{net.num_layers}"].size
    return rng.standard_normal((N, D)), rng.integers(0, C, N)


def in_pytorch(net, X, params, masks=None):
    """Scores of the same net in PyTorch: in training with the masks that are given, else in test mode."""
    out = torch.tensor(X)
    for i in range(1, net.num_layers + 1):
        out = out @ params[f"W{i}"] + params[f"b{i}"]
        if i == net.num_layers:
            return out
        if net.normalization == "batchnorm":
            averages = [None, None]
            if masks is None:
                averages = [torch.tensor(net.bn_params[i - 1][name]) for name in ("running_mean", "running_var")]
            out = torch.nn.functional.batch_norm(
                out, *averages, params[f"gamma{i}"], params[f"beta{i}"], training=masks is not None
            )
        elif net.normalization == "layernorm":
            out = torch.nn.functional.layer_norm(out, out.shape[1:], params[f"gamma{i}"], params[f"beta{i}"])
        out = torch.relu(out)
        if masks is not None:
            out = out * torch.tensor(masks[i - 1])


def dropout_masks(net, N):
    """What a net whose masks have the seed 123 multiplies its hidden units by."""
    p = net.dropout_param["p"]
    masks = []
    for i in range(1, net.num_layers):
        draws = np.random.RandomState(123).rand(N, net.params[f"b{i}"].size)
        masks.append((draws < p) / p)
    return masks


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(2, 5), arguments=nets)
def test_a_net_of_any_depth_equals_a_pytorch_net_with_an_l2_penalty(seed, N, arguments):
    net, rng = random_net(seed, **arguments)
    X, y = batch(rng, net, N)
    loss, grads = net.loss(X, y)

    params = {name: torch.tensor(array, requires_grad=True) for name, array in net.params.items()}
    scores = in_pytorch(net, X, params, dropout_masks(net, N))
    penalty = sum((W**2).sum() for name, W in params.items() if name.startswith("W"))
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor(y)) + 0.5 * arguments["reg"] * penalty
    expected.backward()

    assert_allclose(loss, expected.item(), rtol=1e-10)
    assert set(grads) == set(net.params)
    for name, gradient in grads.items():
        assert_allclose(gradient, params[name].grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=name)
    with torch.no_grad():
        assert_allclose(net.loss(X), in_pytorch(net, X, params).numpy(), rtol=1e-10, atol=1e-12)


def test_the_default_net_takes_colour_images_and_tells_ten_classes_apart():
    net = FullyConnectedNet([4, 5])
    assert net.num_layers == 3
    assert list(net.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [array.shape for array in net.params.values()] == [(3072, 4), (4,), (4, 5), (5,), (5, 10), (10,)]
    assert all(array.dtype == np.float32 for array in net.params.values())
    assert all(not array.any() for name, array in net.params.items() if name.startswith("b"))
    assert 0.9e-2 < net.params["W1"].std() < 1.1e-2
    assert net.reg == 0
    assert net.loss(np.zeros((2, 3, 32, 32))).shape == (2, 10)


@pytest.mark.parametrize("normalization", ["batchnorm", "layernorm"])
def test_a_normalized_net_scales_and_shifts_every_layer_but_the_last(normalization):
    net = FullyConnectedNet([7, 5], input_dim=11, num_classes=3, normalization=normalization, dropout_keep_ratio=0.5)
    assert set(net.params) == {"W1", "b1", "gamma1", "beta1", "W2", "b2", "gamma2", "beta2", "W3", "b3"}
    for i, width in ((1, 7), (2, 5)):
        for name, expected in (("gamma", np.ones(width, np.float32)), ("beta", np.zeros(width, np.float32))):
            assert_array_equal(net.params[f"{name}{i}"], expected)
            assert net.params[f"{name}{i}"].dtype == np.float32
    assert net.bn_params == [{"mode": "train"}, {"mode": "train"}]
    assert net.dropout_param == {"mode": "train", "p": 0.5}


@pytest.mark.parametrize("hidden_dims", [[], [4], [4, 3]])
def test_the_gradient_of_the_images_is_not_computed(monkeypatch, hidden_dims):
    asked = []

    def backward(dout, cache, need_dx=True):
        asked.append(need_dx)
        return affine_backward(dout, cache, need_dx)

    monkeypatch.setattr("cs231n.classifiers.fc_net.affine_backward", backward)
    FullyConnectedNet(hidden_dims, input_dim=5).loss(np.ones((2, 5)), np.array([0, 1]))
    assert asked == [True] * len(hidden_dims) + [False]


@pytest.mark.parametrize("scale", [5e-2, "xavier", "kaiming"])
def test_weights_are_drawn_layer_by_layer_from_the_global_state(scale):
    np.random.seed(231)
    net = FullyConnectedNet([4, 3], input_dim=5, num_classes=2, weight_scale=scale)
    np.random.seed(231)
    for name, shape in (("W1", (5, 4)), ("W2", (4, 3)), ("W3", (3, 2))):
        expected = np.random.randn(*shape) * scale if scale == 5e-2 else getattr(initializers, scale)(shape)
        assert_array_equal(net.params[name], expected.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
@pytest.mark.parametrize("input_dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_everything_is_computed_in_the_nets_dtype(dtype, input_dtype):
    net = FullyConnectedNet([4], input_dim=6, num_classes=3, reg=0.5, dtype=dtype)
    X, y = np.arange(12).reshape(2, 2, 3).astype(input_dtype), np.array([0, 2])
    assert net.loss(X).dtype == dtype
    loss, grads = net.loss(X, y)
    assert type(loss) is float
    assert all(gradient.dtype == dtype for gradient in grads.values())


def test_the_penalty_reaches_every_weight_of_a_large_layer():
    input_dim = 10 * blocks.BLOCK_BYTES // (4 * 100) + 77
    net = FullyConnectedNet([100], input_dim=input_dim, num_classes=2)
    X, y = np.random.default_rng(0).standard_normal((2, input_dim)), np.array([0, 1])
    loss, grads = net.loss(X, y)
    net.reg = 0.5
    net.params["W1"] = np.asfortranarray(net.params["W1"])
    penalized_loss, penalized_grads = net.loss(X, y)
    assert_allclose(penalized_grads["W1"], grads["W1"] + 0.5 * net.params["W1"], rtol=1e-4, atol=1e-6)
    penalty = 0.25 * sum(np.sum(np.square(net.params[name], dtype=float)) for name in ("W1", "W2"))
    assert_allclose(penalized_loss - loss, penalty, rtol=1e-4)


def test_a_loss_alters_neither_inputs_nor_parameters():
    net, rng = random_net(0, hidden_dims=[4, 3], input_dim=5, num_classes=3, reg=0.7)
    X, y = batch(rng, net, 4)
    before = {name: array.copy() for name, array in net.params.items()}
    for array in (X, y, *net.params.values()):
        array.flags.writeable = False
    _, grads = net.loss(X, y)
    for name, array in net.params.items():
        assert_array_equal(array, before[name])
        assert not np.shares_memory(grads[name], array)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_dim": (3, 32, 32)}, r"^input_dim must be an integer of at least 1, got \(3, 32, 32\)"),
        ({"weight_scale": -1}, "^weight_scale must be a finite number of at least 0, got -1"),
        ({"weight_scale": "he"}, "^weight_scale must be one of 'xavier', 'kaiming', got 'he'"),
        ({"dropout_keep_ratio": 1.5}, "^dropout_keep_ratio must be a finite number above 0 and at most 1, got 1.5"),
    ],
)
def test_arguments_out_of_range_are_answered_by_their_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        FullyConnectedNet(**{"hidden_dims": [10], **arguments})


def test_scores_leave_the_running_averages_and_training_moves_them():
    net, rng = random_net(0, hidden_dims=[4], input_dim=5, num_classes=3, normalization="batchnorm")
    X, y = batch(rng, net, 6)
    net.loss(X, y)
    before = {name: net.bn_params[0][name].copy() for name in ("running_mean", "running_var")}
    net.loss(X + 1)
    for name, average in before.items():
        assert_array_equal(net.bn_params[0][name], average)
    net.loss(X + 1, y)
    for name, average in before.items():
        assert not np.array_equal(net.bn_params[0][name], average)


def test_dropout_draws_from_the_global_state_in_training_and_not_in_test():
    net, rng = random_net(0, hidden_dims=[20, 20], input_dim=5, num_classes=3, dropout_keep_ratio=0.5)
    X, y = batch(rng, net, 6)
    np.random.seed(0)
    first = net.loss(X, y)[0]
    assert net.loss(X, y)[0] != first
    np.random.seed(0)
    assert net.loss(X, y)[0] == first
    state = np.random.get_state()[2]
    assert_array_equal(net.loss(X), net.loss(X))
    assert np.random.get_state()[2] == state


def test_one_kept_of_one_is_no_dropout():
    assert FullyConnectedNet([4], input_dim=2, dropout_keep_ratio=1.0, seed=3).use_dropout is False


@pytest.mark.parametrize(("D", "X"), [(5, np.ones((2, 6))), (1, 1.0)])
def test_inputs_of_the_wrong_size_are_refused(D, X):
    with pytest.raises(ValueError, match=rf"^X must have .* inputs of {D} values, got "):
        FullyConnectedNet([4], input_dim=D).loss(X)


def test_a_penalty_of_strength_1_is_half_the_squared_weights():
    np.random.seed(0)
    net = FullyConnectedNet([4], input_dim=3, num_classes=2, dtype=np.float64)
    assert net.bn_params == []
    X, y = np.ones((2, 3)), np.array([0, 1])
    plain, _ = net.loss(X, y)
    net.reg = 1
    penalty = sum(np.sum(net.params[name] ** 2) for name in ("W1", "W2")) / 2
    assert net.loss(X, y)[0] == pytest.approx(plain + penalty)
