"""Pictures are drawn from plain lists, without a warning, and name their axes."""

import inspect
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

from cs231n import vis_utils

matplotlib.use("Agg")
plt = matplotlib.pyplot

rng = np.random.default_rng(231)
IMAGES = rng.random((4, 3, 2, 2)).tolist()
CURVES = {"a": [1.0, 2.0, 4.0], "b": [3.0, 0.5, 2.0]}
TABLES = {"a": [[1.0, -2.0], [0.5, 3.0]], "b": [[0.0, 1.0], [2.0, 5.0]]}
RUN = SimpleNamespace(loss_history=[2.0, 1.5, 1.0, 0.9], train_acc_history=[0.1, 0.4], val_acc_history=[0.1, 0.3])
WORDS = "title", "x", "y"
PICTURES = {
    "accuracy_map": ([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], [0.1, 1.0], [0.1, 1.0, 10.0], "title"),
    "against_diagonal": ([1.0, 2.0], [1.1, 2.1], *WORDS),
    "bands": ({"a": [[1.0, 2.0], [2.0, 2.0]]}, *WORDS),
    "bars": ({"a": 1.0, "b": 2.0}, "title", "x"),
    "batchnorm_graph": (),
    "bowl_paths": ({"a": [[1.0, 2.0], [0.5, 1.0]]}, lambda x, y: x**2 + 20 * y**2),
    "channel_groups": ({"a": (4, 8, 2), "eight groups": (8, 8, 8)},),
    "class_samples": (IMAGES, [0, 1, 1, 0], ["a", "b"]),
    "confusion_matrix": ([0, 0, 1, 1], [0, 1, 1, 1], ["a", "b", "c"]),
    "durations": ({"forward": {"loops": 2.0, "fast": 0.01}, "backward": {"fast": 0.02}}, "title"),
    "feature_histograms": ({"ten": rng.random((9, 10)).tolist(), "constant": [[1, 1], [1, 1]]},),
    "filter_pictures": ({"a": IMAGES, "b": IMAGES[:2]},),
    "filter_positions": ({"a": (5, (2, 3), 1, 1, 2)},),
    "first_layer_weights": (rng.random((12, 3)).tolist(), (3, 2, 2)),
    "graph": ({"a": ["b", "c"], "b": ["c"], "c": []}, {"a": "A", "b": "B", "c": "C"}, "title", ["c"]),
    "grouped_bars": ({"a": [1.0, 2.0], "b": [2.0, 3.0]}, ["g", "h"], "title", "y"),
    "images": (IMAGES, ["a", "b", "c", "d"]),
    "kept_shares": ([0.2, 0.5], [[0.2, 0.3, 0.1], [0.5, 0.6, 0.4]], 10),
    "layer_statistics": (CURVES, CURVES),
    "learning_curves": ({"a": RUN, "b": RUN},),
    "lines": (CURVES, *WORDS, [1, 10, 100], "log"),
    "loss_panels": ({"a": CURVES, "b": CURVES}, 2.3),
    "mask_images": ({"a": [[True, False], [False, True]], "b": [[1, 1], [1, 0]]},),
    "masked_nets": ({"a": [[True, False, True]], "b": [[1, 1, 1]]}, [2, 3, 1]),
    "normalization_cubes": ({"a": [[[1, 0], [1, 1]], [[0, 0], [1, 0]]]},),
    "numbers": (TABLES | {"c": [[np.nan, 1.0]]}, {"a": [[0, 1], [2, 0]]}, {"b": [[True, False], [0, 0]]}, ["r", "s"]),
    "pixel_maps": (TABLES,),
    "photographs": ({"a": [[0.0, 255.0, 9.0]] * 3, "b": [[np.nan, 1.0, 2.0]] * 3}, 2, 1),
    "softmax_picture": ([1.0, 2.0], [0.3, 0.7], ["a", "b"]),
    "training_accuracies": ({"a": {"b": RUN, "c": RUN}},),
    "training_plan": (SimpleNamespace(rate=lambda p: p, size=lambda p: 32),),
    "unit_weights": (TABLES,),
    "volumes": ({"image": (3, 8, 8), "scores": (10,)}, "title"),
    "window_positions": ({"a": (8, 3, 1, 2), "b": (8, 2, 0, 3)},),
    "windows_as_columns": ([[1, 2, 0], [0, 1, 3]], [[1, 2], [0, -1]]),
}
NO_PICTURES = {"COLOURS", "np", "use_style", "vis_grid", "vis_nn", "visualize_grid"}


def draw(name, *arguments):
    plt.close("all")
    picture = getattr(vis_utils, name)
    ax = [plt.figure().subplots()] if "ax" in inspect.signature(picture).parameters else []
    return picture(*ax, *arguments)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted({*vis_utils.__all__} - NO_PICTURES))
def test_a_picture_is_drawn_from_lists_and_names_its_axes(name):
    draw(name, *PICTURES[name])
    plt.gcf().canvas.draw()
    for ax in plt.gcf().axes:
        for axis in (ax.xaxis, ax.yaxis):
            ticks = [label.get_text() for label in axis.get_ticklabels() if label.get_visible()]
            named = axis.get_label_text() or ax.get_title() in ("Scores", "Probabilities")
            assert named or not ticks or ticks[0][0].isalpha()


def test_the_cells_of_an_accuracy_map_lie_half_a_factor_around_their_point():
    image = draw("accuracy_map", *PICTURES["accuracy_map"])
    corners = image.get_coordinates()
    assert np.allclose(corners[0, :, 0], np.sqrt([0.001, 0.1, 10]))
    assert np.allclose(corners[:, 0, 1], np.sqrt([0.001, 0.1, 10, 1000]))


def test_a_confusion_matrix_holds_shares_of_the_true_class():
    assert draw("confusion_matrix", *PICTURES["confusion_matrix"]).tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_visualize_grid_stretches_each_image_and_places_them_row_by_row(padding):
    Xs = [[[[1.0], [3.0]]], [[[0.0], [500.0]]], [[[7.0], [7.0]]]]
    grid = np.zeros((2 + padding, 4 + padding, 1))
    grid[0, [1, 3 + padding]] = 10
    assert np.array_equal(vis_utils.visualize_grid(Xs, ubound=10.0, padding=padding), grid)


def test_vis_grid_stretches_all_images_alike():
    grid = vis_utils.vis_grid([[[[1.0]]], [[[2.0]]], [[[5.0]]]])
    assert grid[..., 0].tolist() == [[0, 0, 0.25, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_vis_nn_keeps_the_rows():
    grid = vis_utils.vis_nn([[[[[1.0]]], [[[2.0]]], [[[5.0]]]]])
    assert grid[..., 0].tolist() == [[0, 0, 0.25, 0, 1, 0], [0] * 6]
