"""Opens the console's pages in a real Chromium, with and without JavaScript, as a viewer does.

Standard input says what to open, as JSON: `chromium` (its program), `url` (where the console is), `token` (a viewer's),
`pages` (each a `path`, the texts that it `shows`, and the elements that it `has`), `moving` (the path of one that tells of
something on its way), and `changes`: on the page `path` the text `shows` appears within seconds of a POST of `body` to
`post` with the token `by`, without the page being loaded again. Every check is asserted; the last line says how many held.
"""

import json
import pathlib
import sys
import urllib.request

from playwright.sync_api import sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Far longer than a refresh takes: only a defect waits this long.
PATIENCE = 30_000
# Links to pages of the same kind that are followed.
MOST_OF_A_KIND = 8
HELD = []


def held(what, condition=True):
    assert condition, what
    HELD.append(what)


class Visitor:
    """A browser of its own, which remembers everything that went wrong in it."""

    def __init__(self, browser, asked, scripts):
        self.context = browser.new_context(
            base_url=asked["url"],
            java_script_enabled=scripts,
            # As the browser's own dialogue does: the token is the password, sent once the server asks for it.
            http_credentials={"username": "anyone", "password": asked["token"]},
        )
        self.page = self.context.new_page()
        self.wrong = []
        self.loads = 0
        self.page.on("console", lambda message: self.heard(message))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.failed(request))
        self.page.on("load", lambda _: self.loaded())

    def heard(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text} {message.location}")

    def failed(self, request):
        # A page that is left takes the question that it was asking with it.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"request: {request.url} {request.failure}")

    def loaded(self):
        self.loads += 1

    def open(self, path):
        answer = self.page.goto(path)
        held(f"{path} answers with {answer.status}", answer.status == 200)


def every_page_is_complete(visitor, pages, scripts):
    page = visitor.page
    for wanted in pages:
        path = wanted["path"]
        visitor.open(path)
        text = page.locator("main").inner_text()
        for shown in wanted["shows"]:
            held(f"{path} shows {shown!r}, scripts {scripts}: {text}", shown in text)
        for element in wanted.get("has", []):
            held(f"{path} has {element}, scripts {scripts}", page.locator(element).count() > 0)
        held(f"{path} has one heading", page.locator("h1").count() == 1)
        held(f"{path} is styled", page.evaluate("getComputedStyle(document.body).marginTop") == "0px" if scripts else True)
        held(f"{path} has nothing that could change anything", page.locator("form, button, input").count() == 0)
        reloads = page.locator('meta[http-equiv="refresh"]').count()
        held(f"{path} is loaded again by the browser only without scripts", reloads == 0 if scripts else reloads <= 1)
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth") if scripts else 0
        held(f"{path} is not wider than its window", width <= 0)


def every_link_leads_somewhere(visitor, pages):
    paths = [wanted["path"] for wanted in pages]
    opened = set(paths)
    of_kind = {}
    for path in paths:
        visitor.open(path)
        links = visitor.page.locator("a[href^='/']").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        for link in sorted(set(links) - opened):
            kind = link.split("/")[1].split("?")[0]
            of_kind[kind] = of_kind.get(kind, 0) + 1
            # One prediction looks like the next.
            if of_kind[kind] <= MOST_OF_A_KIND:
                opened.add(link)
                visitor.open(link)


def a_change_appears_without_a_reload(visitor, change):
    page = visitor.page
    visitor.open(change["path"])
    page.evaluate("document.querySelector('main').dataset.untouched = 'is removed by the first refresh'")
    page.evaluate("window.untouched = true")
    held("nothing of it is there before", change["shows"] not in page.locator("main").inner_text())
    details = page.locator("main details").first
    if details.count() > 0:
        details.evaluate("element => { element.open = !element.open; window.wasOpen = element.open }")
    loads = visitor.loads
    request = urllib.request.Request(change["post"], json.dumps(change["body"]).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {change['by']}")
    urllib.request.urlopen(request).read()
    page.locator("main").get_by_text(change["shows"]).first.wait_for(timeout=PATIENCE)
    held("it is the same page", page.evaluate("window.untouched") is True and visitor.loads == loads)
    if details.count() > 0:
        held("what was opened stays open", details.evaluate("element => element.open === window.wasOpen"))
    held("it says that it is live", page.locator("#live").inner_text() == "live")


def without_scripts_the_browser_loads_it_again(visitor, path):
    visitor.open(path)
    loads = visitor.loads
    visitor.page.wait_for_event("load", timeout=PATIENCE)
    held(f"{path} was loaded again", visitor.loads > loads)


def main():
    asked = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=asked["chromium"], args=FLAGS)
        for scripts in (True, False):
            visitor = Visitor(browser, asked, scripts)
            every_page_is_complete(visitor, asked["pages"], scripts)
            if not scripts:
                without_scripts_the_browser_loads_it_again(visitor, asked["moving"])
            held(f"nothing went wrong, scripts {scripts}: {visitor.wrong}", not visitor.wrong)
            visitor.context.close()
        visitor = Visitor(browser, asked, True)
        every_link_leads_somewhere(visitor, asked["pages"])
        for change in asked["changes"]:
            a_change_appears_without_a_reload(visitor, change)
        held(f"nothing went wrong: {visitor.wrong}", not visitor.wrong)
        if asked.get("pictures"):
            take_pictures(browser, asked)
        browser.close()
    print(f"{len(HELD)} checks held")


def take_pictures(browser, asked):
    """For people: what every page looks like by day and by night."""
    folder = pathlib.Path(asked["pictures"])
    for scheme in ("light", "dark"):
        context = browser.new_context(
            base_url=asked["url"],
            color_scheme=scheme,
            viewport={"width": 1280, "height": 800},
            http_credentials={"username": "anyone", "password": asked["token"]},
        )
        page = context.new_page()
        for wanted in asked["pages"]:
            page.goto(wanted["path"])
            name = wanted["path"].strip("/").replace("/", "-") or "fleet"
            page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
        context.close()


main()
