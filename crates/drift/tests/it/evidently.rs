//! Scores against reference values that Evidently 0.7.23 computed, over 186 pairs of columns.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array as _, AsArray as _, RecordBatch},
    compute::{cast, concat_batches},
    datatypes::{DataType, Float64Type},
};
use drift::scores::{self, Column};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;

/// Absolute or relative, as the file says.
const TOLERANCE: f64 = 1e-6;

/// Where the reference values lie: beside the checkout, in a folder that a workplace may or may not have.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3)?;
    Some(root.join("shared/drift")).filter(|folder| folder.join("reference_values.json").is_file())
}

enum Values {
    Numbers(Vec<f64>, bool),
    Categories(Vec<String>),
}

impl Values {
    fn read(batch: &RecordBatch, name: &str, is_number: bool) -> Self {
        let column = batch.column_by_name(name).unwrap();
        if is_number {
            let floats = cast(column, &DataType::Float64).unwrap();
            let finite = floats.as_primitive::<Float64Type>().iter().flatten().filter(|value| value.is_finite());
            Self::Numbers(finite.collect(), column.data_type().is_integer())
        } else {
            let texts = cast(column, &DataType::Utf8).unwrap();
            Self::Categories(texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
        }
    }
}

impl Values {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Numbers(..) => Vec::new(),
            Self::Categories(values) => values.iter().map(String::as_str).collect(),
        }
    }

    fn column<'a>(&'a self, texts: &'a [&'a str]) -> Column<'a> {
        match self {
            Self::Numbers(values, whole) => Column::Numbers { values, whole: *whole },
            Self::Categories(_) => Column::Categories(texts),
        }
    }
}

fn batch(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn computed(method: &str, reference: &Values, current: &Values) -> Option<Option<f64>> {
    let (texts_left, texts_right) = (reference.texts(), current.texts());
    let (left, right) = (reference.column(&texts_left), current.column(&texts_right));
    Some(match (method, reference, current) {
        ("psi", _, _) => scores::population_stability(left, right),
        ("jensenshannon", _, _) => scores::jensen_shannon(left, right),
        ("kl_div", _, _) => scores::kullback_leibler(left, right),
        ("hellinger", _, _) => scores::hellinger(left, right),
        ("wasserstein", Values::Numbers(left, _), Values::Numbers(right, _)) => scores::wasserstein(left, right),
        ("ks", Values::Numbers(left, _), Values::Numbers(right, _)) => scores::kolmogorov_smirnov(left, right),
        _ => return None,
    })
}

fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().unwrap().parse().unwrap())
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see that this one had nothing to compare with")]
fn scores_are_those_of_evidently() {
    let Some(folder) = folder() else {
        eprintln!("skipped: there are no reference values beside this checkout");
        return;
    };
    let text = std::fs::read_to_string(folder.join("reference_values.json")).unwrap();
    let file: Json = serde_json::from_str(&text).unwrap();
    let sets = file["datasets"].as_object().unwrap().keys().map(|name| {
        let read = |side| batch(&folder.join(format!("data/{name}_{side}.parquet")));
        (name.clone(), (read("ref"), read("cur")))
    });
    let sets: BTreeMap<_, _> = sets.collect();
    let (mut compared, mut wrong) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for case in file["cases"].as_array().unwrap() {
        let (reference, current) = &sets[case["dataset"].as_str().unwrap()];
        let column = case["column"].as_str().unwrap();
        let is_number = case["type"] == "num";
        let reference = Values::read(reference, column, is_number);
        let current = Values::read(current, column, is_number);
        for (method, expected) in case["methods"].as_object().unwrap() {
            let Some(actual) = computed(method, &reference, &current) else { continue };
            *compared.entry(method).or_default() += 1;
            let expected = match (expected.get("error"), method.as_str()) {
                (Some(_), _) => None,
                (None, "ks") => Some(number(&expected["stat"])),
                (None, _) => Some(number(&expected["score"])),
            };
            let is_right = match (expected, actual) {
                (None, actual) => actual.is_none(),
                (Some(_), None) => false,
                (Some(expected), Some(actual)) => {
                    (expected - actual).abs() <= TOLERANCE.max(TOLERANCE * expected.abs())
                }
            };
            if !is_right {
                wrong.push(format!("{} {column} {method}: {expected:?}, but {actual:?}", case["dataset"]));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "of {compared:?}");
    assert_eq!(compared["psi"], 186, "{compared:?}");
    assert_eq!(compared["jensenshannon"], 186, "{compared:?}");
}
