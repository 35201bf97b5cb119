"""Shapes-10: the embedded data set looks like CIFAR-10 and is the same everywhere."""

import hashlib

import numpy as np
import pytest

from cs231n.data import shapes10
from cs231n.data.shapes10 import CLASS_NAMES, load

NUM_TRAIN, NUM_TEST = 11000, 2000

FULL_SHA256 = "7dcc401dba4d4ae46886aa687b5288edb33a7edcb495721e0e34675671385c40"
LABELS_SHA256 = "8d79df205e2409be7ad9d7894a80b7e761b2952a2c0d6f35950c401fcbc2099c"


@pytest.fixture(scope="module")
def data():
    return load()


def sha256(*arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def fingerprints(images):
    return {image.tobytes() for image in images}


def test_shapes_and_dtypes_are_those_of_cifar10(data):
    X_train, y_train, X_test, y_test = data
    assert X_train.shape == (NUM_TRAIN, 32, 32, 3) and X_train.dtype == np.uint8
    assert X_test.shape == (NUM_TEST, 32, 32, 3) and X_test.dtype == np.uint8
    assert y_train.shape == (NUM_TRAIN,) and y_train.dtype == np.int64
    assert y_test.shape == (NUM_TEST,) and y_test.dtype == np.int64


def test_ten_classes_have_ten_lower_case_names():
    assert isinstance(CLASS_NAMES, tuple) and len(set(CLASS_NAMES)) == 10
    assert all(name == name.lower() for name in CLASS_NAMES)


def test_the_labels_have_the_recorded_bytes(data):
    _, y_train, _, y_test = data
    assert sha256(y_train.astype("<i8"), y_test.astype("<i8")) == LABELS_SHA256


def test_all_pictures_have_the_recorded_bytes(data):
    X_train, _, X_test, _ = data
    assert sha256(X_train, X_test) == FULL_SHA256


def test_every_ten_labels_in_turn_hold_each_class_once(data):
    for labels in (data[1], data[3]):
        rounds = labels.reshape(-1, 10)
        assert np.all(np.sort(rounds, axis=1) == np.arange(10))
        assert len(np.unique(rounds, axis=0)) > 0.9 * len(rounds)


def test_no_two_pictures_are_alike(data):
    assert len(fingerprints(data[0]) | fingerprints(data[2])) == NUM_TRAIN + NUM_TEST


@pytest.mark.parametrize(("num_train", "num_test"), [(1, 0), (0, 7), (123, 50), (50, 51)])
def test_fewer_pictures_are_the_first_ones_of_a_larger_set(data, num_train, num_test):
    X_train, y_train, X_test, y_test = load(num_train, num_test)
    assert X_train.shape == (num_train, 32, 32, 3) and X_test.shape == (num_test, 32, 32, 3)
    assert np.array_equal(X_train, data[0][:num_train]) and np.array_equal(y_train, data[1][:num_train])
    assert np.array_equal(X_test, data[2][:num_test]) and np.array_equal(y_test, data[3][:num_test])


def test_another_seed_gives_other_pictures_and_labels():
    X, y, _, _ = load(200, 0, seed=1)
    X_other, y_other, _, _ = load(200, 0, seed=2)
    assert not fingerprints(X) & fingerprints(X_other)
    assert not np.array_equal(y, y_other)


def test_drawing_anew_gives_the_same_bytes():
    first = load(60, 10, seed=3)
    shapes10._load.cache_clear()
    again = load(60, 10, seed=3)
    assert first[0] is not again[0]
    assert all(map(np.array_equal, first, again))


def test_numpys_global_random_state_is_neither_read_nor_changed():
    np.random.seed(0)
    first = load(50, 0, seed=4)[0]
    after = np.random.random()
    np.random.seed(0)
    assert np.random.random() == after
    shapes10._load.cache_clear()
    assert np.array_equal(load(50, 0, seed=4)[0], first)


def test_the_kept_arrays_cannot_be_altered():
    for array in load(20, 20):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_keyword_and_positional_arguments_share_one_result():
    assert load(20, 20, 231)[0] is load(num_test=20, num_train=20)[0]


def test_the_values_use_most_of_the_range_and_rarely_clip(data):
    X_train = data[0]
    assert X_train.min() < 10 and X_train.max() > 245
    assert np.mean(X_train == 0) < 0.04 and np.mean(X_train == 255) < 0.01


def test_the_figure_is_lighter_than_its_surroundings(data):
    X_train, y_train = data[0][:2000], data[1][:2000]
    centre = X_train[:, 12:20, 12:20].mean(axis=(1, 2, 3))
    border = X_train[:, :2].mean(axis=(1, 2, 3))
    for label in np.unique(y_train):
        assert centre[y_train == label].mean() > border[y_train == label].mean()


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_distances_of_a_figure_change_by_no_more_than_the_step(name):
    # A signed distance has slope 1 at most: a larger jump would show as a tear in the outline.
    size = shapes10.TABLE_SIZE
    table = shapes10._distance_tables().reshape(10, size, size)[CLASS_NAMES.index(name)]
    step = 2 * shapes10.TABLE_REACH / size
    for axis in (0, 1):
        assert np.abs(np.diff(table, axis=axis)).max() < 1.01 * step
    assert table.min() < -0.15 and min(table[0].min(), table[-1].min(), table[:, 0].min(), table[:, -1].min()) > 0.3


@pytest.mark.parametrize("argument", ["num_train", "num_test", "seed"])
def test_bad_arguments_are_named(argument):
    with pytest.raises(ValueError, match=f"{argument} must be an integer of at least 0, got -1"):
        load(**{argument: -1})
    with pytest.raises(TypeError, match=f"{argument} must be an integer of at least 0, got 1.5"):
        load(**{argument: 1.5})
