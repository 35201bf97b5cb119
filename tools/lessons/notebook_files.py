"""Read notebooks as JupyterLab, VS Code, Colab and text editors leave them."""

import json
import warnings

import nbformat

__all__ = ["NotebookError", "read_notebook"]


WIDGET = "application/vnd.jupyter.widget-view+json"


class NotebookError(ValueError):
    """A file that holds no notebook; the message says in one line why."""


def read_notebook(path):
    """Read a notebook of any version, and put right what does not matter.

    These are a byte-order mark, cells and outputs without their empty parts, and ids that are missing or doubled.
    Widgets, whose state some front ends store by halves, are left out; what they show as text stays.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NotebookNode
        Of version 4.5.

    Raises
    ------
    NotebookError
        The file holds no notebook.
    OSError
        The file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if not text.strip():
            raise NotebookError("empty file, not a notebook")
        content = json.loads(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbformat's, of what is put right here
            if isinstance(content, dict) and content.get("nbformat") == 4:
                _complete(content)
            notebook = nbformat.reads(json.dumps(content), as_version=4)
            notebook.nbformat_minor = max(5, notebook.nbformat_minor)
            _, notebook = nbformat.validator.normalize(notebook)
            nbformat.validate(notebook)
    except NotebookError:
        raise
    except UnicodeDecodeError:
        raise NotebookError("damaged, not a notebook (it is not UTF-8 text)") from None
    except json.JSONDecodeError as error:
        raise NotebookError(f"damaged, not a notebook (line {error.lineno}: {error.msg})") from None
    except Exception as error:  # whatever nbformat makes of other JSON
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise NotebookError(f"damaged, not a notebook ({reason[:100]})") from None
    return notebook


def _complete(content):
    """Add the empty parts that the format asks for, and leave out widgets."""
    content.setdefault("metadata", {}).pop("widgets", None)
    content.setdefault("nbformat_minor", 5)
    for cell in content["cells"]:
        cell.setdefault("metadata", {})
        cell.setdefault("source", "")
        if cell["cell_type"] == "code":
            cell.setdefault("execution_count", None)
            for output in cell.setdefault("outputs", []):
                if output["output_type"] in ("display_data", "execute_result"):
                    output.setdefault("data", {}).pop(WIDGET, None)
                    output.setdefault("metadata", {})
                if output["output_type"] == "execute_result":
                    output.setdefault("execution_count", cell["execution_count"])
            cell["outputs"] = [output for output in cell["outputs"] if output.get("data") != {}]
