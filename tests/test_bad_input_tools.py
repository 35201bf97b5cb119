"""Bad input to what stands around the training: data, pictures, the lessons' tools and the challenge."""

import contextlib
import copy
import io
import math
import tempfile
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from bad_input import EITHER, FLAG, SHAPE, WRONG, Array, Entries, Integer, Labels, Number, Row, Values, assert_covers
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cs231n import challenge, data_utils, lesson, optim, pending, progress, shapes10, torch_data, vis_utils
from cs231n.challenge import ResNet, Settings, Training

matplotlib.use("Agg")
plt = vis_utils.plt

# Drawing and training take long: of odd calls that may be right there are fewer, of wrong ones as many as elsewhere.
FEWER = settings(max_examples=max(3, settings.default.max_examples // 50))

NO_TEXT = [None, 1, 1.5, b"text", [], ["text"], {}, np.array(["text"]), math.sqrt]
NO_FUNCTIONS = [None, 1, "f", [], {}]
NO_PATHS = [None, 1, 1.5, [], {}, b"file", "null\0character", ["file"], math.sqrt]


def leave_out(kind, *labels):
    kind.corruptions = [corruption for corruption in kind.corruptions if not corruption.label.startswith(labels)]
    return kind


def wrong_only(row):
    """The row, without what may be right."""
    kinds = {}
    for name, kind in row.arguments.items():
        kinds[name] = copy.copy(kind)
        kinds[name].corruptions = [of for of in kind.corruptions if of.verdict in (WRONG, SHAPE)]
    return Row(row.function, row.good, kinds, oracle=row.oracle, result=row.result, name=row.name)


@pytest.fixture(autouse=True, scope="module")
def small_world():
    """A small Shapes-10, whatever else is there, and one thread for PyTorch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    load = shapes10.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CS231N_DATA", "shapes10")
        patch.setattr(shapes10, "load", lambda: load(1050, 50))
        yield
    torch.set_num_threads(threads)


# Pictures

AXES = Figure().add_subplot()
HERE = "the axes"


def contents(figure):
    """What a figure shows, in numbers and words."""
    for ax in figure.axes:
        yield from (ax.get_title(loc) for loc in ("left", "center"))
        yield from (ax.get_xlabel(), ax.get_ylabel(), *(text.get_text() for text in ax.texts))
        yield from (line.get_xydata() for line in ax.lines)
        yield from (np.ma.filled(np.ma.asarray(image.get_array(), np.float64), np.nan) for image in ax.images)
        yield from (np.array(patch.get_extents().extents - ax.bbox.x0) for patch in ax.patches)
        yield from (np.asarray(collection.get_offsets(), np.float64) for collection in ax.collections)


def drawing(draw):
    """A picture as a function that gives what is on it, and makes sure that a refused one leaves no figure."""

    def drawn(**arguments):
        on_axes = arguments.get("ax") is HERE
        try:
            draw(**{**arguments, "ax": AXES} if on_axes else arguments)
            return list(contents(AXES.figure if on_axes else plt.gcf()))
        except (TypeError, ValueError) as refusal:
            assert not plt.get_fignums(), f"made a figure before it was refused: {refusal}"
            raise
        finally:
            plt.close("all")
            if on_axes and AXES.has_data():
                AXES.clear()

    return drawn


def picture_row(draw, good, **kinds):
    def call(rng):
        return {name: value(rng) if callable(value) else copy.deepcopy(value) for name, value in good.items()}

    return Row(drawing(draw), call, kinds, name=draw.__name__)


def normal(*shape):
    return lambda rng: rng.standard_normal(shape)


def rising(count):
    return lambda rng: np.cumsum(rng.integers(1, 4, count)).astype(float)


def two(of):
    """Two of a kind, by name."""
    return lambda rng: {name: of(rng) for name in ("one", "two")}


def runs(rng):
    histories = ("loss_history", "train_acc_history", "val_acc_history")
    return SimpleNamespace(**{name: list(rng.random(3)) for name in histories})


def both(kind):
    return Entries({"one": kind, "two": kind})


def booleans(*shape):
    return lambda rng: rng.random(shape) < 0.5


# 1e30 leaves nothing of what is next to it on a picture.
NUMBERS = leave_out(Array(fixed=False), "1e+30")
FACTORS = leave_out(Array(fixed=False), "1e+30", "as bool")
POINTS = leave_out(Array(fixed=False, optional=True), "1e+30")
TEXT = Values(valid=["", "text"], wrong=NO_TEXT)
TITLE = Values(valid=[None, "text"], wrong=NO_TEXT[1:])
NAMES = Values(valid=[("a", "b"), np.array(["a", "b"])],
               wrong=[None, 1, "ab", [1, 2], ["a", None], {"a": 1}, []])
COUNT = Integer(least=1, most=100, fits=lambda number: number < 10)
AX = Values(wrong=[None, 1, "axes", [], {}, Figure()])
WORDS = {"title": TEXT, "xlabel": TEXT, "ylabel": TEXT}
A, T = {"ax": HERE}, {"title": "a", "xlabel": "b", "ylabel": "c"}
NO_NUMBERS = [None, "1", [1], 1j, math.nan, math.inf, {}]
NO_DICTIONARIES = [None, 1, "text", [], {}, [("one", 1)], {1: 2}]
RUN_VALUES = Values(wrong=[*NO_DICTIONARIES, {"one": None}, {"one": SimpleNamespace()},
                           {"one": SimpleNamespace(loss_history="x", train_acc_history=[], val_acc_history=[])}])

def entries_of(*wrong):
    return Values(wrong=[*NO_DICTIONARIES, *({"one": entry} for entry in (None, "text", *wrong))])


PAIRS = Values(wrong=[None, 1, "ab", (1,), (1, 2, 3), (None, 1), ("a", "b"), (math.nan, 1), (0, math.inf), (2, 1)])

PICTURES = [
    picture_row(vis_utils.class_samples,
                {"X": normal(4, 3, 2, 2), "y": lambda rng: rng.integers(0, 2, 4), "names": ["a", "b"], "per_class": 1},
                X=NUMBERS, y=Labels(), names=NAMES, per_class=COUNT),
    picture_row(vis_utils.images, {"X": normal(2, 3, 2, 2), "captions": ["a", "b"], "columns": 2, "title": "t"},
                X=NUMBERS, captions=Values(valid=[None], wrong=[1, "ab", [1, 2], ["a"], {"a": 1}]), columns=COUNT,
                title=TITLE),
    picture_row(vis_utils.first_layer_weights, {"W": normal(12, 2), "image_shape": (3, 2, 2), "count": 2},
                W=NUMBERS, count=Integer(least=1, most=500),
                image_shape=Values(valid=[[3, 2, 2], (2, 2, 3)], wrong=[None, 12, "322", (3, 4), (3, 2, 3), (3, 2.0, 2),
                                                                        (-3, -2, 2), (12, 1, 1), {3, 2}])),
    picture_row(vis_utils.lines, {**A, **T, "curves": two(normal(3)), "x": normal(3), "yscale": "linear"},
                ax=AX, **WORDS, curves=both(NUMBERS), x=POINTS,
                yscale=Values(valid=["linear", "symlog"], wrong=[*NO_TEXT, "", "logarithmic"])),
    picture_row(vis_utils.layer_statistics, {"activations": two(rising(3)), "gradients": two(rising(3))},
                activations=both(NUMBERS), gradients=both(NUMBERS)),
    picture_row(vis_utils.unit_weights, {"weights": two(normal(3, 2))}, weights=both(NUMBERS)),
    picture_row(vis_utils.softmax_picture, {"scores": normal(2), "probabilities": normal(2), "names": ["a", "b"]},
                scores=NUMBERS, probabilities=NUMBERS, names=NAMES),
    picture_row(vis_utils.accuracy_map, {**A, "accuracy": normal(3, 2), "learning_rates": rising(2),
                                         "weight_scales": rising(3), "title": "t"},
                ax=AX, accuracy=NUMBERS, learning_rates=FACTORS, weight_scales=FACTORS, title=TEXT),
    picture_row(vis_utils.bowl_paths, {"paths": two(normal(3, 2)), "loss": lambda rng: bowl, "xlim": (-1, 1),
                                       "ylim": (-1, 1)},
                paths=both(NUMBERS), loss=Values(wrong=[*NO_FUNCTIONS, lambda x, y: 1, lambda x, y: "text"]),
                xlim=PAIRS, ylim=PAIRS),
    picture_row(vis_utils.learning_curves, {"solvers": two(runs), "smooth": 0.5}, solvers=RUN_VALUES,
                smooth=Number(least=0, most=math.nextafter(1, 0))),
    picture_row(vis_utils.bars, {**A, "values": {"one": 1.0, "two": 2.0}, "title": "t", "xlabel": "x"},
                ax=AX, title=TEXT, xlabel=TEXT, values=entries_of(*NO_NUMBERS)),
    picture_row(vis_utils.feature_histograms, {"stages": two(normal(5, 2))}, stages=both(NUMBERS)),
    picture_row(vis_utils.normalization_cubes, {"shares": two(booleans(2, 2, 2))}, shares=both(NUMBERS)),
    picture_row(vis_utils.training_accuracies, {"panels": two(two(runs))},
                panels=Values(wrong=[*NO_DICTIONARIES, {"one": {}}, {"one": {"a": None}}, {"one": {1: None}}])),
    picture_row(vis_utils.confusion_matrix, {"true": lambda rng: rng.integers(0, 2, 4),
                                             "predicted": lambda rng: rng.integers(0, 2, 4), "names": ["a", "b"]},
                true=Labels(), predicted=Labels(),
                names=Values(valid=[("a", "b", "c")], wrong=[None, 1, "ab", [1, 2], {"a": 1}, []])),
    picture_row(vis_utils.numbers, {"arrays": two(normal(2, 2)), "marked": two(booleans(2, 2)),
                                    "faint": two(booleans(2, 2)), "row_names": ["a", "b"]},
                arrays=both(NUMBERS), row_names=Values(valid=[None, ("a", "b")], wrong=[1, "ab", [1, 2], ["a"]]),
                marked=Values(valid=[None, {}], wrong=[1, "one", [], {"one": None}, {"three": np.ones((2, 2))},
                                                       {"one": np.ones(2)}, {"one": np.full((2, 2), 8)},
                                                       {"one": np.full((2, 2), -1)}]),
                faint=Values(valid=[None], wrong=[1, "one", [], {"one": None}, {"three": np.ones((2, 2))},
                                                  {"one": np.ones((3, 2))}])),
    picture_row(vis_utils.windows_as_columns, {"x": normal(3, 3), "w": normal(2, 2)}, x=NUMBERS, w=NUMBERS),
    picture_row(vis_utils.photographs, {"pictures": two(normal(4, 4)), "columns": 2, "frame": 1},
                pictures=both(NUMBERS), columns=COUNT, frame=Integer(least=0, most=1)),
    picture_row(vis_utils.window_positions, {"geometries": {"one": (5, 3, 1, 2)}, "columns": 1}, columns=COUNT,
                geometries=entries_of((1, 2, 3), (5, 3, 1, 0), (0, 3, 1, 1), (5, 0, 1, 1), (5, 3, -1, 1),
                                      (5.0, 3, 1, 1), ("5", 3, 1, 1), (10**30, 3, 1, 1), {5, 3, 1, 2})),
    picture_row(vis_utils.durations, {"seconds": {"one": {"a": 1.0, "b": 2.0}, "two": {"b": 0.1}}, "title": "t"},
                title=TEXT, seconds=entries_of(*({"a": number} for number in [*NO_NUMBERS, 0, -1]), {}, {1: 1.0})),
    Row(vis_utils.visualize_grid, lambda rng: {"Xs": rng.standard_normal((3, 2, 2, 3)), "ubound": 255.0, "padding": 1},
        {"Xs": NUMBERS, "ubound": Number(), "padding": Integer(least=0, most=100)},
        oracle=lambda Xs, ubound, padding: grid_of(Xs, ubound, padding)),
    picture_row(vis_utils.masked_nets, {"nets": lambda rng: {"one": [rng.random(3) < 0.5]}, "widths": [2, 3, 1],
                                        "per_row": 1},
                nets=entries_of([], [np.ones(2, bool)], [np.ones((3, 1), bool)], [["a", "b", "c"]], [None]),
                widths=Values(valid=[(2, 3, 1)],
                              wrong=[None, 3, "231", [3], [2, 0, 1], [2.0, 3, 1], [2, 4, 1], {2, 3}]),
                per_row=COUNT),
    picture_row(vis_utils.mask_images, {"masks": two(booleans(3, 2))}, masks=both(NUMBERS)),
    picture_row(vis_utils.kept_shares, {"p": lambda rng: rng.random(2), "shares": lambda rng: rng.random((2, 3)),
                                        "n": 4},
                p=NUMBERS, shares=NUMBERS, n=Integer(least=1, most=2**53)),
    picture_row(vis_utils.bands, {**A, **T, "curves": two(normal(2, 3)), "x": normal(3)}, ax=AX, **WORDS,
                curves=both(NUMBERS), x=POINTS),
    picture_row(vis_utils.grouped_bars, {**A, "values": two(normal(2)), "groups": ["a", "b"], "title": "t",
                                         "ylabel": "y", "fmt": "%.1f"},
                ax=AX, values=both(NUMBERS), groups=NAMES, title=TEXT, ylabel=TEXT,
                fmt=Values(valid=["%.3f", "%g"], wrong=[*NO_TEXT, "", "none", "%", "%d %d", "%s %s"])),
    picture_row(vis_utils.against_diagonal, {**A, **T, "x": normal(3), "y": normal(3)}, ax=AX, **WORDS, x=NUMBERS,
                y=NUMBERS),
    picture_row(vis_utils.graph, {"edges": {"a": ["b"], "b": []}, "labels": {"a": "A", "b": "B"}, "title": "t",
                                  "highlighted": ["a"], "leftward": True, "height": 2.0},
                edges=Values(wrong=[None, 1, "ab", [], {}, {"a": 1, "b": []}, {"a": ["c"], "b": []},
                                    {"a": "b", "b": []}, {"a": ["b"], "b": ["a"]}, {"a": ["a"], "b": []}]),
                labels=Values(wrong=[None, 1, "ab", [], {}, {"a": "A"}, {"a": "A", "b": 1},
                                     {"a": "A", "b": "B", "c": ""}]),
                title=TEXT, highlighted=Values(valid=[(), {"b"}], wrong=[None, 1, "a", math.sqrt]), leftward=FLAG,
                height=Number(above=0, most=100)),
    picture_row(vis_utils.volumes, {"shapes": {"one": (3, 4, 4), "two": (5,)}, "title": "t"}, title=TEXT,
                shapes=entries_of((2, 3), (3, 4, -4), (3, 4.0, 4), (), ("3",), (10**30, 4, 4), (5,))),
    picture_row(vis_utils.filter_positions, {"panels": {"one": (5, (2, 2), 1, 1, 2)}},
                panels=entries_of((5, 2, 1, 1, 2), (5, (2, 2), 1, 1), (0, (2, 2), 1, 1, 2), (5, (2,), 1, 1, 2),
                                  (5, (2, 2), 0, 1, 2), (5, (2, 2), 1, -1, 2), (5, (2, 2), 1, 1, 0), (5, "22", 1, 1, 2),
                                  (5.0, (2, 2), 1, 1, 2), (10**30, (2, 2), 1, 1, 2))),
    picture_row(vis_utils.channel_groups, {"panels": {"one": (4, 4, 2)}},
                panels=entries_of((4, 4), (4, 4, 3), (4, 4, 0), (4, 4, -2), (4.0, 4, 2), (8, 8, 8), (3, 4, 2), "442")),
    picture_row(vis_utils.training_plan, {"settings": lambda rng: Settings()},
                settings=Values(wrong=[None, 1, "settings", {}, SimpleNamespace(), SimpleNamespace(rate=1, size=2)])),
]  # fmt: skip


def bowl(x, y):
    return x**2 + 20 * y**2 + 0.1


def grid_of(Xs, ubound, padding):
    N, H, W, C = Xs.shape
    if 0 in Xs.shape or not np.isfinite(Xs).all():
        raise ValueError
    side = math.isqrt(N - 1) + 1
    grid = np.zeros((side * (H + padding) - padding, side * (W + padding) - padding, C))
    for i in range(N):
        span = np.ptp(Xs[i])
        place = grid[i // side * (H + padding) :, i % side * (W + padding) :]
        place[:H, :W] = ubound * ((Xs[i] - Xs[i].min()) / (span or 1))
    return grid


# Data


def looked_for(load):
    """Whether a file was looked for, which is not there."""

    def call(**arguments):
        try:
            return load(**arguments)
        except FileNotFoundError:
            return True

    return call


SPLITS = Values(valid=["train", "val", "train+val", "test"], wrong=[*NO_TEXT, "", "valid", "Train", {"train"}])
TYPES = Values(valid=[np.float32, "float64", np.longdouble, "f2"], either=[None],
               wrong=[int, "uint8", complex, bool, object, "x", "", 3, 1.5, [], (), {}, math.sqrt])
FEW = Integer(least=0, most=40, untried=(1000,))
DATA = [
    Row(data_utils.get_CIFAR10_data, lambda rng: {"num_training": 5, "num_validation": 5, "num_test": 5},
        {"num_training": Integer(least=1, most=1000, untried=(1000,)), "num_validation": FEW,
         "num_test": FEW, "subtract_mean": FLAG, "dtype": TYPES}, tolerance=1e3),
    Row(data_utils.get_images, lambda rng: {"split": "test"}, {"split": SPLITS}),
    Row(looked_for(data_utils.load_CIFAR10), lambda rng: {"ROOT": "nowhere"}, {"ROOT": Values(wrong=NO_PATHS)},
        name="load_CIFAR10"),
    Row(looked_for(data_utils.load_CIFAR_batch), lambda rng: {"filename": "nowhere"},
        {"filename": Values(wrong=NO_PATHS)}, name="load_CIFAR_batch"),
    Row(torch_data.Images, lambda rng: {"split": "val"},
        {"split": SPLITS, "transform": Values(valid=[None, torch.neg], wrong=[1, "crop", [], {}])}, result=len),
    Row(shapes10.load, lambda rng: {"num_train": 3, "num_test": 2},
        {name: Integer(least=0, most=1000, untried=(1000,)) for name in ("num_train", "num_test")}),
]  # fmt: skip


# The lessons' tools


def checked(**arguments):
    """The verdict that a claim is printed with."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        lesson.check(**arguments)
    return out.getvalue()[0]


def verdict(claim, value, below=None, above=None, measured=False):
    if below is None and above is None or (measured and None not in (below, above)):
        raise ValueError
    bounds = [bound for bound in (below, above) if bound is not None]
    holds = value.size and np.isfinite(value).all() and (not measured or np.isfinite(bounds).all())
    below, above = math.inf if below is None else below, -math.inf if above is None else above
    return "✓" if holds and np.all(value < below) and np.all(value > above) else "✗"


class Bound(Number):
    """Any number, NaN too, or none."""

    def __init__(self):
        super().__init__(infinite=True, optional=True, fits=False)
        for corruption in self.corruptions:
            if corruption.label == "nan":
                corruption.verdict = EITHER

    def clean(self, value):
        return super().clean(math.inf if isinstance(value, int) and value > 1e308 else value)


def started(seed):
    with plt.rc_context():
        lesson.start(seed)


def product(inputs, w, f=lambda x, w: x * w, dout=None):
    return lesson.autograd(f, inputs, w, dout=dout)


def gradient_of_the_product(inputs, w, dout=None):
    if dout is None and inputs.size != 1 or dout is not None and dout.shape != inputs.shape:
        raise ValueError
    return [inputs * w, float(np.sum(inputs if dout is None else inputs * dout))]


TOOLS = [
    Row(checked, lambda rng: {"claim": "it holds", "value": rng.standard_normal((2, 2)), "below": 1.0},
        {"claim": TEXT, "value": NUMBERS, "below": Bound(), "above": Bound(), "measured": FLAG}, oracle=verdict,
        name="check"),
    Row(started, lambda rng: {"seed": 1}, {"seed": Integer(least=0, most=2**32 - 1)}, random=True, name="start"),
    Row(lambda objects: lesson.show_source(objects), lambda rng: {"objects": optim.sgd},
        {"objects": Values(wrong=[None, 1, "sgd", [], {}, [optim.sgd], optim])}, name="show_source"),
    Row(product, lambda rng: {"inputs": rng.standard_normal((2, 3)), "w": 0.1,
                              "dout": rng.standard_normal((2, 3))},
        {"inputs": NUMBERS, "dout": Array(fixed=False, optional=True)},
        oracle=gradient_of_the_product, result=lambda returned: [returned[0], float(returned[1][-1])], name="autograd",
        tolerance=10),
    Row(product, lambda rng: {"inputs": np.ones(1), "w": np.ones(1)},
        {"f": Values(wrong=[*NO_FUNCTIONS, lambda x, w: None, lambda x, w: 1, lambda x, w: torch.ones(1)])},
        name="autograd"),
    Row(pending.Pending, lambda rng: {"reason": "f: lesson"}, {"reason": TEXT}, result=repr),
    Row(lambda values: pending.require_known(values), lambda rng: {"values": 1},
        {"values": Values(valid=[None, 1, np.ones(2)])}, name="require_known"),
    Row(pending.install, lambda rng: {"shell": SimpleNamespace(user_ns={}, user_ns_hidden={}, ast_transformers=[])},
        {"shell": Values(wrong=[None, 1, "shell", {}, SimpleNamespace(user_ns={})])}),
    Row(progress.progress_bar, lambda rng: {"total": 3, "description": "a", "unit": "b"},
        {"total": Integer(least=0, most=2**53), "description": TEXT, "unit": TEXT}, result=lambda bar: bar.total),
]  # fmt: skip


# The challenge

SMALL = Settings(widths=(2,), sizes=(4,), batch_size=2, bf16=False, seed=3)
NET = ResNet(SMALL, 2)
NO_SETTINGS = Values(wrong=[None, 1, "settings", {}, Settings, SimpleNamespace(skip=True)])


def image_set(count=4, size=6):
    images = torch.arange(count * 3 * size**2).reshape(count, 3, size, size) % 251
    return SimpleNamespace(images=images.to(torch.uint8), labels=torch.arange(count) % 2, classes=("a", "b"))


def tensors(*others, least=2):
    """Images for a net, as tensors or not."""
    images = image_set().images
    odd = [images.to(dtype) for dtype in (torch.int64, torch.float16, torch.float32, torch.float64)]
    return Values(valid=[*odd, images.flip(3), images.transpose(2, 3)],
                  wrong=[None, 1, "images", [], images.numpy(), images[0], images[:, :1], images[..., 0],
                         images[..., : least - 1], images.to(torch.complex64), *others])  # fmt: skip


def images_call(rng):
    return {"images": image_set().images}


def fitted(method):
    def call(images):
        net = ResNet(SMALL, 2)
        getattr(net, method)(images)
        return [tensor.double().numpy() for tensor in (net.mean, net.std)] + [net.patches.weight.numel()]

    return call


def sized_call(rng):
    return {"settings": SMALL, "train": image_set(), "val": image_set(), "epochs": 1, "device": "cpu", "verbose": False}


def trained(**arguments):
    training = Training(**sized_call(None))
    training.run(**arguments)
    return training.images


FOLDER = tempfile.TemporaryDirectory()
torch.save({"settings": challenge.dataclasses.asdict(SMALL), "model": NET.state_dict()}, f"{FOLDER.name}/model.pt")
NO_INTEGERS = [None, 3, "3", [], (), (0,), (-1,), (1.5,), ("3",), (None,), (True,), {3}]
NO_DATA = Values(wrong=[None, 1, "images", [], {}, SimpleNamespace(images=1, labels=2), image_set(0),
                        SimpleNamespace(images=image_set().images, labels=torch.ones(1))])
BELOW_ONE = Number(above=0, most=1 - 1e-6)
DEVICES = Values(valid=["cpu"], wrong=["abacus", "", "cpu:cpu", 1.5, [], {}, "cuda:99"])
NAN_IMAGES, FLAT_IMAGES = torch.full((2, 3, 4, 4), math.nan), torch.ones(2, 3, 4, 4)
CHALLENGE = [
    Row(Settings, lambda rng: {}, {
        "widths": Values(valid=[(3,), [3, 4]], wrong=[*NO_INTEGERS, (10**30,)]),
        "sizes": Values(valid=[(32,), [16, 32]], wrong=[*NO_INTEGERS, (2,), (10**30,)]),
        **dict.fromkeys(("whiten", "identity", "skip", "batch_norm", "augment", "one_cycle", "channels_last"), FLAG),
        "bf16": Values(valid=[None, True], wrong=["yes", 2, []]), "batch_size": Integer(least=1, most=2**53),
        "peak_rate": Number(least=0), "warm_up": BELOW_ONE, "momentum": BELOW_ONE, "weight_decay": Number(least=0),
        "label_smoothing": Number(least=0, most=1), "seed": Integer(least=0, most=2**53),
    }, result=lambda settings: int(settings.batch_size)),
    Row(lambda progress: SMALL.rate(progress), lambda rng: {"progress": 0.25}, {"progress": Number(least=0, most=1)},
        oracle=lambda progress: 0.4 * min(progress / 0.2, (1 - progress) / 0.8), name="Settings.rate",
        result=float),
    Row(lambda progress: SMALL.size(progress), lambda rng: {"progress": 0.25}, {"progress": Number(least=0, most=1)},
        oracle=lambda progress: 4, name="Settings.size"),
    Row(challenge.without, lambda rng: {"settings": SMALL, "ingredient": "whitening"},
        {"settings": NO_SETTINGS, "ingredient": Values(valid=["batch norm", "bf16"], wrong=[*NO_TEXT, "", "salt"])}),
    Row(ResNet, lambda rng: {"settings": SMALL, "num_classes": 2},
        {"settings": NO_SETTINGS, "num_classes": Integer(least=1, most=2**53)},
        result=lambda net: net.scores.out_features),
    Row(lambda images: NET.eval()(images), images_call, {"images": tensors(least=3)}, name="ResNet.forward",
        result=lambda scores: scores.detach().numpy(), tolerance=1e6),
    Row(fitted("normalize_as"), images_call, {"images": tensors(NAN_IMAGES, FLAT_IMAGES, NAN_IMAGES[:0])},
        name="ResNet.normalize_as"),
    Row(fitted("whiten"), images_call, {"images": tensors(NAN_IMAGES, NAN_IMAGES[:0])}, name="ResNet.whiten"),
    Row(challenge.Residual, lambda rng: {"channels": 2, "settings": SMALL},
        {"channels": Integer(least=1, most=2**53, untried=(1000,)), "settings": NO_SETTINGS},
        result=lambda block: block.channels),
    Row(lambda x: challenge.Residual(3, SMALL)(x).shape, lambda rng: {"x": torch.zeros(1, 3, 2, 2)},
        {"x": Values(valid=[torch.ones(2, 3, 1, 1)],
                     wrong=[None, 1, "x", [], np.ones((2, 3, 1, 1)),
                            *(torch.ones(shape) for shape in [(2, 3, 1), (2, 2, 1, 1), (2, 3, 0, 1), (0, 3, 1, 1)])])},
        name="Residual.forward", result=list),
    Row(challenge.pick_device, lambda rng: {"name": "cpu"}, {"name": DEVICES}),
    Row(challenge.bf16_is_faster, lambda rng: {"device": torch.device("meta")},
        {"device": Values(wrong=[None, 1, "cpu", [], {}])}),
    Row(challenge.augmentation, lambda rng: {"settings": SMALL, "size": 4},
        {"settings": NO_SETTINGS, "size": Integer(least=1, most=2**53)}, result=callable),
    Row(challenge.evaluate, lambda rng: {"model": NET, "data": image_set()},
        {"model": Values(wrong=[None, 1, "net", SimpleNamespace(mean=1)]), "data": NO_DATA, "bf16": FLAG,
         "batch_size": Integer(least=1, most=2**53)}, result=lambda accuracy: 0 <= accuracy <= 1),
    Row(Training, sized_call,
        {"settings": NO_SETTINGS, "train": NO_DATA, "val": NO_DATA, "epochs": Number(above=0, optional=True),
         "seconds": Number(above=0, optional=True, fits=lambda number: False), "device": DEVICES,
         "folder": Values(valid=[None, FOLDER.name], wrong=NO_PATHS[1:]), "verbose": FLAG},
        result=lambda training: float(training.epochs)),
    Row(trained, lambda rng: {}, {"spent": Number(least=0), "reserve": Number(least=0)}, name="Training.run"),
    Row(challenge.load_model, lambda rng: {"path": f"{FOLDER.name}/model.pt", "device": "cpu"},
        {"path": Values(wrong=NO_PATHS), "device": DEVICES}, result=lambda net: net.least_size),
]  # fmt: skip

SLOW = [*PICTURES, *(row for row in CHALLENGE if row.name.startswith(("Training", "evaluate")))]
ROWS = [*(wrong_only(row) for row in SLOW), *DATA, *TOOLS, *(row for row in CHALLENGE if row not in SLOW)]
NO_ARGUMENTS = ("use_style", "batchnorm_graph", "data_set_name", "class_names", "Training.resume")


@pytest.mark.parametrize("row", ROWS, ids=str)
@given(data=st.data())
def test_every_call_gives_the_right_result_or_names_the_argument(row, data):
    row.check(data)


@pytest.mark.parametrize("row", SLOW, ids=str)
@FEWER
@given(data=st.data())
def test_odd_calls_of_what_is_slow_give_the_right_result_or_name_the_argument(row, data):
    row.check(data)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_mistake_alone_gives_the_right_result_or_names_the_argument(row):
    row.check_each()


def test_the_tables_cover_every_public_name():
    without_arguments = [SimpleNamespace(name=name) for name in NO_ARGUMENTS]
    modules = challenge, data_utils, lesson, pending, progress, shapes10, torch_data, vis_utils
    assert_covers([*ROWS, *without_arguments], *modules)
