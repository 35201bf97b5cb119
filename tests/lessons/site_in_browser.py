"""The site of the lessons in a browser: for everyone, on a phone, offline, printed; part of ``make nightly``."""

import itertools
from pathlib import Path

import axe_playwright_python
import pytest

from tools.course.exercises import COURSE
from tools.lessons import run_lessons, site
from tools.lessons.notebook_files import read_notebook

AXE = (Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text(encoding="utf-8")
PAGES = ["index", *COURSE, "code/cs231n.layers.dropout.py"]
PHONE = 390  # pixels

# What reaches beyond the right edge, and is not inside of something that scrolls.
CUT_OFF = """() => {
  const scrolls = element => {
    for (let each = element; each && each !== document.body; each = each.parentElement)
      if (["PRE", "TABLE", "MJX-CONTAINER"].includes(each.tagName)
          || ["auto", "scroll"].includes(getComputedStyle(each).overflowX)) return true;
    return false;
  };
  return [...document.querySelectorAll("article *, .prev-next-footer *")]
    .filter(each => each.getBoundingClientRect().width && each.getBoundingClientRect().right > innerWidth + 1)
    .filter(each => !scrolls(each)).map(each => each.outerHTML.slice(0, 200));
}"""
FORMULAS_ARE_DRAWN = "() => !window.MathJax || MathJax.startup.promise.then(() => true)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site of the lessons as they are stored."""
    output = tmp_path_factory.mktemp("site")
    lessons = []
    for path in run_lessons.find_lessons([]):
        notebook = read_notebook(path)
        lesson = run_lessons.Lesson(path.stem, run_lessons.title_of(notebook, path.stem), cells=0)
        lesson.holding = sum(
            claim.startswith(run_lessons.HOLDS) for cell in notebook.cells for claim in run_lessons.claims_of(cell)
        )
        lessons.append((notebook, lesson, path.parent))
    assert site.build(lessons, output, "Shapes-10") == []
    return output


@pytest.fixture(scope="module")
def page(request, browser, folder):
    """A page of the site, by name, width of the window and scheme, when its formulas are drawn."""
    name, width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.requested = []
    page.on("request", lambda request: page.requested.append(request.url))
    page.goto((folder / f"{name}.html").as_uri())
    page.wait_for_function(FORMULAS_ARE_DRAWN)
    page.wait_for_timeout(500)  # colours fade from light to dark
    yield page
    context.close()


def on(names, widths=(1440,), schemes=("light",)):
    """Run a test on these pages; each is opened once for all tests."""
    combined = list(itertools.product(names, widths, schemes))
    return pytest.mark.parametrize("page", combined, indirect=True, ids=lambda it: "-".join(map(str, it)))


@on(PAGES, (1440, PHONE), ("light", "dark"))
def test_axe_finds_nothing_serious(page):
    page.evaluate(AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in serious] == []


@on(PAGES, (PHONE,))
def test_on_a_phone_nothing_is_cut_off(page):
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE


@on(PAGES)
def test_no_request_leaves_the_page(page):
    assert [url for url in page.requested if not url.startswith(("file:", "data:", "blob:"))] == []


@on(COURSE)
def test_each_figure_of_a_page_has_its_description(page):
    described = page.evaluate("() => [...document.querySelectorAll('article img')].map(image => image.alt)")
    assert described and min(map(len, described)) >= 60


@on(COURSE)
def test_the_first_answer_is_ten_stops_of_the_tab_key_away(page):
    page.evaluate("() => { const main = document.querySelector('article'); main.tabIndex = -1; main.focus() }")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.getAttribute('href')") == "#question-1":
            page.keyboard.press("Enter")
        if page.evaluate("() => Boolean(document.activeElement.closest('details#question-1'))"):
            return
    pytest.fail("not reached")


@on(COURSE)
def test_answers_are_open_in_print(page):
    page.pdf()
    assert page.evaluate("() => [...document.querySelectorAll('details[id^=question]')].every(answer => answer.open)")


def test_the_site_is_below_25_megabytes(folder):
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 25e6
