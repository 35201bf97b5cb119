"""What a notebook needs beyond its subject: a start, claims that are checked, source code, a second opinion."""

import ast
import inspect
import textwrap

import numpy as np

from . import pending, vis_utils
from .arguments import array, require_shape

__all__ = ["autograd", "check", "show_source", "start"]


def start(seed=231):
    """Prepare a lesson: set the plot style and the random seed, and reload the package whenever it is edited.

    Where a function is not written yet, the lesson goes on; see :mod:`cs231n.pending`.

    Parameters
    ----------
    seed : int
        For NumPy's global random state.
    """
    vis_utils.use_style()
    np.random.seed(seed)
    try:
        shell = get_ipython()
    except NameError:
        return
    if "autoreload" not in shell.extension_manager.loaded:
        shell.run_line_magic("load_ext", "autoreload")
    shell.run_line_magic("autoreload", "2")
    pending.install(shell)


def check(claim, value, below=None, above=None, measured=False):
    """Check a claim and print it: ✓ where it holds, ✗ where it does not, with the figures.

    A claim that fails does not stop the lesson. NaN and infinity never pass.

    Parameters
    ----------
    claim : str
        What is claimed, as a sentence.
    value : bool, number or array of numbers
        What was found. Of an array, the element that is worst for the claim is judged and printed. Without a bound
        the value itself is the verdict, and must be a bool.
    below, above : number, optional
        The value must be less than ``below`` and greater than ``above``.
    measured : bool
        The bound is a measurement too, not a fixed threshold, and is printed like one.

    Raises
    ------
    TypeError
        If there is no bound and the value is not a bool, or there are two and ``measured`` is set.

    Examples
    --------
    >>> check("dx matches the numerical gradient", 3.1e-10, below=1e-7)
    ✓ dx matches the numerical gradient: 3.10e-10 < 1e-07
    """
    pending.require_known(value, below, above)
    if below is None and above is None:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"value must be a bool where there is no bound, below or above, got {value!r}")
        print(f"{_mark(value)} {claim}")
        return
    values = array("value", value).astype(np.float64)
    below, above = (None if bound is None else float(bound) for bound in (below, above))
    if measured and None not in (below, above):
        raise TypeError("measured must go with one bound: below or above")
    holds = values.size > 0 and bool(np.isfinite(values).all())
    holds = holds and (below is None or values.max() < below) and (above is None or values.min() > above)
    holds = holds and (not measured or np.isfinite(above if below is None else below))

    bound_text = (lambda bound: f"{_figure(bound)} (measured)") if measured else "{:g}".format
    if below is not None and above is not None:
        figures = f"{above:g} < {_figure(_worst(values, below, above))} < {below:g}"
    elif below is not None:
        figures = f"{_figure(_worst(values, below, above))} < {bound_text(below)}"
    else:
        figures = f"{_figure(_worst(values, below, above))} > {bound_text(above)}"
    print(f"{_mark(holds)} {claim}: {figures}")


def _mark(holds):
    return "✓" if holds else "✗"


def _worst(values, below, above):
    """The element nearest to breaking a bound, or furthest beyond it."""
    if values.size == 0 or np.isnan(values).any():
        return np.nan
    if above is None:
        return values.max()
    if below is None or values.min() - above < below - values.max():
        return values.min()
    return values.max()


def _figure(value):
    """A measured number, always with a point, an exponent or a name, so that it can be told from a count."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.3f}"
    return f"{value:.2e}"


def show_source(*objects):
    """Show the package's own code, below the cell: each function or class, its docstring cut to the summary.

    Parameters
    ----------
    *objects : functions, methods or classes
    """
    from IPython.display import Markdown, display

    code = "\n\n".join(_brief_source(item) for item in objects)
    display(Markdown(f"```python\n{code}\n```"))


def _brief_source(item):
    source = textwrap.dedent(inspect.getsource(item))
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            docstring = node.body[0]
            summary = ast.get_docstring(node).splitlines()[0]
            first, last = docstring.lineno - 1, docstring.end_lineno
            lines[first:last] = [" " * docstring.col_offset + f'"""{summary}"""'] + [None] * (last - first - 1)
    return "\n".join(line for line in lines if line is not None)


def autograd(f, *inputs, dout=None):
    """Value and gradients of a function by PyTorch's automatic differentiation, in float64.

    Parameters
    ----------
    f : callable
        ``f(*tensors)`` returns a tensor.
    *inputs : arrays
        Floating-point arrays become float64 tensors with a gradient; others are passed on as they are.
    dout : array of the shape of f's result, optional
        Upstream gradient; not needed where f returns a single number.

    Returns
    -------
    out : array
    gradients : list of arrays
        One for each floating-point input.
    """
    import torch

    inputs = [np.asarray(value) for value in inputs]
    # PyTorch takes neither negative strides nor another byte order.
    types = [np.float64 if value.dtype.kind == "f" else value.dtype.newbyteorder("=") for value in inputs]
    tensors = [torch.tensor(value.astype(dtype, order="C")) for value, dtype in zip(inputs, types)]
    leaves = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]
    out = f(*tensors)
    if not isinstance(out, torch.Tensor) or not out.requires_grad:
        raise TypeError(f"f must return a tensor that depends on its floating-point inputs, got {type(out).__name__}")
    if dout is None and out.numel() != 1:
        raise ValueError(f"dout must be passed where f returns an array, of its shape {tuple(out.shape)}")
    if dout is not None:
        dout = array("dout", dout)
        require_shape("dout", dout, tuple(out.shape), "that of f's result")
        dout = torch.tensor(dout.astype(np.float64, order="C"))
    out.backward(dout)
    gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return out.detach().numpy(), [gradient.numpy() for gradient in gradients]
