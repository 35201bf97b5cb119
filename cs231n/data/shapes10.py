"""Shapes-10: ten classes of small colour pictures, drawn from a seed.

Every picture shows one figure (a circle, a heart, an arrow, ...) over a cluttered background. Position, size, tilt,
proportions, colours and shading vary from picture to picture. Shapes, dtypes and value range are those of CIFAR-10,
and so is the difficulty: a linear classifier gets about a third of the test pictures right, a fully connected net
about half, and it takes convolution to do well.

The bytes depend on the seed alone, not on the processor or on the version of NumPy: the only random numbers are
PCG64's uniform doubles, and pixels are computed with operations that IEEE 754 rounds exactly (``+ - * /``, square
root, comparisons). Nothing here calls a sine, a logarithm or BLAS.
"""

from functools import lru_cache

import numpy as np

from ..arguments import integer

__all__ = ["CLASS_NAMES", "load"]

CLASS_NAMES = ("arrow", "bolt", "circle", "crescent", "cross", "heart", "ring", "square", "star", "triangle")
IMAGE_SIZE = 32

# Each class has a favourite hue for the figure and one for the background, in turns of the colour circle (0 red,
# 1/3 green, 2/3 blue); a picture's hues lie within +-HUE_SPREAD turns of them, more often near than far.
FIGURE_HUES = np.array([0.35, 0.14, 0.05, 0.60, 0.95, 0.98, 0.10, 0.45, 0.16, 0.28], np.float32)
BACKGROUND_HUES = np.array([0.08, 0.70, 0.55, 0.66, 0.40, 0.85, 0.95, 0.10, 0.62, 0.50], np.float32)
HUE_SPREAD = 0.49

# Luminance and saturation, from 0 to 1. A figure is always lighter than its background, and than most of the clutter.
FIGURE_BRIGHTNESS = (0.51, 0.89)
BACKGROUND_BRIGHTNESS = (0.18, 0.42)
FIGURE_SATURATION = (0.25, 0.55)
BACKGROUND_SATURATION = (0.1, 0.4)

# The pose: distance of the figure's centre from the picture's, its radius (both in pixels), its tilt as
# tan(angle / 2), its width over its height.
FIGURE_OFFSET = 6.6
FIGURE_RADIUS = (5.5, 11.5)
FIGURE_TILT = 0.30
FIGURE_ASPECT = (0.77, 1.27)

# Small figures of any class, scattered behind the large one; radius in pixels.
CLUTTER_PIECES = 4
CLUTTER_RADIUS = (2.0, 5.8)
CLUTTER_BRIGHTNESS = (-0.15, 0.35)  # above the background's

# Signed distances are tabulated over [-TABLE_REACH, TABLE_REACH]^2, in units of the figure's radius.
TABLE_REACH = 1.5
TABLE_SIZE = 192

# Pictures painted at once: few enough to fit the processor's cache. Changing it changes the pictures.
CHUNK = 50


def load(num_train=11000, num_test=2000, seed=231):
    """Draw the training and the test pictures.

    A smaller set is the beginning of a larger one with the same seed. Each block of ten labels holds every class once,
    so any prefix is balanced. The result is cached: a second call with the same arguments costs nothing.

    Parameters
    ----------
    num_train, num_test : int, default 11000 and 2000
        Number of pictures, 0 or more. By default there are 10,000 to train on and 1,000 for validation.
    seed : int, default 231

    Returns
    -------
    X_train, y_train : uint8 array (num_train, 32, 32, 3), int64 array (num_train,)
        RGB, row by row from the top, and indices into :data:`CLASS_NAMES`. Read-only: copy them to change them.
    X_test, y_test : the same for the test pictures

    Raises
    ------
    TypeError, ValueError
        An argument is not an integer, or negative.
    """
    counts = integer("num_train", num_train, least=0), integer("num_test", num_test, least=0)
    return _load(*counts, integer("seed", seed, least=0))


@lru_cache(maxsize=2)
def _load(num_train, num_test, seed):
    arrays = _draw(num_train, [seed, 0]) + _draw(num_test, [seed, 1])
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _draw(count, seed):
    """Pictures (count, 32, 32, 3) and labels (count,) from the seed, a list of integers."""
    labels = _shuffled_labels(-(-count // CHUNK) * CHUNK, np.random.Generator(np.random.PCG64([*seed, 0])))
    rng = np.random.Generator(np.random.PCG64([*seed, 1]))
    images = np.empty((len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for start in range(0, len(labels), CHUNK):
        chunk = slice(start, start + CHUNK)
        images[chunk] = _paint(labels[chunk], rng)
    return images[:count].copy(), labels[:count].copy()


def _shuffled_labels(count, rng):
    """Labels (count,): the ten classes in a new random order for every ten pictures."""
    classes = len(CLASS_NAMES)
    rounds = -(-count // classes)
    return rng.random((rounds, classes)).argsort(axis=1).astype(np.int64).ravel()[:count]


def _paint(labels, rng):
    """Uint8 pictures (CHUNK, 32, 32, 3) of the classes ``labels`` (CHUNK,)."""
    hue = BACKGROUND_HUES[labels][:, None, None] + HUE_SPREAD * _bell(rng)
    brightness = _uniform(rng, *BACKGROUND_BRIGHTNESS)
    texture = _texture(rng)
    picture = _background(rng, hue, brightness, texture)
    for _ in range(CLUTTER_PIECES):
        _add_clutter(picture, rng, hue, brightness)
    _add_figure(picture, rng, labels, texture)
    picture = np.clip(picture * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    return picture.transpose(1, 2, 3, 0)


def _background(rng, hue, brightness, texture):
    """A gradient from one colour to a neighbouring one, with a texture: float32 (3, CHUNK, 32, 32) around [0, 1]."""
    here = _colour(hue, brightness, _uniform(rng, *BACKGROUND_SATURATION))
    neighbour_hue = hue + _uniform(rng, -0.1, 0.1)
    there = _colour(neighbour_hue, brightness + _uniform(rng, -0.12, 0.12), _uniform(rng, *BACKGROUND_SATURATION))
    slope_x, slope_y = (_uniform(rng, -1 / IMAGE_SIZE, 1 / IMAGE_SIZE) for _ in range(2))
    ramp = (0.5 + _AXIS * slope_x) + _AXIS[:, None] * slope_y
    return here + (there - here) * ramp + texture


def _add_clutter(picture, rng, background_hue, background_brightness):
    """Paint a small, dim, blurred figure of a random class at a random place."""
    kind = _uniform(rng, 0, len(CLASS_NAMES)).astype(np.intp)
    pose = _Pose(rng, IMAGE_SIZE / 2, CLUTTER_RADIUS, 1.0)
    brightness = background_brightness + _uniform(rng, *CLUTTER_BRIGHTNESS)
    colour = _colour(background_hue + _uniform(rng, -0.25, 0.25), brightness, _uniform(rng, 0.1, 0.6))
    distance = pose.distance(kind)
    _blend(picture, _coverage(distance, _uniform(rng, 1, 4)) * _uniform(rng, 0.4, 0.9), colour)


def _add_figure(picture, rng, labels, texture):
    """Paint the figure over its shadow: lit from one side, darker along its rim."""
    pose = _Pose(rng, FIGURE_OFFSET, FIGURE_RADIUS, FIGURE_TILT)
    shadow = pose.distance(labels, _uniform(rng, -2, 2), _uniform(rng, -2, 2))
    _blend(picture, _coverage(shadow, 5) * _uniform(rng, 0.2, 0.6), np.float32(0.02))

    distance = pose.distance(labels)
    light_x, light_y = (_uniform(rng, -0.25, 0.25) / pose.radius for _ in range(2))
    shade = (1 + light_x * (_AXIS - pose.x)) + light_y * (_AXIS[:, None] - pose.y)
    shade -= _uniform(rng, 0.1, 0.3) * np.clip(1 + distance / 3, 0, 1)
    shade += texture * _uniform(rng, 0, 0.5)
    hue = FIGURE_HUES[labels][:, None, None] + HUE_SPREAD * _bell(rng)
    colour = _colour(hue, _uniform(rng, *FIGURE_BRIGHTNESS), _uniform(rng, *FIGURE_SATURATION))
    _blend(picture, _coverage(distance, 1), colour * shade)


# Pixel centres along one side, relative to the picture's centre.
_AXIS = np.arange(IMAGE_SIZE, dtype=np.float32) - np.float32((IMAGE_SIZE - 1) / 2)


def _uniform(rng, low, high, *shape):
    """Float32 numbers from [low, high), one per picture (CHUNK, 1, 1), or (CHUNK, *shape)."""
    return (low + (high - low) * rng.random((CHUNK, *(shape or (1, 1))))).astype(np.float32)


def _bell(rng):
    """Numbers (CHUNK, 1, 1) from (-1, 1), more often near 0: their density is a triangle."""
    return _uniform(rng, 0, 1) - _uniform(rng, 0, 1)


def _colour(hue, brightness, saturation):
    """RGB (3, CHUNK, 1, 1) of a hue in turns, moved along the grey axis until its luminance is ``brightness``."""
    turns = hue + np.array([0, 2 / 3, 1 / 3], np.float32)[:, None, None, None]
    turns -= np.floor(turns)
    rgb = np.clip(np.abs(turns * 6 - 3) - 1, 0, 1)
    luminance = np.float32(0.3) * rgb[0] + np.float32(0.59) * rgb[1] + np.float32(0.11) * rgb[2]
    return brightness + saturation * (rgb - luminance)


def _texture(rng):
    """Cloudy grey noise (CHUNK, 32, 32) around 0."""
    return _smooth_noise(rng, 3) * _uniform(rng, 0.05, 0.2) + _smooth_noise(rng, 6) * _uniform(rng, 0, 0.15)


def _smooth_noise(rng, cells):
    """Noise (CHUNK, 32, 32) in [-1, 1], interpolated between the corners of ``cells`` x ``cells`` random squares."""
    corners = _uniform(rng, -1, 1, cells + 1, cells + 1)
    position = np.arange(IMAGE_SIZE) * (cells / IMAGE_SIZE)
    low = position.astype(int)
    weight = (position - low).astype(np.float32)
    weight = weight * weight * (3 - 2 * weight)
    rows = corners[:, low] + (corners[:, low + 1] - corners[:, low]) * weight[:, None]
    return rows[:, :, low] + (rows[:, :, low + 1] - rows[:, :, low]) * weight


class _Pose:
    """Position, size, rotation and stretch of the figures of a chunk, up to ``offset``, ``radius`` and ``tilt``."""

    def __init__(self, rng, offset, radius, tilt):
        self.x, self.y = (_uniform(rng, -offset, offset) for _ in range(2))
        self.radius = _uniform(rng, *radius)
        # Half-angle formulas: cosine and sine from operations that are rounded the same on every machine.
        t = _uniform(rng, -tilt, tilt)
        cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
        across = np.where(_uniform(rng, -1, 1) < 0, np.float32(-1), np.float32(1)) / self.radius
        along = _uniform(rng, *FIGURE_ASPECT) / self.radius
        self.to_figure = cos * across, sin * across, -sin * along, cos * along

    def distance(self, labels, move_x=0, move_y=0):
        """Signed distance in pixels (CHUNK, 32, 32) to the outline of each picture's figure, negative inside."""
        cells = np.float32(TABLE_SIZE / (2 * TABLE_REACH))
        middle = np.float32(TABLE_SIZE / 2)
        dx = (_AXIS - (self.x + move_x)) * cells
        dy = (_AXIS[:, None] - (self.y + move_y)) * cells
        u_x, u_y, v_x, v_y = self.to_figure
        column = np.clip((dx * u_x + middle) + dy * u_y, 0, TABLE_SIZE - 1)
        row = np.clip((dx * v_x + middle) + dy * v_y, 0, TABLE_SIZE - 1)
        cell = row.astype(np.int32)
        cell *= np.int32(TABLE_SIZE)
        cell += column.astype(np.int32)
        cell += labels.reshape(-1, 1, 1).astype(np.int32) * np.int32(TABLE_SIZE**2)
        return _distance_tables().take(cell) * self.radius


def _coverage(distance, softness):
    """The fraction of each pixel that lies inside an outline ``softness`` pixels wide."""
    return np.clip(0.5 - distance / softness, 0, 1)


def _blend(picture, coverage, colour):
    """Paint ``colour`` over the picture, in place."""
    picture += coverage * (colour - picture)


@lru_cache(maxsize=1)
def _distance_tables():
    """Signed distances of the ten figures, float32 (10 * TABLE_SIZE**2,), rows from the top."""
    centres = (np.arange(TABLE_SIZE) + 0.5) * (2 * TABLE_REACH / TABLE_SIZE) - TABLE_REACH
    x, y = centres[None, :], -centres[:, None]
    return np.concatenate([_FIGURES[name](x, y).ravel() for name in CLASS_NAMES]).astype(np.float32)


def _hypot(x, y):
    return np.sqrt(x * x + y * y)


def _circle(x, y):
    return _hypot(x, y) - 0.88


def _ring(x, y):
    return np.abs(_hypot(x, y) - 0.72) - 0.22


def _crescent(x, y):
    return np.maximum(_hypot(x + 0.15, y) - 0.95, 0.78 - _hypot(x - 0.33, y))


def _heart(x, y):
    # The right half: a square standing on its corner at the origin, with a half disc on its upper right side.
    x, y = np.abs(x) / 1.6, (y + 0.88) / 1.6
    disc = _hypot(x - 0.25, y - 0.75) - np.sqrt(0.125)
    diagonal = 0.5 * np.maximum(x + y, 0)
    side = np.minimum(_hypot(x, y - 1), _hypot(x - diagonal, y - diagonal)) * np.where(x > y, 1, -1)
    return 1.6 * np.where(x + y > 1, disc, side)


def _polygon(*corners):
    """Signed distance to the polygon with the given corners."""

    def distance(x, y):
        nearest, inside = np.inf, np.zeros(np.broadcast(x, y).shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            along_x, along_y = x1 - x0, y1 - y0
            from_x, from_y = x - x0, y - y0
            t = np.clip((from_x * along_x + from_y * along_y) / (along_x * along_x + along_y * along_y), 0, 1)
            nearest = np.minimum(nearest, _hypot(from_x - t * along_x, from_y - t * along_y))
            # A ray to the right crosses the outline an odd number of times from inside.
            left_of_edge = from_x * along_y < from_y * along_x
            inside ^= ((y0 > y) != (y1 > y)) & (left_of_edge == (along_y > 0))
        return np.where(inside, -nearest, nearest)

    return distance


_CROSS = (
    (-0.3, 0.95), (0.3, 0.95), (0.3, 0.3), (0.95, 0.3), (0.95, -0.3), (0.3, -0.3),
    (0.3, -0.95), (-0.3, -0.95), (-0.3, -0.3), (-0.95, -0.3), (-0.95, 0.3), (-0.3, 0.3),
)  # fmt: skip
_STAR = (
    (0.0, 1.1), (-0.259, 0.356), (-1.046, 0.34), (-0.418, -0.136), (-0.647, -0.89),
    (0.0, -0.44), (0.647, -0.89), (0.418, -0.136), (1.046, 0.34), (0.259, 0.356),
)  # fmt: skip

_FIGURES = {
    "arrow": _polygon((1.0, 0.0), (0.1, 0.85), (0.1, 0.33), (-0.95, 0.33), (-0.95, -0.33), (0.1, -0.33), (0.1, -0.85)),
    "bolt": _polygon((0.25, 1.05), (-0.6, -0.15), (-0.08, -0.15), (-0.3, -1.05), (0.6, 0.25), (0.06, 0.25)),
    "circle": _circle,
    "crescent": _crescent,
    "cross": _polygon(*_CROSS),
    "heart": _heart,
    "ring": _ring,
    "square": _polygon((-0.78, 0.78), (0.78, 0.78), (0.78, -0.78), (-0.78, -0.78)),
    "star": _polygon(*_STAR),
    "triangle": _polygon((0.0, 0.95), (-0.95, -0.75), (0.95, -0.75)),
}
