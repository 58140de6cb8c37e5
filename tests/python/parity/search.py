"""`runs/search`: filters, orders, pages."""

NAMES = ["amber", "Brook", "cedar", "dune", "it's", "o_x", "per%cent", "zinc"]


def play(t):
    t.post("experiments/create", {"name": "of search"}, keep={"e": "experiment_id"})
    t.post("experiments/create", {"name": "of search too"}, keep={"f": "experiment_id"})
    for index, name in enumerate(NAMES):
        made = {"experiment_id": "$e" if index != 5 else "$f", "start_time": 1000 + index % 4, "user_id": "ada" if index % 2 else "bob", "run_name": name}
        t.post("runs/create", made, keep={f"run{index}": "run.info.run_id"})
        run = {"run_id": f"$run{index}"}
        value = ["NaN", "Infinity", "-Infinity", 0.5, 0.5, -1, None, 7][index]
        batch = {**run, "params": [{"key": "depth", "value": str(index % 3)}, {"key": "Sp ace", "value": "x"}], "tags": [{"key": "team", "value": "Ranking" if index % 2 else "search"}]}
        if value is not None:
            batch["metrics"] = [{"key": "auc", "value": value, "timestamp": 1}, {"key": "a b/c", "value": index, "timestamp": 1}]
        t.post("runs/log-batch", batch)
        if index % 2:
            dataset = {"name": "clicks" if index < 4 else "views", "digest": f"d{index}", "source_type": "t", "source": "s"}
            t.post("runs/log-inputs", {**run, "datasets": [{"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "train"}]}]})
        if index == 2:
            t.post("runs/update", {**run, "status": "FINISHED", "end_time": 5000})
        if index == 3:
            t.post("runs/delete", run)
    t.post("runs/set-tag", {"run_id": "$run0", "key": "only", "value": "here"})
    finding(t)
    ordering(t)
    paging(t)


FILTERS = [
    "", "  ", "metrics.auc > 0", "metrics.auc >= 0.5", "metrics.auc = 0.5", "metrics.auc != 0.5", "metrics.auc < 0", "metrics.auc <= -1", "metric.auc > 0",
    "metrics.`auc` > 0", "metrics.\"auc\" > 0", "metrics.`a b/c` >= 2", "metrics.auc > 0.5 AND params.depth = '0'", "metrics.auc > '0'", "metrics.auc > x",
    "metrics.auc = 'NaN'", "metrics.auc LIKE 'x'", "metrics.auc IS NULL", "metrics.auc IS NOT NULL", "metrics.auc IN (1)", "metrics.auc > 1e-2", "metrics.auc > -1", "metrics.auc > +1", "metrics.auc > .1", "metrics.auc>0.1",
    "params.depth = '1'", "params.depth != '1'", "params.depth = \"1\"", "params.depth = 1", "params.depth LIKE '%'", "params.depth ILIKE '1'", "params.depth > '1'",
    "param.depth = '1'", "parameters.depth = '1'", "parameter.depth = '1'", "params.`Sp ace` = 'x'", "params.\"Sp ace\" = 'x'", "params.depth IS NULL", "params.none IS NULL", "params.depth IS NOT NULL", "params.depth IN ('1')", "params.Depth = '1'",
    "tags.team = 'search'", "tags.team != 'search'", "tag.team LIKE 'Rank%'", "tags.team LIKE 'rank%'", "tags.team ILIKE 'rank%'", "tags.only IS NULL", "tags.only IS NOT NULL", "tags.`mlflow.runName` = 'dune'", "tags.mlflow.runName = 'cedar'", "tags.\"mlflow.runName\" = 'cedar'", "tags.only is not null", "tags.team IN ('x')", "tags.team NOT IN ('x')", "tags.team NOT LIKE 'R%'",
    "attributes.status = 'FINISHED'", "attribute.status != 'FINISHED'", "status = 'finished'", "attr.status = 'RUNNING'", "run.status = 'RUNNING'", "status IN ('RUNNING')", "status LIKE 'RUN%'", "status ILIKE 'run%'",
    "start_time > 1001", "attributes.start_time = 1001", "start_time = '1001'", "start_time LIKE '1'", "end_time = 5000", "end_time > 0", "created > 1001", "attributes.created >= 1002", "attributes.Created = 1000", "start_time IS NULL", "end_time IS NOT NULL", "start_time IN (1000)",
    "run_name = 'amber'", "attributes.run_name = 'amber'", "`run name` = 'amber'", "attributes.`run name` = 'amber'", "attributes.`Run name` = 'amber'", "`Run Name` = 'amber'", "attributes.\"Run name\" = 'amber'", "run_name LIKE 'b%'", "run_name LIKE 'B%'", "run_name ILIKE 'b%'", "run_name != 'amber'", "run_name = 'it''s'", "run_name = \"it's\"", "run_name LIKE 'o_x'", "run_name LIKE 'per%cent'", "run_name LIKE '%\\%%'", "run_name = ''", "run_name IN ('amber')",
    "user_id = 'ada'", "attributes.user_id != 'ada'", "user_id ILIKE 'A%'", "artifact_uri LIKE '%artifacts'", "attributes.artifact_uri = 'x'",
    "run_id = '$run0'", "attributes.run_id = '$run0'", "run_id IN ('$run0', '$run1')", "attributes.run_id IN ('$run0')", "run_id NOT IN ('$run0')", "run_id IN ('$run0', \"$run2\")", "run_id IN ()", "run_id IN ($run0)", "run_id IN '$run0'", "run_id IN ('$run0'", "run_id IN ('$run0',)", "run_id = ('$run0')", "run_id LIKE '%'", "run_id in ('$run0')", "run_id != '$run0'",
    "datasets.name = 'clicks'", "dataset.name = 'clicks'", "datasets.name LIKE 'c%'", "datasets.name ILIKE 'C%'", "datasets.name != 'clicks'", "datasets.digest = 'd1'", "datasets.digest IN ('d1', 'd5')", "datasets.context = 'train'", "datasets.context != 'train'", "datasets.name IN ('clicks')", "datasets.name NOT IN ('clicks')", "datasets.name = 'clicks' AND datasets.digest = 'd1'", "datasets.colour = 'red'", "datasets.name IS NULL", "datasets.name > 'a'", "datasets.name = 5", "`dataset`.name = 'clicks'",
    "colour = 'red'", "attributes.colour = 'red'", "lifecycle_stage = 'active'", "experiment_id = '0'", "things.a = 'x'", "metrics", "metrics.", "metrics.auc", "metrics.auc >", "> 5", "auc > 5", "metrics.auc > 1 OR metrics.auc < 0", "metrics.auc > 1 AND", "AND metrics.auc > 1", "metrics.auc > 1 metrics.auc < 2", "metrics.auc > 1; metrics.auc < 2", "metrics.auc > 1;", "(metrics.auc > 1)", "NOT metrics.auc > 1", "metrics.auc == 1", "metrics.auc <> 0.5", "metrics.auc ! 1", "1 < metrics.auc", "'x' = params.depth", "params.depth = 'x", "params.`depth = 'x'", "params.depth = `1`", "metrics.auc > 1 and metrics.auc < 2 And metrics.auc != 3", "metrics.auc BETWEEN 0 AND 1", "metrics.auc > 1 -- comment", "metrics.auc > /* x */ 1", "params.depth='1'AND tags.team='search'", "metrics.auc > 1,000", "metrics.auc > 1e400", "params.a.b = 'x'", "metrics.a.b > 1", "tags.a/b = 'x'", "tags.a-b = 'x'", "tags.a:b = 'x'", "metrics.m-1 > 1", "metrics.1 > 1", "metrics.count > 0", "params.order = '1'", "tags.key = 'x'", "tags.user = 'x'", "params.type = 'x'", "params.`a``b` = 'x'", "tags.like = 'x'", "tags.team = ''", "tags.team = '\u00e4'", "metrics.auc > 0\nAND params.depth = '0'",
]  # fmt: skip


def finding(t):
    for filter in FILTERS:
        t.post("runs/search", {"experiment_ids": ["$e", "$f"], "filter": filter, "order_by": ["start_time", "run_name"]})
    for ids in ([], ["$f"], ["999999"], ["$e", "999999"], ["x"], [""], None, ["-1"], "$e"):
        t.post("runs/search", {"experiment_ids": ids, "order_by": ["start_time", "run_name"]}, text=ids != ["x"])
    t.post("runs/search", {})
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", "x", "", 1, 2, 3, 9, None):
        t.post("runs/search", {"experiment_ids": ["$e"], "run_view_type": view, "order_by": ["start_time", "run_name"]}, text=False)


ORDERS = [
    ["metrics.auc"], ["metrics.auc ASC"], ["metrics.auc DESC"], ["metrics.`auc` DESC"], ["metrics.none"], ["metrics.`a b/c` DESC"], ["metrics.auc DESC", "start_time"],
    ["params.depth"], ["params.depth DESC", "start_time ASC"], ["params.none DESC"], ["tags.team"], ["tags.only DESC"], ["tag.only"], ["metric.auc asc"], ["parameter.depth desc"],
    ["start_time"], ["start_time DESC"], ["attributes.start_time ASC", "attributes.run_name"], ["created"], ["attributes.Created DESC"], ["status", "start_time"], ["run_name"], ["run_name DESC"], ["user_id", "run_name"], ["end_time"], ["end_time DESC"], 
    ["`run name`"], ["attributes.`Run name`"], ["attribute.`Run Name` DESC"], ["\"Run name\""], ["Run name"], ["start_time", "start_time"], ["created", "start_time"], ["metrics.auc", "metrics.auc DESC"], ["metrics.auc UP"], ["metrics.auc ASC DESC"], ["metrics"], [""], [" "], ["colour"], ["attributes.colour"], ["things.a"], ["datasets.name"], ["metrics.auc, params.depth"], ["metrics.auc; DROP"], ["experiment_id"], ["lifecycle_stage"], ["metrics.auc > 1"], ["params.depth DESC", "metrics.auc ASC", "tags.team"], ["metrics.auc  DESC"], [" metrics.auc desc "], ["attr.run_name"], ["run.run_name"],
]  # fmt: skip


def ordering(t):
    some = {"experiment_ids": ["$e"], "filter": "run_id IN ('$run0', '$run1', '$run2', '$run4', '$run6')"}
    for order_by in ORDERS:
        # The last key tells apart what the others do not; runs' ids would, each time otherwise.
        keys = " ".join(order_by).lower()
        more = [key for key in ("end_time", "user_id", "run_name") if key not in keys and key.replace("_", " ") not in keys]
        t.post("runs/search", {**some, "order_by": [*order_by, *more]})


def paging(t):
    page = {"experiment_ids": ["$e"], "max_results": 3, "order_by": ["start_time", "run_name"]}
    t.post("runs/search", page, keep={"page": "next_page_token"})
    t.post("runs/search", {**page, "page_token": "$page"}, keep={"page": "next_page_token"})
    t.post("runs/search", {**page, "page_token": "$page"})
    for token in ("x", "", "e30=", "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAieCJ9", "bm8=", "eyJvZmZzZXQiOiA5OTk5fQ==", 5, None):
        t.post("runs/search", {**page, "page_token": token}, text=token != 5)
    for most in (0, -1, 1, 7, 50_000, 50_001, "2", "x", None, 1.5, True):
        t.post("runs/search", {**page, "max_results": most}, text=most != 1.5)
    t.vary("POST", "runs/search", {"experiment_ids": ["$e"], "filter": "run_name = 'amber'", "order_by": ["run_name"], "max_results": 2}, text=False)
