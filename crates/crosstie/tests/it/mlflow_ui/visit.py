"""Opens MLflow's own web client in a real Chromium and looks for everything that was filled in.

Standard input says what to open, as JSON: `chromium` (its program), `url` (where the server is), `made` (what `fill.py`
printed), and maybe `pictures` (a folder for pictures of every page; for people, and for no test). A page must show its
texts, and nothing may go wrong on it: no error on the console, no request that fails or is refused, no words of an error.
Every check is asserted; the last line says how many held.
"""

import json
import pathlib
import sys
from urllib.parse import quote

from playwright.sync_api import sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Far longer than anything takes: only a defect waits this long.
PATIENCE = 60_000
# What the client shows where something went wrong.
WORDS_OF_ERRORS = [
    "Something went wrong",
    "Something's gone wrong",
    "went wrong",
    "An error occurred",
    "error occurred",
    "Page Not Found",
    "Unable to ",
    "Failed to ",
    "failed to load",
    "Loading artifact failed",
    "Can't load",
    "Couldn't load",
    "INTERNAL_ERROR",
    "NOT_IMPLEMENTED",
    "does not have",
    "undefined",
]
HELD = []


def held(what, condition=True):
    assert condition, what
    HELD.append(what)


class Visitor:
    """A browser of its own, which remembers everything that went wrong in it."""

    def __init__(self, browser, asked):
        self.server = asked["url"]
        self.pictures = asked.get("pictures")
        context = browser.new_context(base_url=self.server, viewport={"width": 1600, "height": 1000})
        # The client shows how its features work; nothing of that comes from the server that is tried here.
        context.route(lambda url: not url.startswith(self.server) and url.startswith("http"), lambda route: route.abort())
        self.page = context.new_page()
        self.wrong = []
        self.open_requests = set()
        self.calls = 0
        self.page.on("console", self.heard)
        self.page.on("pageerror", self.threw)
        self.page.on("request", lambda request: self.open_requests.add(request))
        self.page.on("requestfinished", lambda request: self.open_requests.discard(request))
        self.page.on("requestfailed", self.failed)
        self.page.on("response", self.answered)

    def heard(self, message):
        # Charts that are measured again in the next frame; a slow browser says so of any server's.
        if "ResizeObserver loop" in message.text:
            return
        if message.type == "error" and self.server in message.location.get("url", self.server):
            self.wrong.append(f"console: {message.text} {message.location}")

    def threw(self, error):
        if "ResizeObserver loop" not in str(error):
            self.wrong.append(f"error: {error}")

    def failed(self, request):
        self.open_requests.discard(request)
        # A page that is left takes its questions with it.
        if request.failure != "net::ERR_ABORTED" and request.url.startswith(self.server):
            self.wrong.append(f"request: {request.url} {request.failure}")

    def answered(self, response):
        self.calls += 1
        if response.status >= 400:
            self.wrong.append(f"{response.status} {response.request.method} {response.url} {response.request.post_data or ''}")

    def open(self, path):
        # From nowhere: with only another fragment the client would not be loaded again.
        self.page.goto("about:blank")
        self.open_requests.clear()
        self.page.goto(path)

    def sees(self, name, texts):
        """Every text appears, the page comes to rest, and nothing went wrong on it."""
        for text in texts:
            try:
                self.page.get_by_text(text).first.wait_for(state="visible", timeout=PATIENCE)
            except Exception as error:
                self.picture(f"{name}-failed")
                raise AssertionError(f"{name} does not show {text!r}: {self.text()}\n{self.wrong}") from error
            held(f"{name} shows {text}")
        self.rests(name)
        shown = self.text()
        for words in WORDS_OF_ERRORS:
            held(f"{name} says {words!r}: {shown}", words not in shown)
        self.picture(name)
        held(f"{name}: {self.wrong}", not self.wrong)

    def rests(self, name):
        """Nothing is asked any more, twice in a row."""
        quiet = 0
        for _ in range(PATIENCE // 100):
            asking = [request for request in self.open_requests if "/ajax-api/" in request.url or "/graphql" in request.url or "artifact" in request.url]
            quiet = 0 if asking else quiet + 1
            if quiet == 3:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{name} never rests: {[request.url for request in self.open_requests]}")

    def text(self):
        return self.page.locator("body").inner_text()

    def picture(self, name):
        if self.pictures:
            self.page.screenshot(path=pathlib.Path(self.pictures) / f"{name}.png")


def experiments(visitor):
    visitor.open("/")
    visitor.sees("home", ["Welcome to MLflow", "ranking", "pricing", "Crosstie console"])
    visitor.open("/#/experiments")
    visitor.sees("experiment-list", ["ranking", "pricing", "Where rankers are *tried*."])
    held("a deleted experiment is not listed", "abandoned" not in visitor.text())
    visitor.page.get_by_role("link", name="ranking").first.click()
    visitor.sees("experiment", ["ranking", "Overview"])


def run_table(visitor, made):
    table = f"/#/experiments/{made['experiment']}/runs"
    visitor.open(table)
    visitor.sees("run-table", ["36 matching runs", "everything", "failed-one", "candidate-29", "clicks"])
    held("a deleted run is not listed", "thrown-away" not in visitor.text())
    search = visitor.page.get_by_placeholder("metrics.rmse")
    search.fill('metrics.auc > 0.5 and params.x = "left"')
    search.press("Enter")
    # candidates 11, 13, … 29 have an auc above 0.5 and x = left, and so has the run with everything.
    visitor.sees("run-table-filtered", ["11 matching runs", "candidate-11", "everything"])
    held("the others are gone", "candidate-10" not in visitor.text() and "candidate-09" not in visitor.text())
    ascending = "&orderByKey=" + quote("metrics.`auc`") + "&orderByAsc="
    for order, first, second in [("true", "candidate-00", "candidate-01"), ("false", "candidate-29", "candidate-28")]:
        visitor.open(f"{table}?searchFilter={quote('params.depth LIKE ' + repr('%'))}{ascending}{order}")
        visitor.sees(f"run-table-by-auc-{order}", ["30 matching runs", first, second])
        shown = visitor.text()
        held(f"sorted by auc, {order}: {shown}", shown.index(first) < shown.index(second))
    visitor.open(f"{table}?lifecycleFilter=Deleted")
    visitor.sees("run-table-deleted", ["1 matching run", "thrown-away"])
    visitor.open(f"{table}?compareRunsMode=CHART&lifecycleFilter=Active")
    visitor.sees("run-charts", ["auc", "loss", "val/loss"])
    held("charts are drawn", visitor.page.locator(".js-plotly-plot .main-svg").count() >= 3)


def comparison(visitor, made):
    runs = [made["runs"][0], made["runs"][1], made["everything"]]
    visitor.open(f"/#/compare-runs?runs={quote(json.dumps(runs))}&experiments={quote(json.dumps([made['experiment']]))}")
    visitor.sees("compare-runs", ["Comparing 3 Runs from 1 Experiment", *runs, "learning_rate", "candidate-01", "0.97", "val/loss"])


def run_page(visitor, made):
    page = f"/#/experiments/{made['experiment']}/runs/{made['everything']}"
    visitor.open(page)
    visitor.sees(
        "run-overview",
        ["everything", "Metrics (4)", "0.97", "0.025", "Parameters (1)", "Logged models (1)", "Finished", made["everything"], "clicks", "click-ranker", "The run that"],
    )
    visitor.page.get_by_text("Model metrics").first.click()
    visitor.sees("run-model-metrics", ["auc", "f1", "loss", "val/loss"])
    held("lines are drawn", visitor.page.locator(".js-plotly-plot .scatterlayer .js-line").count() >= 3)
    visitor.page.get_by_text("System metrics").first.click()
    visitor.sees("run-system-metrics", ["System metrics"])
    visitor.open(page + "/artifacts")
    visitor.sees("run-artifacts", ["images", "notes", "pictures", "reports", "tables"])


def artifacts(visitor, made):
    """A file of each kind, by its address, and what is shown of it."""
    root = f"/#/experiments/{made['experiment']}/runs/{made['everything']}/artifacts"
    for path, texts in [
        ("notes/words.txt", ["plain words of a text artifact"]),
        ("notes/settings.yaml", ["threshold"]),
        ("notes/settings.json", ["threshold"]),
        ("notes/readme.md", ["Heading"]),
        ("tables/answers.json", ["question", "because", "like so"]),
        ("tables/clicks.csv", ["Paris", "Oslo"]),
    ]:
        visitor.open(f"{root}/{path}")
        visitor.sees("artifact-" + path.replace("/", "-"), [path.rsplit("/", 1)[1], *texts])
    for path in ["pictures/red.png", "pictures/figure.png"]:
        visitor.open(f"{root}/{path}")
        name = "artifact-" + path.replace("/", "-")
        visitor.sees(name, [path.rsplit("/", 1)[1]])
        drawn = "Array.from(document.images).some(image => image.src.startsWith('blob:') && image.naturalWidth >= 40)"
        visitor.page.wait_for_function(drawn, timeout=PATIENCE)
        held(f"{name} is drawn")
        visitor.picture(name)
    visitor.open(f"{root}/reports/report.html")
    visitor.sees("artifact-report", ["report.html"])
    visitor.page.frame_locator("iframe").get_by_text("Rendered report").first.wait_for(timeout=PATIENCE)
    held("a page among the artifacts is rendered in its frame")
    visitor.picture("artifact-report")


def logged_models(visitor, made):
    experiment, model = made["experiment"], made["logged_model"]
    visitor.open(f"/#/experiments/{experiment}/models")
    visitor.sees("logged-models", ["ranker", "Ready", "everything", "click-ranker"])
    visitor.open(f"/#/experiments/{experiment}/models/{model}")
    visitor.sees("logged-model", ["ranker", "Metrics (5)", "0.91", "Parameters (2)", model, "clicks", "click-ranker"])
    visitor.open(f"/#/experiments/{experiment}/models/{model}/artifacts")
    visitor.sees("logged-model-artifacts", ["MLmodel", "requirements.txt"])
    visitor.page.get_by_text("requirements.txt").first.click()
    visitor.sees("logged-model-artifact", ["scikit-learn"])
    # The datasets of a run, with their schema, in a drawer.
    visitor.open(f"/#/experiments/{experiment}/runs/{made['everything']}")
    visitor.page.get_by_text("clicks (").first.click()
    visitor.sees("dataset", ["Data details", "clicks_7d", "price"])


def registry(visitor, made):
    visitor.open("/#/models")
    visitor.sees("registered-models", ["click-ranker", "empty-model", "odd <name> & co", "Version 3", "task"])
    held("prompts are not among the models", "greeting" not in visitor.text())
    visitor.open("/#/models/click-ranker")
    visitor.sees("registered-model", ["Ranks what to show.", "Version 1", "Version 2", "Version 3", "@ champion", "@ challenger", "The first of its kind."])
    visitor.open("/#/models/click-ranker/versions/2")
    visitor.sees("model-version", ["Production", "everything", "@ champion", "attempt", "Inputs (2)", "Outputs (1)"])
    visitor.open("/#/models/" + quote("odd <name> & co", safe=""))
    visitor.sees("odd-model", ["odd <name> & co"])
    runs = {"1": made["everything"], "2": made["everything"]}
    visitor.open(f"/#/compare-model-versions?name={quote(json.dumps('click-ranker'))}&runs={quote(json.dumps(runs))}")
    visitor.sees("compare-versions", ["Comparing 2 Versions", "click-ranker", made["everything"], "Schema Inputs are identical", "Metrics are identical"])
    visitor.open("/#/prompts")
    visitor.sees("prompts", ["greeting", "Version 2"])
    visitor.open("/#/prompts/greeting")
    visitor.sees("prompt", ["Say good day to", "politer"])


def console(visitor):
    visitor.open("/")
    visitor.page.get_by_role("link", name="Crosstie console").click()
    visitor.sees("console", ["Fleet", "Releases"])
    held("the console has its own address", visitor.page.url.endswith("/console"))
    visitor.page.get_by_role("link", name="MLflow", exact=True).click()
    visitor.sees("back", ["Welcome to MLflow"])


def main():
    asked = json.load(sys.stdin)
    made = asked["made"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked["chromium"], args=FLAGS)
        visitor = Visitor(browser, asked)
        experiments(visitor)
        run_table(visitor, made)
        comparison(visitor, made)
        run_page(visitor, made)
        artifacts(visitor, made)
        logged_models(visitor, made)
        registry(visitor, made)
        if not asked.get("reference"):
            console(visitor)
        browser.close()
    print(f"{len(HELD)} checks held, {visitor.calls} answers")


main()
