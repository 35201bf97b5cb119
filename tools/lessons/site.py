"""The course as a site that needs no network: the executed lessons, by Sphinx, MyST-NB and the Sphinx Book Theme.

By hand is only what these leave open: claims get a colour, figures their descriptions (MyST-NB has one for a cell, not
for a figure), files that a lesson links to a place, and there is an index.
"""

import base64
import hashlib
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

__all__ = ["TITLE", "build", "mathjax", "pictured"]

TITLE = "Understanding how neural networks are trained"
SOURCES = "code"  # where the pages of shown code are
SIGNS = {"✓": "holds", "✗": "failed", "☐": "pending"}
SETTINGS = {
    "project": TITLE,
    "author": "the workbook's authors",
    "html_title": TITLE,
    "extensions": ["myst_nb", "sphinx.ext.githubpages"],
    "nb_execution_mode": "off",
    "nb_merge_streams": True,
    "nb_code_prompt_show": "Set-up",  # the only cells that are folded
    "nb_code_prompt_hide": "Set-up",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_heading_anchors": 4,
    "myst_heading_slug_func": "tools.lessons.site.anchor",
    "mathjax_path": "mathjax.js",
    "mathjax3_config": {"options": {"enableMenu": False}},  # with a menu each formula would be a stop of the Tab key
    "html_theme": "sphinx_book_theme",
    "html_theme_options": {
        "show_toc_level": 2,
        "use_download_button": False,
        "use_fullscreen_button": False,
        "navbar_persistent": [],
    },
    "html_static_path": ["_static"],
    "html_css_files": ["lessons.css"],
    "html_js_files": ["lessons.js"],
    "html_copy_source": False,
    "html_use_index": False,
    "html_permalinks": False,
    "html_last_updated_fmt": "",
}

CSS = """
img.figure { display: block; max-width: 100%; height: auto; margin: 0.5rem 0; padding: 0.25rem;
  background: white !important; }
html[data-theme="dark"] .bd-content img.figure { filter: none; }
.bd-content .cell_output .text_html { background: none !important; padding: 0 !important; }
.bd-article code, .bd-article code .pre { white-space: normal; overflow-wrap: anywhere; }
.bd-article pre code, .bd-article pre { white-space: pre; font-size: 0.78rem; }
.bd-article h1 { overflow-wrap: anywhere; }
.prev-next-area a { min-width: 0; max-width: 48% !important; }
.prev-next-area a p { white-space: normal; overflow-wrap: anywhere; }
.search-button-field { color: var(--pst-color-text-base) !important; }
pre.claims { margin: 0; padding: 0.6rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.claims .holds { border-left: 3px solid #0072b2; padding-left: 0.5rem; display: inline-block; }
pre.claims .failed { border-left: 3px solid #d55e00; padding-left: 0.5rem; display: inline-block; font-weight: 600; }
pre.claims .pending { border-left: 3px solid #8a949e; padding-left: 0.5rem; display: inline-block; }
.cell_output div.highlight { border-left: 3px solid #0072b2; }
details:not(.hide) { margin: 1rem 0; padding: 0.5rem 1rem; border: 1px solid var(--pst-color-border); }
details:not(.hide) > summary { cursor: pointer; font-weight: 600; }
.facts { color: var(--pst-color-text-muted); font-size: 0.9rem; }
.course > a { display: block; margin: 1.25rem 0; padding: 1rem; border: 1px solid var(--pst-color-border);
  border-radius: 8px; color: inherit; text-decoration: none; }
.course > a:hover { border-color: var(--pst-color-primary); }
.course .name { display: block; font-weight: 600; font-size: 1.1rem; color: var(--pst-color-link); }
.course img.figure { width: 100%; max-height: 16rem; object-fit: contain; border-radius: 4px; }
.course .facts { margin-top: 0.5rem; display: block; }
@media print {
  pre, div.highlight, div[class*="highlight-"] { display: block !important; overflow: visible !important;
    break-inside: auto !important; }
  pre { white-space: pre-wrap !important; overflow-wrap: anywhere; font-size: 0.75rem; }
  img, table, mjx-container[display] { break-inside: avoid; }
}
"""

# On paper an answer cannot be opened. Keys scroll a formula that is wider than the screen if they can reach it.
JAVASCRIPT = """
window.addEventListener("beforeprint", () => {
  for (const answer of document.querySelectorAll("details:not(.hide)")) answer.open = true;
});
window.addEventListener("load", () => window.MathJax?.startup?.promise.then(() => {
  for (const formula of document.querySelectorAll("mjx-container[display]"))
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
}));
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
        names = {lesson.name for _, lesson, _ in lessons}
        for notebook, lesson, home in lessons:
            nbformat.write(page(notebook, lesson, home, static, names), source / f"{lesson.name}.ipynb")
        (source / "index.md").write_text(index(lessons, static, where), encoding="utf-8")
        command = [sys.executable, "-m", "sphinx", "--quiet", "--no-color", "--builder", "html", source, target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
        for name in ("_static", "_images"):
            shutil.rmtree(output / name, ignore_errors=True)
        if target.is_dir():
            ignored = shutil.ignore_patterns(".doctrees", ".buildinfo", "_sources")
            shutil.copytree(target, output, ignore=ignored, dirs_exist_ok=True)
    return [line.replace(f"{source}/", "") for line in done.stderr.splitlines() if line.strip()]


def page(notebook, lesson, home, static, names):
    """A lesson as its page shows it."""
    notebook = nbformat.from_dict(notebook)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    questions = 0

    def numbered(match):
        nonlocal questions
        questions += 1
        return f'<details id="question-{questions}"'

    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.source = re.sub("<details\\b", numbered, with_files(cell.source, home, static, names))
            continue
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        cell.outputs = [
            with_pages(pictured(coloured(output), in_folder(static)), home, static) for output in cell.outputs
        ]
    link = f'<p class="facts">Executed {lesson.date}: {html.escape(lesson.verdict)}. '
    link += f'<a href="{lesson.name}.ipynb" download>The executed notebook</a></p>'
    if questions:
        links = (f'<a href="#question-{number}">{number}</a>' for number in range(1, questions + 1))
        link += f'\n<p class="facts">Questions with answers: {" ".join(links)}</p>'
    title = next((i for i, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"), -1)
    if title >= 0:  # its contents stand at the side of the page
        contents = r"^\d+\. \[.*\]\(#.*\)\n?"
        notebook.cells[title].source = re.sub(contents, "", notebook.cells[title].source, flags=re.MULTILINE)
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


def pictured(output, address):
    """A figure as an image with its description; ``address`` returns where a page finds the bytes of a PNG."""
    data = output.get("data", {})
    if "image/png" not in data:
        return output
    about = output.metadata.get("image/png", {})
    attributes = {"src": address(base64.b64decode(data["image/png"])), "alt": "", **about, "class": "figure"}
    image = " ".join(f'{key}="{html.escape(str(value))}"' for key, value in attributes.items())
    image = f'<img {image} style="max-width: 100%; height: auto">'
    return new_output("display_data", {"text/html": image, "text/plain": about.get("alt", "")})


def in_folder(static):
    """Puts pictures into a folder, as :func:`pictured` asks for it."""

    def address(picture):
        name = f"{hashlib.sha256(picture).hexdigest()[:16]}.png"
        (static / name).write_bytes(picture)
        return f"_static/{name}"

    return address


def with_pages(output, home, static):
    """An output whose links to code of the workbook lead to pages that show it."""
    text = output.get("data", {}).get("text/markdown")
    if not text:
        return output

    def shown(match):
        path = (home / match[1]).resolve()
        if not path.is_relative_to(ROOT) or not path.is_file():
            return match[0]
        name = path.relative_to(ROOT).as_posix()
        page = static.parent / SOURCES / f"{name.replace('/', '.')}.md"
        page.parent.mkdir(exist_ok=True)
        code = path.read_text(encoding="utf-8")
        page.write_text(f"---\norphan: true\n---\n# {name}\n\n``````python\n{code}\n``````\n", encoding="utf-8")
        return f"]({SOURCES}/{page.stem}.html)"

    output.data["text/markdown"] = re.sub(r"\]\(([^)#: ]+\.py)\)", shown, text)
    return output


def with_files(text, home, static, names):
    """Text whose pictures and links to files of the workbook lead to copies of them, and to no lesson but these."""

    def copied(match):
        path = (home / match[2]).resolve()
        if not path.is_file() or path.suffix == ".ipynb":
            return match[0]
        shutil.copyfile(path, static / path.name)
        return f"{match[1]}_static/{path.name}{match[3]}"

    text = re.sub(r"\[([^]]*)\]\((\w+)\.ipynb\)", lambda link: link[0] if link[2] in names else link[1], text)
    return re.sub(r"""(\]\(|<img\b[^>]*\bsrc=["'])([^)"'#: ]+)([)"'])""", copied, text)


def index(lessons, static, where):
    """The page that one would send to a friend, in Markdown."""
    cards = []
    for notebook, lesson, _ in lessons:
        cards.append(
            f'<a href="{lesson.name}.html"><span class="name">{html.escape(lesson.title)}</span>'
            f"{cover(notebook, static)}<span>{html.escape(summary(notebook))}"
            f'<span class="facts">{html.escape(lesson.verdict)}</span></span></a>'
        )
    holding = sum(lesson.holding for _, lesson, _ in lessons)
    claims = sum(lesson.holding + lesson.failing + lesson.pending for _, lesson, _ in lessons)
    date = time.strftime("%Y-%m-%d")
    return "\n".join(
        [
            f"# {TITLE}\n",
            "From a single layer to a residual net: lessons that explain an idea, show the NumPy code that does it,",
            "prove that code right against numerical gradients and PyTorch, and let you watch it work. Each line that",
            "begins with ✓ is a claim that was checked when the lesson ran. The course follows Assignment 2 (Spring",
            "2021) of Stanford's [CS231n](https://cs231n.stanford.edu/).\n",
            '<div class="course">',
            *cards,
            "</div>\n",
            f'<p class="facts">Executed {date} on {html.escape(where)}: {holding} of {claims} claims hold.</p>\n',
            "```{toctree}\n:hidden:\n",
            *(lesson.name for _, lesson, _ in lessons),
            "```\n",
        ]
    )


def cover(notebook, static):
    """The picture that stands for a lesson: that of the cell tagged "cover", else its first."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: "cover" not in cell.metadata.get("tags", []))
    outputs = (output for cell in cells for output in cell.outputs)
    picture = next((output for output in outputs if "image/png" in output.get("data", {})), None)
    return pictured(picture, in_folder(static)).data["text/html"] if picture else ""


def summary(notebook):
    """The first paragraph of a lesson, after its title and its place in the course."""
    texts = (text for cell in notebook.cells if cell.cell_type == "markdown" for text in cell.source.split("\n\n"))
    text = next((text for text in texts if text and text[0] not in "#*"), "")
    return re.sub(r"[*_`$]", "", text).replace("\n", " ")
