"""Two servers that are asked the same, and what is the same about their answers."""

import base64
import collections
import contextlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request

from differences import KNOWN

ID = re.compile(r"\bm-[0-9a-f]{32}\b|\b[0-9a-f]{32}\b")
NAME = re.compile(r"^[a-z]+-[a-z]+-\d{1,4}$")
EXPERIMENT = re.compile(r"\bmlflow-artifacts:/[1-9]\d*\b")
NUMBERED = re.compile(r"\b(experiment |Experiment with id=|No such artifact: '|not a file: '|Expected: \['|Found: \[')\d+\b")
# Python writes a set in another order each time.
SET = re.compile(r"\{('[^{}']*'(?:, '[^{}']*')*)\}")
TIME = re.compile(r"\b1[6-9]\d{11}\b")
# Lists whose order nobody promises.
UNORDERED = {"tags", "params", "metrics", "aliases", "model_inputs", "model_outputs"}


class Side:
    """One server, and what it answered that later calls need."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.kept = {}

    def filled(self, value):
        """`value` with each `$name` replaced by what was kept under it."""
        if isinstance(value, str):
            for name in sorted(self.kept, key=len, reverse=True):
                value = value.replace("$" + name, self.kept[name])
            return value
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if isinstance(value, dict):
            return {self.filled(key): self.filled(item) for key, item in value.items()}
        return value

    def call(self, method, path, query, body, raw, headers):
        url = self.url + self.filled(path)
        if query is not None:
            url += "?" + urllib.parse.urlencode(self.filled(query), doseq=True)
        data = raw
        headers = dict(headers or {})
        if body is not None:
            data = json.dumps(self.filled(body)).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(self, answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            return Answer(self, error.code, error.read(), error.headers)


class Answer:
    """What one server said."""

    def __init__(self, side, status, content, headers):
        self.side, self.status, self.content, self.headers = side, status, content, headers
        try:
            self.json = json.loads(content)
        except ValueError:
            self.json = None

    def is_error(self):
        return isinstance(self.json, dict) and "error_code" in self.json

    def at(self, path):
        value = self.json
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return None if value is None else str(value)

    def plain(self):
        """Status and content without ids and times."""
        if self.json is None:
            return self.status, self.text(self.content.decode(errors="replace"))
        if isinstance(self.json, dict):
            return self.status, {key: self.value(value, f"top {key}") for key, value in self.json.items()}
        return self.status, self.value(self.json)

    def value(self, value, under=None):
        if isinstance(value, dict):
            if value.get("key") == "mlflow.runName" and NAME.match(str(value.get("value"))):
                value = {**value, "value": "<name>"}
            return {key: self.value(item, key) for key, item in value.items()}
        if isinstance(value, list) and under == "experiment_ids":
            return ["<experiment>" for _ in value]
        if isinstance(value, list):
            items = [self.value(item) for item in value]
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if under in UNORDERED else items
        if isinstance(value, str):
            if under in ("experiment_id", "top experiment_id") and value != "0":
                return "<experiment>"
            if under is not None and under.endswith("page_token"):
                with contextlib.suppress(ValueError):
                    return self.value(json.loads(base64.b64decode(value)))
            return "<name>" if under in ("run_name", "name") and NAME.match(value) else self.text(value)
        if isinstance(value, int) and not isinstance(value, bool) and TIME.fullmatch(str(value)):
            return "<time>"
        return value

    def text(self, text):
        if text[:1] in ("[", "{") and text[-1:] in ("]", "}"):
            # JSON in a text, such as a tag's: how it is spaced and ordered does not count.
            with contextlib.suppress(ValueError):
                text = json.dumps(json.loads(text), sort_keys=True)
        kept = {name: value for name, value in self.side.kept.items() if len(value) > 8}
        for name in sorted(kept, key=lambda name: len(kept[name]), reverse=True):
            text = text.replace(kept[name], "$" + name)
        text = text.replace(self.side.url, "<server>")
        text = SET.sub(lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", text)
        text = NUMBERED.sub(r"\1<experiment>", text)
        text = EXPERIMENT.sub("mlflow-artifacts:/<experiment>", text)
        return TIME.sub("<time>", ID.sub("<id>", text))


def difference(a, b, where=""):
    """The first place where two answers differ."""
    if isinstance(a, dict) and isinstance(b, dict) and "error_code" not in a and "error_code" not in b:
        for key in [*a, *(key for key in b if key not in a)]:
            if a.get(key) != b.get(key) or (key in a) != (key in b):
                return difference(a.get(key), b.get(key), f"{where}.{key}")
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b) and not isinstance(a, tuple):
        for index, (one, other) in enumerate(zip(a, b, strict=True)):
            if one != other:
                return difference(one, other, f"{where}[{index}]")
    if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0]:
        return difference(a[1], b[1], where)
    return where, a, b


def shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 700 else f"{text[:500]} … {text[-100:]}"


class Pair:
    """The two servers: ours, and the real one."""

    def __init__(self, ours, theirs):
        self.sides = [Side(ours), Side(theirs)]
        self.chapter = ""
        self.agreed = self.meant = self.stricter = 0
        self.wrong = []
        self.used = collections.Counter()

    def call(self, method, path, body=None, *, query=None, keep=None, meant=None, text=True, raw=None, headers=None):
        """Asks both. `text=False`: the error's code is compared, its wording is not. `meant`: why they differ."""
        if not path.startswith("/"):
            path = "/api/2.0/mlflow/" + path
        ours, theirs = (side.call(method, path, query, body, raw, headers) for side in self.sides)
        for name, where in (keep or {}).items():
            for answer in (ours, theirs):
                answer.side.kept[name] = answer.at(where) or f"no {name}"
        what = f"{self.chapter}: {method} {path} {json.dumps(query or body or str(raw or ''))[:400]}"
        self.compare(what, ours, theirs, meant, text)
        return ours, theirs

    def compare(self, what, ours, theirs, meant, text):
        failed = theirs.status >= 500 and (not theirs.is_error() or theirs.json["error_code"] == "INTERNAL_ERROR")
        if failed or b"sqlalche.me" in theirs.content:
            # It fails, or tells what its database said: ours may succeed or say what is wrong, and never fails likewise.
            same = ours.status < 400 or (400 <= ours.status < 500 and ours.is_error()) or ours.plain() == theirs.plain()
            self.stricter += same
        else:
            a, b = ours.plain(), theirs.plain()
            if not text and ours.is_error() and theirs.is_error():
                a, b = (a[0], a[1]["error_code"]), (b[0], b[1]["error_code"])
            same = a == b
            self.agreed += same and meant is None
        if meant is not None and not same:
            self.meant += 1
        elif meant is not None:
            self.wrong.append(f"{what}\n   was meant to differ ({meant}), and does not")
        elif not same and self.is_known(what, ours, theirs):
            self.meant += 1
        elif not same:
            where, a, b = difference(ours.plain(), theirs.plain())
            self.wrong.append(f"{what}\n   at {where}\n   ours   {shown(a)}\n   theirs {shown(b)}")

    def alike(self, what, ours, theirs):
        """Compares two texts of the last call's answers."""
        what = f"{self.chapter}: {what}"
        if ours == theirs:
            self.agreed += 1
        elif self.in_table(f"{what}\n{ours}\n{theirs}"):
            self.meant += 1
        else:
            self.wrong.append(f"{what}\n   ours   {ours}\n   theirs {theirs}")

    def is_known(self, what, ours, theirs):
        """Whether a difference is in the table, and why is written there."""
        told = (f"{side.status} {json.dumps(side.plain()[1])}" for side in (ours, theirs))
        return self.in_table("\n".join((what, *told)))

    def in_table(self, said):
        for index, (pattern, _) in enumerate(KNOWN):
            if re.search(pattern, said, re.DOTALL):
                self.used[index] += 1
                return True
        return False

    def get(self, path, query=None, **more):
        return self.call("GET", path, query=query, **more)

    def post(self, path, body, **more):
        return self.call("POST", path, body, **more)

    def patch(self, path, body, **more):
        return self.call("PATCH", path, body, **more)

    def delete(self, path, body=None, **more):
        return self.call("DELETE", path, body, **more)

    def vary(self, method, path, good, wrong=(5, "", None, [], {}, True), skip=(), **more):
        """`good` with each of its fields missing, and then each of a wrong type."""
        for field in good:
            if field in skip:
                continue
            self.call(method, path, {name: value for name, value in good.items() if name != field}, **more)
            for value in wrong:
                if type(value) is not type(good[field]) or value == "":
                    self.call(method, path, {**good, field: value}, **more)

    def report(self, whole):
        if whole:
            gone = [known for index, known in enumerate(KNOWN) if index not in self.used]
            self.wrong += [f"in the table of differences, and differs no more: {pattern} ({why})" for pattern, why in gone]
        for index, (_, why) in enumerate(KNOWN):
            if self.used[index]:
                print(f"{self.used[index]:4} {why}")
        for wrong in self.wrong:
            print(wrong)
        print(
            f"{self.agreed} calls answered alike, {self.stricter} where MLflow fails with 500 answered with 4xx,"
            f" {self.meant} differ on purpose, {len(self.wrong)} differ"
        )
        return 1 if self.wrong else 0
