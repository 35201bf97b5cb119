"""The lessons one after another in one document: a page that needs no other file, or a PDF that a browser prints."""

import base64
import functools
import html
import mimetypes
import os
import re
import shutil
import subprocess
import tempfile
from urllib.parse import unquote

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbformat.v4 import new_notebook

from tools.course import children
from tools.lessons.run_lessons import title_of
from tools.lessons.site import TITLE, mathjax, pictured

CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
CHROMIUM_PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    *(
        rf"{os.environ[home]}\{program}"
        for home in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        if home in os.environ
        for program in (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
    ),
]
# Five lessons are printed in half a minute; a browser that needs ten times as long is stuck.
CHROMIUM_SECONDS = 300

BOOK = """
{%- extends "lab/index.html.j2" -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}
<script>
MathJax = {tex: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]], processEscapes: true}, options: {enableMenu: false}};
</script>
<script>{{ resources.mathjax }}</script>
{%- endblock -%}
{%- block html_head_css -%}
<style>
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
details { margin: 1em 0; }
.jp-RenderedMarkdown .highlight pre { font-family: var(--jp-code-font-family); font-size: var(--jp-code-font-size);
  line-height: var(--jp-code-line-height); margin: 0.5em; padding-left: 0.75em; border-left: 3px solid #0072b2; }
pre { white-space: pre-wrap !important; word-break: normal !important; overflow-wrap: anywhere; }
.jp-RenderedMarkdown .highlight { background: none; }
nav.contents { font-family: var(--jp-content-font-family); line-height: 1.5; }
nav.contents h1 { margin: 0 0 1.5rem; }
nav.contents ol { list-style: none; margin: 0 0 .9em; padding: 0; }
nav.contents ol ol { margin: .1em 0 1em 1.5em; }
nav.contents > ol > li > a { font-weight: 600; }
nav.contents a { display: flex; color: inherit; text-decoration: none; }
nav.contents .dots { flex: 1; margin: 0 .5em .35em; border-bottom: 1px dotted #9aa5b1; }
nav.contents .page { min-width: 2em; text-align: right; }
section.lesson { margin-top: 4rem; }
@page { size: A4; margin: 18mm 15mm; @bottom-center { content: counter(page); font: 9px sans-serif; color: #56636f; } }
@page contents { @bottom-center { content: none; } }
nav.contents { page: contents; }
{% for lesson in resources.lessons -%}
@page {{ lesson.name }} { @top-left { content: "{{ lesson.name }}"; font: 9px sans-serif; color: #56636f; } }
#{{ lesson.name }} { page: {{ lesson.name }}; }
{% endfor %}
@media print {
  body { --jp-content-font-size1: 12px; --jp-code-font-size: 10px; --jp-cell-prompt-width: 40px; padding: 0; }
  main { max-width: none; padding: 0; }
  nav.contents { font-size: 12px; }
  section.lesson { margin: 0; break-before: page; }
  .jp-Cell { padding-left: 0; padding-right: 0; }
  .jp-InputPrompt, .jp-OutputPrompt { font-size: 8px; padding: 5px 4px 0 0; }
  h1, h2, h3, h4, summary { break-after: avoid; }
  p, pre { orphans: 3; widows: 3; }
  img, svg, table, .jp-RenderedImage, mjx-container[display] { break-inside: avoid; }
}
</style>
{%- endblock -%}
{%- block body_header -%}
<body class="jp-Notebook" data-jp-theme-light="true" data-jp-theme-name="JupyterLab Light">
<main>
{%- endblock -%}
{%- macro entry(id, title) -%}
<a href="#{{ id }}">{{ title }}<span class="dots"></span><span class="page">{{ resources.pages[id] }}</span></a>
{%- endmacro -%}
{%- block body_loop -%}
<nav class="contents">
<h1>{{ resources.metadata.name }}</h1>
<ol>
{% for lesson in resources.lessons -%}
<li>{{ entry(lesson.name, lesson.title | e) }}
<ol>
{% for id, title in lesson.sections.items() -%}
<li>{{ entry(id, title) }}</li>
{% endfor -%}
</ol>
</li>
{% endfor -%}
</ol>
</nav>
{% for lesson in resources.lessons -%}
<section class="lesson" id="{{ lesson.name }}">
{{ lesson.body }}
</section>
{% endfor %}
{%- endblock -%}
"""


class BookError(Exception):
    """Why there is no document, in one line."""


def embed_pictures(body, folder):
    """Put pictures that a lesson's text refers to by a path into the page itself."""

    def embedded(match):
        path = folder / unquote(html.unescape(match[2]))
        if not path.is_file():
            return match[0]
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return f'{match[1]}"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"'

    return re.sub(r"""(<img\b[^>]*?\bsrc=)["'](?!data:|\w+://)([^"']+)["']""", embedded, body)


def embedded_png(picture):
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


@functools.cache
def chapter_exporter():
    """Most of a chapter's time would go into reading the templates."""
    return HTMLExporter(template_file="lab/base.html.j2")


def chapter(path, notebook):
    """A lesson's part of the page.

    Answers are unfolded. Its headings, and links to them, carry the lesson's name, since other lessons have the same;
    links to other lessons lead to their parts.

    Parameters
    ----------
    path : Path
    notebook : NotebookNode

    Returns
    -------
    chapter : dict
        ``name``, ``title`` and ``body``; ``sections`` gives the sections' titles by their ids.
    """
    name = path.stem
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [pictured(output, embedded_png) for output in cell.outputs]
    body, _ = chapter_exporter().from_notebook_node(notebook, {"metadata": {"name": name, "path": str(path.parent)}})
    body = re.sub(r"(<h[1-6]\b[^>]*?\bid=\"|<a\b[^>]*?\bhref=\"#)", rf"\g<1>{name}-", body)
    body = re.sub(r"<details\b(?![^>]*\bopen\b)", "<details open", body)
    body = re.sub(r'(<a\b[^>]*?\bhref=")(\w+)\.ipynb"', r'\1#\2"', body)
    sections = {}

    def numbered(match):
        sections[f"{name}.{len(sections) + 1}"] = re.sub(r"<a class=\"anchor-link\".*?</a>", "", match[2])
        return f'{match[1]}<span id="{name}.{len(sections)}"></span>{match[2]}</h2>'

    body = re.sub(r"(<h2\b[^>]*>)(.*?)</h2>", numbered, body, flags=re.DOTALL)
    return {
        "name": name,
        "title": title_of(notebook, name),
        "body": embed_pictures(body, path.parent),
        "sections": sections,
    }


def page_of(chapters, pages):
    """All lessons as one page of HTML.

    Parameters
    ----------
    chapters : list
        From :func:`chapter`.
    pages : dict
        The page each lesson and section stands on, by id, for the contents; may be empty.
    """
    exporter = HTMLExporter(extra_loaders=[DictLoader({"book.html.j2": BOOK})], template_file="book.html.j2")
    page, _ = exporter.from_notebook_node(
        new_notebook(),
        {
            "metadata": {"name": TITLE, "path": ""},
            "lessons": chapters,
            "pages": pages,
            "mathjax": mathjax().read_text("utf-8").replace("</script", r"<\/script"),
        },
    )
    return page


def write_page(lessons, path):
    """Write all lessons as one HTML file that needs no other file and no network.

    Parameters
    ----------
    lessons : dict from Path to NotebookNode
    path : Path
    """
    path.write_text(page_of([chapter(*lesson) for lesson in lessons.items()], {}), encoding="utf-8")


def find_chromium():
    """Chromium, Chrome or Edge where one is installed, else None."""
    return next(filter(None, map(shutil.which, [*CHROMIUM_NAMES, *CHROMIUM_PLACES])), None)


def print_page(chromium, page, pdf):
    """Have Chromium print a page.

    Raises
    ------
    BookError
        If Chromium fails, or is not done after ``CHROMIUM_SECONDS``.
    """
    pdf.unlink(missing_ok=True)
    # Chromium does not start as root with its sandbox. What it opens is the reader's own work.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, tempfile.TemporaryFile() as log:
        # Virtual time runs until scripts are idle: the formulas are drawn before the page is printed.
        command = [
            chromium,
            "--headless",
            *as_root,
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={profile}",
            "--virtual-time-budget=30000",
            "--no-pdf-header-footer",
            f"--print-to-pdf={pdf}",
            page.as_uri(),
        ]
        try:
            status = children.run(command, CHROMIUM_SECONDS, stdout=log, stderr=log)
        except subprocess.TimeoutExpired:
            raise BookError(f"{chromium} was not done after {CHROMIUM_SECONDS} s") from None
        if status or not pdf.is_file() or not pdf.read_bytes().startswith(b"%PDF"):
            log.seek(0)
            said = log.read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
            raise BookError(f"{chromium} did not print (exit status {status}: {last[:200]})")


def pages_of(pdf):
    """How many pages a PDF of Chromium's has, and on which one each target of a link stands.

    Parameters
    ----------
    pdf : bytes

    Returns
    -------
    count : int
    pages : dict from str to int
    """
    leaves = re.findall(rb"(\d+) 0 obj\s*<</Type /Page\b(?!s)", pdf)
    kids = [kid for kids in re.findall(rb"/Kids \[([^]]*)\]", pdf) for kid in re.findall(rb"(\d+) 0 R", kids)]
    order = {kid: number for number, kid in enumerate((kid for kid in kids if kid in set(leaves)), 1)}
    targets = re.findall(rb"/([\w.]+) \[(\d+) 0 R /XYZ", pdf)
    return len(leaves), {name.decode(): order[page] for name, page in targets if page in order}


def write_pdf(chromium, lessons, pdf):
    """Print all lessons; twice, since the contents can be numbered only when the pages are known.

    Parameters
    ----------
    chromium : str
        From :func:`find_chromium`.
    lessons : dict from Path to NotebookNode
    pdf : Path
        The page is laid beside it for the while: a confined Chromium reads no hidden or temporary folders.
    """
    chapters = [chapter(*lesson) for lesson in lessons.items()]
    page = pdf.with_suffix(".html")
    pages = {}
    for _ in range(2):
        page.write_text(page_of(chapters, pages), encoding="utf-8")
        print_page(chromium, page, pdf)
        _, pages = pages_of(pdf.read_bytes())
    page.unlink()
