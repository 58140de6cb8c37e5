//! Declarations that are read, and the words for those that are not.

use super::*;

const DECLARED: &str = r#"
version: 1
url: http://127.0.0.1:7070/score
timeout: 500ms
headers: { x-caller: crosstie }
health: /health
inputs:
  - { name: user_id, datatype: INT64, shape: [-1] }
  - { name: item_id, datatype: BYTES, shape: [-1] }
request: { user: "${user_id}", item: "${item_id}" }
outputs:
  - { name: probabilities, datatype: FP32, shape: [-1, 2] }
response:
  probabilities: ["1 - /score", /score]
features:
  user_country: /features/user_country
  clicks_7d: { pointer: /features/clicks_7d, datatype: FP64 }
"#;

#[test]
fn a_declaration_is_the_schema_with_its_features_as_outputs() {
    let declaration = parse(DECLARED).unwrap();
    let outputs: Vec<_> =
        declaration.schema().outputs.iter().map(|output| (output.name.as_str(), output.datatype)).collect();
    assert_eq!(
        outputs,
        [
            ("probabilities", TensorType::Fp32),
            ("features.clicks_7d", TensorType::Fp64),
            ("features.user_country", TensorType::Bytes)
        ]
    );
    assert_eq!(declaration.health.unwrap().as_str(), "http://127.0.0.1:7070/health");
    assert_eq!(declaration.timeout, Duration::parse("500ms").unwrap());
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let source = include_str!("../lib.rs");
    let blocks: Vec<String> = source
        .split("//! ```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("//! ```\n").next())
        .map(|block| block.lines().map(|line| format!("{}\n", line.get(4..).unwrap_or_default())).collect())
        .collect();
    let [whole, batch] = blocks.as_slice() else { panic!("{} examples", blocks.len()) };
    parse(whole).unwrap();
    let (before, rest) = whole.split_once("request:").unwrap();
    let (_, after) = rest.split_once("outputs:").unwrap();
    let (outputs, _) = after.split_once("response:").unwrap();
    let inputs = before.replace("  - { name: hour_of_day, datatype: INT64, shape: [-1] }", "");
    let inputs = inputs.replace("/${user_id}", "");
    let declaration = parse(&format!("{inputs}\noutputs:{outputs}\n{batch}")).unwrap();
    assert!(matches!(declaration.body, Body::Batch { .. }));
}

#[test]
fn the_example_project_and_servers_behind_tls_are_read() {
    parse(include_str!("../../../../examples/click-ranker/legacy/http.yaml")).unwrap();
    parse(&DECLARED.replace("http://127.0.0.1:7070", "https://ranker.internal")).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases = [
        ("version: 1", "version: 2", "version: is 2, and 1 is the only one"),
        ("http://127.0.0.1:7070/score", "7070/score", "url: `7070/score` is no URL"),
        ("http://127", "grpc://127", "does not begin with `http://` or `https://`"),
        ("/health", "\"file:/health\"", "health: `file:/health` is no path and no URL of HTTP without a password"),
        ("http://127", "http://me:secret@127", "no place for secrets"),
        ("127.0.0.1", "${user_id}", "has a placeholder in the server's name"),
        ("/score\n", "/score/${user}\n", "names no input"),
        ("timeout: 500ms", "timeout: 0s", "timeout: is 0s"),
        ("timeout: 500ms", "timeout: soon", "`soon` is not a valid duration"),
        ("timeout:", "time_out:", "time_out"),
        ("x-caller", "'x caller'", "headers.x caller: is no name of a header"),
        ("name: item_id", "name: user_id", "inputs.user_id: is declared twice"),
        ("datatype: INT64", "datatype: LONG", "LONG"),
        ("shape: [-1, 2]", "shape: [-1, -1]", "outputs.probabilities: has the shape [-1, -1]"),
        ("shape: [-1, 2]", "shape: [-1, 3]", "has 2 pointers, and a row of the output has 3 elements"),
        ("datatype: FP32", "datatype: INT64", "`1 - ` makes sense for floats"),
        ("\"${item_id}\"", "7", "inputs.item_id: has no place in the request: write \"${item_id}\""),
        ("\"${item_id}\"", "\"${item}\"", "request: `${item}` names no input; the inputs are `user_id`, `item_id`"),
        ("\"1 - /score\"", "score", "response.probabilities: `score` is no JSON pointer"),
        ("  probabilities: [", "  scores: [", "response.scores: is not among the outputs"),
        ("datatype: FP64", "datatype: INT64", "features.clicks_7d: is told as BYTES or as FP64"),
        ("timeout: 500ms", "method: GET", "request: a GET carries no body"),
        ("timeout: 500ms", "concurrency: 0", "concurrency: is 0"),
    ];
    for (part, instead, expected) in cases {
        assert!(DECLARED.contains(part), "{part}");
        let error = parse(&DECLARED.replacen(part, instead, 1)).unwrap_err();
        assert!(error.to_string().contains(expected), "{instead}: {error}");
    }
    let Error::Yaml { line, .. } = parse(&DECLARED.replace("timeout:", "time_out:")).unwrap_err() else {
        panic!("it is a matter of form")
    };
    assert_eq!(line, 4);
}
