"""Bad input by the thousand: odd and wrong arguments, drawn from a catalogue, for the functions in a table.

A table row names a function, makes good calls of it, and says what each argument is. :meth:`Row.check` draws a good
call, puts something odd or wrong in place of up to two arguments, and judges the answer: the right result, or a
``ValueError`` or ``TypeError`` that names an argument which is wrong. Nothing that the caller passes is altered, nor
NumPy's error settings, nor (but where a row says ``random``) its global random state; finite data gives no warning.

    def affine_call(rng):
        return {"x": rng.standard_normal((2, 3)), "w": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}

    ROWS = [
        Row(affine_forward, affine_call, {"x": Array(fixed=False), "w": Array(), "b": Array()},
            oracle=lambda x, w, b: x @ w + b, result=itemgetter(0)),
    ]

    @pytest.mark.parametrize("row", ROWS, ids=str)
    def test_every_mistake_alone_gives_the_right_result_or_names_the_argument(row):
        row.check_each()

    @pytest.mark.parametrize("row", ROWS, ids=str)
    @given(data=st.data())
    def test_every_call_gives_the_right_result_or_names_the_argument(row, data):
        row.check(data)

    def test_the_table_covers_every_public_name():
        assert_covers(ROWS, affine)

Arguments are passed by keyword, so a function with ``*args``, or a method, gets a lambda and a ``name``. What an
argument is: :class:`Array`, :class:`Labels`, :class:`Number`, :class:`Integer`, :class:`Values` (a list of what is
right and what is wrong), :class:`Entries` (a dictionary), or :data:`FLAG`. An argument that the row does not describe
is passed as it is made. A new kind of argument is a class with ``corruptions`` and ``clean``, as these have.
"""

import copy
import decimal
import fractions
import inspect
import math
import numbers
import re
import warnings

import numpy as np
from hypothesis import strategies as st

# What a corruption makes of an argument. SHAPE is wrong unless a second argument's shape is changed as well.
VALID, EITHER, SHAPE, WRONG = "valid", "valid or wrong", "another shape", "wrong"


class Corruption:
    """Puts something in place of an argument: ``change(rng, value)`` gives what, ``verdict`` what is to be made of it.

    ``path`` is what of the argument it is about (``['stride']``, or nothing); ``finite`` is False for NaN, infinity
    and numbers at which a formula may overflow.
    """

    def __init__(self, label, verdict, change, path="", finite=True):
        self.label, self.verdict, self.change, self.path, self.finite = label, verdict, change, path, finite


class Array:
    """An array of real numbers.

    Parameters
    ----------
    fixed : bool
        No other shape is right, as long as the other arguments keep theirs. Otherwise the oracle decides.
    optional : bool
        None is right as well, as the oracle takes it.
    huge : bool
        1e30 is among the numbers that are tried. Where a formula cancels, nothing can be said of what it leaves.
    """

    def __init__(self, *, fixed=True, optional=False, huge=True):
        shape = SHAPE if fixed else EITHER
        self.corruptions = [
            *_all(VALID, _LAYOUTS),
            *_all(VALID, {f"as {dtype}": _cast(dtype) for dtype in _REAL_DTYPES}),
            *_all(EITHER, {f"{number} {words}": _put(number, everywhere)
                           for number in (np.nan, np.inf, -np.inf, 1e30)[: None if huge else -1]
                           for words, everywhere in (("somewhere", False), ("everywhere", True))}, finite=False),
            *_all(shape, _SHAPES),
            *_all(WRONG, _NO_ARRAYS),
            Corruption("None", EITHER if optional else WRONG, lambda rng, value: None),
        ]

    def clean(self, value):
        return None if value is None else np.array(value, np.float64, order="C")


class Labels:
    """Integers that count classes from 0: labels of examples, indices."""

    def __init__(self):
        self.corruptions = [
            *_all(VALID, _LAYOUTS),
            *_all(VALID, {f"as {dtype}": _cast(dtype) for dtype in ("int8", "uint8", "int32", "uint64")}),
            *_all(EITHER, {"as bool": _cast("bool")}),
            *_all(SHAPE, _SHAPES),
            *_all(WRONG, {**_NO_ARRAYS, "as float": _cast("float64"), "one of -1": _put_label(-1),
                          "one too large": _put_label(1000), "one beyond int64": _put_label(2**64 - 1)}),
            Corruption("None", WRONG, lambda rng, value: None),
        ]

    def clean(self, value):
        return np.array(value, np.int64, order="C")


class Number:
    """A number greater than ``above``, from ``least`` to ``most``; ``infinite``: infinity counts as a number.

    ``fits`` says whether a number of the range is right whatever the other arguments are: True, False, or a function
    of the number; where it is not, they and the oracle decide. ``optional``: None is right.
    ``untried``: numbers at which a call would take long.
    """

    wanted = numbers.Real

    def __init__(self, *, above=-math.inf, least=-math.inf, most=math.inf, infinite=False, fits=True,
                 optional=False, untried=()):
        def verdict(value):
            if value is None and optional:
                return EITHER
            if isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.ndim == 0):
                return EITHER  # one might take it for its number, or refuse it
            if not isinstance(value, self.wanted):
                # 2.0 for an integer
                return EITHER if isinstance(value, numbers.Real) and value % 1 == 0 else WRONG
            in_range = above <= value <= most and value >= least and (value > above or above == -math.inf)
            if not in_range or (not infinite and self.wanted is numbers.Real and _is_beyond_float(value)):
                return WRONG
            return VALID if (fits(value) if callable(fits) else fits) else EITHER

        self.corruptions = [
            Corruption(repr(value), verdict(value), lambda rng, _, value=value: value)
            for value in _NUMBERS if not any(value is number or repr(value) == repr(number) for number in untried)
        ]

    def clean(self, value):
        if isinstance(value, np.ndarray):
            value = value[()]
        if value is None:
            return None
        # Not Python's large integers, where a number will do: NumPy takes them for objects.
        return int(value) if self.wanted is numbers.Integral and value % 1 == 0 else float(value)


def _is_beyond_float(value):
    try:
        return math.isinf(value)
    except OverflowError:
        return True


class Integer(Number):
    """An integer, with the bounds of :class:`Number`."""

    wanted = numbers.Integral


class Values:
    """An argument of which a list says what is right, what is wrong, and of what the oracle may decide."""

    def __init__(self, *, valid=(), wrong=(), either=()):
        self.corruptions = [
            Corruption(repr(value), verdict, lambda rng, _, value=value: value)
            for verdict, values in ((VALID, valid), (WRONG, wrong), (EITHER, either)) for value in values
        ]

    def clean(self, value):
        return copy.deepcopy(value)


class Entries:
    """A dictionary argument, by its keys; ``required`` are the keys that must not be missing.

    Of those that may be missing, the oracle decides what then holds.
    """

    def __init__(self, entries, required=()):
        self.entries = entries
        self.corruptions = [
            *(Corruption(f"[{key!r}] {of.label}", of.verdict, _in_entry(key, of.change), f"[{key!r}]", of.finite)
              for key, entry in entries.items() for of in entry.corruptions),
            *(Corruption(f"no {key!r}", WRONG if key in required else EITHER, _without(key), f"[{key!r}]")
              for key in entries),
            *(Corruption(repr(value), WRONG, lambda rng, _, value=value: value)
              for value in (None, 1, "text", [], [("stride", 1)], dict)),
        ]

    def clean(self, value):
        return {key: self.entries[key].clean(entry) if key in self.entries else entry for key, entry in value.items()}


class Row:
    """One function of a table.

    Parameters
    ----------
    function : callable
    good : callable
        Takes a ``numpy.random.Generator`` and makes the keyword arguments of a good call: small, and of varying shape.
    arguments : dict
        What each argument is, by its name.
    oracle : callable, optional
        Another way to the result, from the same arguments: arrays are C-contiguous float64, numbers Python's.
        Where it raises, the function must not return. Default: the function itself.
    result : callable
        What of the returned to compare; the oracle gives just this, the function itself as oracle goes through it too.
    fitting : collection of str
        Arguments that must fit the others, and so may be named in place of one that is wrong.
    fills : collection of str
        The dictionaries whose entries a call may replace.
    random : bool
        The call may draw from NumPy's global state; the oracle finds that state as the function did.
    tolerance : float
        Factor on the tolerance for rounding errors, 100 eps of the coarsest type.
    nan_for_number : bool
        The docstring says that data which is not finite may give NaN where the formula has a number.
    name : str
        As in ``__all__``; "Class.method" for methods. Default: the function's.
    """

    def __init__(self, function, good, arguments, *, oracle=None, result=lambda returned: returned, fitting=(),
                 fills=(), random=False, tolerance=1.0, nan_for_number=False, name=None):
        self.function, self.good, self.arguments, self.result = function, good, arguments, result
        self.oracle = oracle or (lambda **clean: result(function(**clean)))
        self.fitting, self.fills, self.random, self.tolerance, self.nan_for_number = (
            fitting, fills, random, tolerance, nan_for_number)
        self.name = name or function.__name__
        self.choices = [(name, corruption) for name, kind in arguments.items() for corruption in kind.corruptions]
        one = st.sampled_from(self.choices) if self.choices else st.none()
        self.calls = st.tuples(st.integers(0, 2**32 - 1), one, st.none() | one).map(self._corrupted)

    def __str__(self):
        return self.name

    def _corrupted(self, drawn):
        seed, first, second = drawn
        rng = np.random.default_rng(seed)
        call = _Call(self.name, self.good(rng))
        for name, corruption in dict(filter(None, (first, second))).items():
            call.corrupt(rng, name, corruption)
        return call

    def check(self, data):
        """Draw a call and judge what it is answered with."""
        self._judge(data.draw(self.calls))

    def check_each(self):
        """Judge three calls with each thing that the catalogue has for an argument, and three good ones."""
        for seed, choice in enumerate(3 * [None, *self.choices]):
            self._judge(self._corrupted((seed, choice, None)))

    def _judge(self, call):
        clean = self._clean(call.arguments) if call.verdict != WRONG else None
        entries = {name: dict(call.arguments[name]) for name in self.fills if isinstance(call.arguments[name], dict)}
        before = {name: snapshot(value) for name, value in call.arguments.items()}
        epsilon = max(_epsilons(call.arguments), default=EPSILON)
        state, errors = np.random.get_state(), np.geterr()
        with warnings.catch_warnings():
            warnings.simplefilter("error" if call.finite else "ignore")
            try:
                returned, refusal = self.function(**call.arguments), None
            except Exception as exception:
                returned, refusal = None, exception
        # Entries may be replaced by a call that returns; the arrays that they were stay as they are.
        for name, value in {**call.arguments, **(entries if refusal is None else {})}.items():
            assert snapshot(value) == before[name], f"{call}\naltered {name}, which was {before[name]!r}"
        assert np.geterr() == errors, f"{call}\naltered np.geterr()"
        if refusal is not None or not self.random:
            assert _same_state(state, np.random.get_state()), f"{call}\naltered NumPy's random state"
        if refusal is not None:
            call.judge_refusal(refusal, self.fitting)
            return
        assert call.verdict != WRONG, f"{call}\nmust be refused, but returned {returned!r}"
        np.random.set_state(state)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = self.oracle(**clean)
        except Exception as error:
            raise AssertionError(f"{call}\nreturned {returned!r}, but the oracle refuses: {error!r}") from error
        tolerance = 100 * self.tolerance * epsilon
        # Of data that is not finite, a coarse type may overflow where float64 does not.
        allowed = np.isnan if self.nan_for_number else _nothing
        if epsilon > EPSILON:
            allowed = _not_finite
        try:
            _assert_agrees(self.result(returned), expected, tolerance, _nothing if call.finite else allowed)
        except AssertionError as error:
            raise AssertionError(f"{call}\n{error}") from None

    def _clean(self, arguments):
        return {name: self.arguments[name].clean(value) if name in self.arguments else copy.deepcopy(value)
                for name, value in arguments.items()}


class _Call:
    """The arguments of a call, and what is wrong with them."""

    def __init__(self, name, arguments):
        self.name, self.arguments, self.corruptions = name, arguments, []

    def corrupt(self, rng, name, corruption):
        self.arguments[name] = corruption.change(rng, self.arguments.get(name))
        self.corruptions.append((name, corruption))

    @property
    def finite(self):
        return all(corruption.finite for _, corruption in self.corruptions)

    @property
    def verdict(self):
        verdicts = [corruption.verdict for _, corruption in self.corruptions]
        if WRONG in verdicts or (SHAPE in verdicts and set(verdicts) <= {SHAPE, VALID} and verdicts.count(SHAPE) == 1):
            return WRONG
        return VALID if set(verdicts) == {VALID} else EITHER

    def judge_refusal(self, refusal, fitting):
        said = f"{type(refusal).__name__}: {refusal}"
        if not isinstance(refusal, ValueError | TypeError) or isinstance(refusal, UnicodeError):
            raise AssertionError(f"{self}\nraised {said}") from refusal
        if self.verdict == VALID:
            raise AssertionError(f"{self}\nis right, but was refused: {said}") from refusal
        suspects = [(name, corruption) for name, corruption in self.corruptions if corruption.verdict != VALID]
        named = any(_names(str(refusal), name, corruption) for name, corruption in suspects)
        if any(corruption.verdict != WRONG for _, corruption in suspects):
            named = named or any(_is_word(name, str(refusal)) for name in fitting)
        if not named:
            wanted = " or ".join(name + corruption.path for name, corruption in suspects)
            raise AssertionError(f"{self}\nrefused without naming {wanted}: {said}") from refusal

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({arguments})  # " + "; ".join(f"{n}: {c.label}" for n, c in self.corruptions)


def _names(message, name, corruption):
    """Whether ``message`` has the name, and for an entry of a dictionary its key, as words.

    A number that is in its range but does not fit the other arguments may go by its key alone: "H + 2·pad".
    """
    key = re.findall(r"\w+", corruption.path)
    wanted = key if corruption.verdict == EITHER and key else [name, *key]
    return all(_is_word(word, message) for word in wanted)


def _is_word(word, message):
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", message)


def assert_covers(rows, *modules):
    """Assert that ``rows`` has every public name of ``modules``: functions, classes and their public methods."""
    public = {name for module in modules for name in _public_names(module)}
    missing = public - {row.name for row in rows}
    assert not missing, f"no row for {sorted(missing)}"


def _public_names(module):
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            yield name
        if inspect.isclass(value):
            yield from (f"{name}.{method}" for method, function in vars(value).items()
                        if not method.startswith("_") and callable(function))


# What must not change


def snapshot(value):
    """What must not change in an argument: every array with its bytes and its layout, every entry."""
    if isinstance(value, np.ndarray):
        return value.tobytes(), value.dtype, value.shape, value.strides, value.flags.writeable
    if isinstance(value, dict):
        return {key: (id(entry), snapshot(entry)) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [(id(entry), snapshot(entry)) for entry in value]
    return None


def _same_state(state, other):
    return state[0] == other[0] and np.array_equal(state[1], other[1]) and state[2:] == other[2:]


EPSILON = np.finfo(np.float64).eps


def _epsilons(value):
    """The rounding errors of the floating-point arrays in ``value``."""
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
        yield max(EPSILON, float(np.finfo(value.dtype).eps))
    elif isinstance(value, dict | list | tuple):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _epsilons(entry)


def _nothing(array):
    return np.zeros(array.shape, bool)


def _not_finite(array):
    return ~np.isfinite(array)


def _assert_agrees(ours, theirs, tolerance, allowed):
    if isinstance(theirs, dict) and isinstance(ours, dict) and ours.keys() == theirs.keys():
        ours, theirs = [ours[key] for key in theirs], [*theirs.values()]
    if isinstance(theirs, list | tuple) and isinstance(ours, list | tuple) and len(ours) == len(theirs):
        for our, their in zip(ours, theirs):
            _assert_agrees(our, their, tolerance, allowed)
    else:
        assert _agree(ours, theirs, tolerance, allowed), f"returned {ours!r}, right is {theirs!r}"


def _agree(ours, theirs, tolerance, allowed):
    if not isinstance(theirs, np.ndarray | np.generic | float | int):
        return type(ours) is type(theirs) and ours == theirs
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        return False
    if theirs.dtype.kind != "f":
        return np.array_equal(ours, theirs)
    with np.errstate(all="ignore"):
        is_number = np.isfinite(theirs)
        scale = np.abs(theirs[is_number]).max(initial=1)
        right = np.where(is_number, np.abs(ours - theirs) <= tolerance * scale, _not_finite(ours))
    return (right | allowed(ours)).all()


# The catalogue


def _all(verdict, changes, finite=True):
    return [Corruption(label, verdict, change, finite=finite) for label, change in changes.items()]


def _plain(change):
    """A change of an array that needs no random numbers."""
    return lambda rng, value: change(np.asarray(value))


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def _strided(array):
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


def _reversed(array):
    return np.flip(np.flip(array).copy())


def _unaligned(array):
    array = np.ascontiguousarray(array)
    memory = np.empty(array.nbytes + 1, np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def _nested_list(array):
    # An empty list has lost the lengths of its axes.
    return array.tolist() if array.size else array


_LAYOUTS = {
    "in Fortran order": _plain(np.asfortranarray),
    "strided": _plain(_strided),
    "reversed": _plain(_reversed),
    "read-only": _plain(_read_only),
    "unaligned": _plain(_unaligned),
    "of the other byte order": _plain(lambda array: array.astype(array.dtype.newbyteorder())),
    "as a list": _plain(_nested_list),
}

_REAL_DTYPES = ("float16", "float32", "longdouble", "int8", "uint8", "int64", "bool")


def _cast(dtype):
    def cast(rng, value):
        value = np.asarray(value)
        return (np.abs(value) if dtype == "uint8" else value).astype(dtype)

    return cast


def _put(number, everywhere):
    def put(rng, value):
        value = np.array(value, np.float64)
        if everywhere:
            value[...] = number
        elif value.size:
            value.flat[rng.integers(value.size)] = number
        return value

    return put


def _put_label(label):
    def put(rng, value):
        value = [*value]
        value[rng.integers(len(value))] = label
        return np.array(value, np.uint64 if label >= 2**63 else np.int64)

    return put


def _with_an_axis_of(length):
    """Another length along one axis: ``length(its own)``."""

    def change(rng, value):
        value = np.asarray(value)
        shape = [*value.shape] or [1]
        axis = rng.integers(len(shape))
        shape[axis] = length(shape[axis])
        return np.resize(value, shape)

    return change


_SHAPES = {
    "an axis longer": _with_an_axis_of(lambda n: n + 1),
    "an axis shorter": _with_an_axis_of(lambda n: n - 1 if n else 2),
    "an empty axis": _with_an_axis_of(lambda n: 0 if n else 1),
    "an axis more in front": _plain(lambda array: array[np.newaxis]),
    "an axis more behind": _plain(lambda array: array[..., np.newaxis]),
    "without its first axis": _plain(lambda array: np.ones(array.shape[1:]) if array.ndim else array[np.newaxis]),
    "one number": _plain(lambda array: 1.5 if array.ndim else array[np.newaxis]),
    "an empty list": _plain(lambda array: [] if array.shape != (0,) else [[]]),
}

_NO_ARRAYS = {
    "as complex": _plain(lambda array: array.astype(complex)),
    "as objects": _plain(lambda array: array.astype(object)),
    "as text": _plain(lambda array: array.astype(str)),
    "as dates": _plain(lambda array: array.astype(np.int64).astype("datetime64[s]")),
    "as records": _plain(lambda array: np.zeros(array.shape, [("a", float), ("b", int)])),
    "a ragged list": _plain(lambda array: [[1.0, 2.0], [3.0]]),
    "a word": _plain(lambda array: "word"),
    "a dictionary": _plain(lambda array: {"x": array}),
    "a set": _plain(lambda array: {1.0, 2.0}),
    "a function": _plain(lambda array: math.sqrt),
}

_NUMBERS = [
    -math.inf, -1e300, -(10**30), -2, -1, -0.5, -0.0, 0, 0.0, 1e-300, 0.25, 0.5, 1, 1.0, 1.5, 2, 2.0, 3, 7, 1000,
    10**30, 10**400, 1e30, math.inf, math.nan, True, False, np.bool_(True), np.int8(1), np.int8(-1), np.uint8(2),
    np.int64(2), np.float16(0.5), np.float32(0.5), np.longdouble(0.5), np.float64(2), np.array(0.5), np.array(1),
    np.array([1, 1]), np.array([]),
    fractions.Fraction(1, 2), decimal.Decimal("0.5"), 1j, "1", b"1", "", None, [], [1], (), {},
    int, math.sqrt,
]

FLAG = Values(valid=[True, False, np.bool_(True), np.bool_(False)],
              wrong=[None, "yes", [], [True, False], np.array([True, False]), 2, math.nan],
              either=[0, 1])


def _in_entry(key, change):
    return lambda rng, value: {**value, key: change(rng, value.get(key))}


def _without(key):
    return lambda rng, value: {k: entry for k, entry in value.items() if k != key}
