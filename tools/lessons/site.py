"""The course as a site that needs no network: the executed lessons, by Sphinx, MyST-NB and the Sphinx Book Theme.

By hand is only what these leave open: claims get a colour, the set-up cell is folded, and there is an index.
"""

import base64
import html
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell, new_output

from tools.course.exercises import ROOT

__all__ = ["TITLE", "build", "mathjax"]

TITLE = "Understanding how neural networks are trained"
SIGNS = {"✓": "holds", "✗": "failed", "☐": "pending"}
SETTINGS = {
    "project": TITLE,
    "html_title": TITLE,
    "extensions": ["myst_nb"],
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "nb_code_prompt_show": "Set-up",  # the only cells that are folded
    "nb_code_prompt_hide": "Set-up",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_heading_anchors": 4,
    "myst_heading_slug_func": "tools.lessons.site.anchor",
    "mathjax_path": "mathjax.js",
    "html_theme": "sphinx_book_theme",
    "html_theme_options": {"show_toc_level": 2, "use_download_button": False, "use_fullscreen_button": False},
    "html_static_path": ["_static"],
    "html_css_files": ["lessons.css"],
    "html_js_files": ["lessons.js"],
    "html_copy_source": False,
    "html_use_index": False,
    "html_last_updated_fmt": "",
}

CSS = """
pre.claims { margin: 0; padding: 0.6rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.claims .holds { border-left: 3px solid #0072b2; padding-left: 0.5rem; display: inline-block; }
pre.claims .failed { border-left: 3px solid #d55e00; padding-left: 0.5rem; display: inline-block; font-weight: 600; }
pre.claims .pending { border-left: 3px solid #8a949e; padding-left: 0.5rem; display: inline-block; }
.cell_output div.highlight { border-left: 3px solid #0072b2; }
details:not(.hide) { margin: 1rem 0; padding: 0.5rem 1rem; border: 1px solid var(--pst-color-border); }
details:not(.hide) > summary { cursor: pointer; font-weight: 600; }
.facts { color: var(--pst-color-text-muted); font-size: 0.9rem; }
.course { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.25rem; margin: 1.5rem 0; }
.course > a { display: block; padding: 1rem; border: 1px solid var(--pst-color-border); border-radius: 8px;
  color: inherit; text-decoration: none; }
.course > a:hover { border-color: var(--pst-color-primary); }
.course .name { font-weight: 600; font-size: 1.1rem; color: var(--pst-color-link); }
.course img { width: 100%; height: 9rem; object-fit: contain; background: white; border-radius: 4px; margin: 0.5rem 0; }
@media print { div.highlight pre, pre { white-space: pre-wrap !important; overflow-wrap: anywhere; } }
"""

# On paper an answer cannot be opened.
JAVASCRIPT = """
window.addEventListener("beforeprint", () => {
  for (const answer of document.querySelectorAll("details:not(.hide)")) answer.open = true;
});
"""


def anchor(heading):
    """What Jupyter makes of a heading in a link: ``#1.-The-data``."""
    return heading.replace(" ", "-")


def mathjax():
    """MathJax 3 as one file, which draws formulas without fonts of its own."""
    files = importlib.metadata.files("sphinx-mathjax-offline")
    return next(file.locate() for file in files if file.name == "tex-svg-full.js")


def build(lessons, output, where):
    """Write the site.

    Parameters
    ----------
    lessons : list of (NotebookNode, Lesson, Path)
        Executed notebooks, what came of them, and the folders in which they stand.
    output : Path
    where : str
        The data that the lessons worked on.

    Returns
    -------
    complaints : list of str
        What Sphinx could not make sense of.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        static = source / "_static"
        static.mkdir(parents=True)
        shutil.copyfile(mathjax(), static / "mathjax.js")
        (static / "lessons.css").write_text(CSS, encoding="utf-8")
        (static / "lessons.js").write_text(JAVASCRIPT, encoding="utf-8")
        (source / "conf.py").write_text(f"globals().update({SETTINGS!r})\n", encoding="utf-8")
        for notebook, lesson, home in lessons:
            nbformat.write(page(notebook, lesson, home, static), source / f"{lesson.name}.ipynb")
        (source / "index.md").write_text(index(lessons, static, where), encoding="utf-8")
        command = [sys.executable, "-m", "sphinx", "--quiet", "--no-color", "--builder", "html", source, target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
        for name in ("_static", "_images"):
            shutil.rmtree(output / name, ignore_errors=True)
        if target.is_dir():
            ignored = shutil.ignore_patterns(".doctrees", ".buildinfo", "_sources")
            shutil.copytree(target, output, ignore=ignored, dirs_exist_ok=True)
    return [line.replace(f"{source}/", "") for line in done.stderr.splitlines() if line.strip()]


def page(notebook, lesson, home, static):
    """A lesson as its page shows it."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.source = with_files(cell.source, home, static)
            continue
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        cell.outputs = [coloured(output) for output in cell.outputs]
    link = f'<p class="facts">Executed {lesson.date}: {html.escape(lesson.verdict)}. '
    link += f'<a href="{lesson.name}.ipynb" download>The executed notebook</a></p>'
    title = next((i for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"), -1)
    notebook.cells.insert(title + 1, new_markdown_cell(link))
    return notebook


def coloured(output):
    """A text output with a mark at each line that is a claim."""
    text = output.get("text") if output.output_type == "stream" else None
    if not text or output.name != "stdout" or not re.search("^[✓✗☐] ", text, re.MULTILINE):
        return output
    lines = []
    for line in text.rstrip("\n").split("\n"):
        kind = SIGNS.get(line[:1]) if line[1:2] == " " else None
        lines.append(f'<span class="{kind}">{html.escape(line)}</span>' if kind else html.escape(line))
    body = "\n".join(lines)
    return new_output("display_data", {"text/html": f'<pre class="claims">{body}</pre>', "text/plain": text})


def with_files(text, home, static):
    """Text whose pictures and links to files of the workbook lead to copies of them in the site."""

    def copied(match):
        path = (home / match[2]).resolve()
        if not path.is_file() or path.suffix == ".ipynb":
            return match[0]
        shutil.copyfile(path, static / path.name)
        return f"{match[1]}_static/{path.name}{match[3]}"

    return re.sub(r"""(\]\(|<img\b[^>]*\bsrc=["'])([^)"'#: ]+)([)"'])""", copied, text)


def index(lessons, static, where):
    """The page that one would send to a friend, in Markdown."""
    cards = []
    for notebook, lesson, _ in lessons:
        picture = cover(notebook)
        image = ""
        if picture:
            (static / f"{lesson.name}.png").write_bytes(picture)
            image = f'<img src="_static/{lesson.name}.png" alt="A picture from the lesson">'
        cards.append(
            f'<a href="{lesson.name}.html"><span class="name">{html.escape(lesson.title)}</span>{image}'
            f"<span>{html.escape(summary(notebook))}</span>"
            f'<br><span class="facts">{html.escape(lesson.verdict)}</span></a>'
        )
    holding = sum(lesson.holding for _, lesson, _ in lessons)
    claims = sum(lesson.holding + lesson.failing + lesson.pending for _, lesson, _ in lessons)
    date = time.strftime("%Y-%m-%d")
    return "\n".join(
        [
            f"# {TITLE}\n",
            "Lessons that explain an idea, show the NumPy code that does it, prove that code right, and let you watch",
            "it work. Each line that begins with ✓ is a claim that was checked when the lesson ran.\n",
            '<div class="course">',
            *cards,
            "</div>\n",
            f'<p class="facts">Executed {date} on {html.escape(where)}: {holding} of {claims} claims hold.</p>\n',
            "```{toctree}\n:hidden:\n",
            *(lesson.name for _, lesson, _ in lessons),
            "```\n",
        ]
    )


def cover(notebook):
    """The picture that stands for a lesson: that of the cell tagged "cover", else its first."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: "cover" not in cell.metadata.get("tags", []))
    outputs = (output.get("data", {}) for cell in cells for output in cell.outputs)
    return base64.b64decode(next((data["image/png"] for data in outputs if "image/png" in data), ""))


def summary(notebook):
    """The first sentence of a lesson."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^#.*$", "", cell.source, flags=re.MULTILINE).strip().split("\n\n")[0]
            return re.split(r"(?<=[.:?]) ", re.sub(r"[*_`$]", "", text).replace("\n", " "))[0]
    return ""
