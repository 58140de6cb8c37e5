"""What differs from MLflow and is meant to: a pattern of the call and of both answers, and why.

An entry that no longer matches any difference is an error, so that the table stays true. What need not stand here: calls
that MLflow fails with 500, or answers with what its database said. Ours then succeeds or says with 4xx what is wrong.
"""

KNOWN = [
    # Requests that are not what they should be.
    (r"\n400 .*Invalid value .* for parameter .*Hint: Value was of type .*\n200", "a field of a wrong type is refused; MLflow passes over it with all that follows it, and answers 200"),
    (r"\n400 .*Invalid value .* for parameter .*Hint: Value was of type .*\n400 .*(Missing value|Invalid value)", "a field of a wrong type is told to be one; MLflow passes over it, and then misses it"),
    (r"allow_deleted\": \"x\".*\n400 .*\n404 ", "a word that is neither true nor false is refused"),
    (r"log-inputs .*(Dataset cannot be None|'model_id').*\n200", "an input of nothing is refused; MLflow records one without a name"),
    (r"log-batch .*\"someThing\".*\n400 .*\n200", "a field under both of its names is refused also where no such field is known"),
    (r"log-batch .*\"run_uuid\".*\n200 .*\n400", "a run may be named by its older field, as in every other call"),
    (r"registered-models/search .*max_results\": (0|-1)\}.*\n400 .*\n200 ", "a page of nothing is refused; MLflow answers with a token of the same page"),
    (r"logged-models/search .*max_results\": -1,", "a page of less than nothing has the usual size; MLflow's is empty"),
    (r"page_token\": \"eyJvZmZzZXQiOiAtMX0=\".*\n400 .*\n200 ", "a token from before the beginning, which no server gave out, is refused"),
    (r"POST \S*registered-models/search .*\n405 .*\n405 ", "a method that a path does not have is refused without a page for people"),
    (r"logged-models/a%2Fb[ /]", "an id that cannot be is answered in MLflow's shape, not with a page for people"),
    (r"get-artifact .*\n400 .*\n40\d ", "a missing field is named in MLflow's shape, not with a page for people"),
    # Searches.
    (r"/search .*metrics.auc > 1 metrics.auc < 2", "two comparisons without AND are refused; MLflow compares one with the other, and finds nothing"),
    (r"/search .*(name = second|source = |version = ).*\n400 .*\n400 .*Invalid clause", "a word that SQL keeps for itself is a name as any; both refuse, in other words"),
    (r"/search .*\"order_by\": \[\"version\".*\n400 .*\n400 ", "a word that SQL keeps for itself is a name as any; both refuse, in other words"),
    (r"/search .*metrics.auc > 1,000.*\n400 .*\n400 ", "both refuse; MLflow shows the comparison with its comma as one"),
    (r"/search .*(tags.a/b|tags.a-b|tags.a:b|metrics.m-1|metrics.1) .*\n200 .*\n400 ", "keys with these marks are read without quotes, too"),
    (r"logged-models/search .*status.*\n400 .*\n200", "MLflow compares the names of states with the numbers in its table, and finds nothing, or fails on Postgres"),
    (r"logged-models/search .*Invalid order by field name.*ATTRIBUTE_NOT_FOUND", "the class of this one error, which no client reads, is that of its code"),
    (r"logged-models/search .*\"datasets\": \[\{\"dataset_name\": \"d\d\"\}", "MLflow compares the digest that was not asked for with nothing, and finds nothing"),
    # Where files lie, and where versions come from.
    (r"experiments/create .*\n200 .*\n400 .*cannot use the '", "this server asks no host that a location names, so none needs to be refused"),
    (r"model-versions/create .*cannot use the '", "this server asks no host that a source names, so none needs to be refused"),
    (r"model-versions/create .*\"(runs|mlflow-artifacts):/.*\n200 .*\n400 .*must identify", "clients from before 3.17 name another run than the source's, or none, as MLflow's own tests of that time do"),
    (r"model-versions/create .*\"source\": \"models:/v/.*model_id.*\n(200|404) .*\n400 ", "MLflow's SQL store gives no version a model_id, so any that is named differs"),
    (r"model-versions/create .*To use a local path", "MLflow shows a relative path as one of the folder that it runs in, and so tells where that is"),
    # Files.
    (r"artifacts(/list|/a%\S+)? .*\n400 .*Invalid path.*\n200", "paths with a backslash, a NUL, or empty or `.` parts are refused, which mean other files elsewhere"),
    (r"artifacts/(%2fetc%2fpasswd|a%5c|a%00)\S* .*\n400 .*\n(404|308) ", "such a path is refused as one, not looked for or redirected"),
    (r"artifacts/\S*/sub .*\n400 .*\n400 .*detail", "that a folder is no file is said in MLflow's shape"),
    (r"Content-Disposition\nattachment; filename=.txt; filename\*=(\S*)\nattachment; filename=a.txt; filename\*=\1$", "the name that clients read is the second one, and the same"),
]
