//! A view's source in memory: keys, times and the features asked for, computed by the view's expressions.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    compute::{concat, take},
    datatypes::DataType,
};
use types::{Timestamp, Value, ValueType};

use crate::{
    Error,
    definitions::{Feature, View},
    expressions::{self, Compiled},
    join::{Facts, KeyColumn, TimeColumn},
    source::{self, SourceFile},
};

/// One feature's column.
#[derive(Debug, Clone)]
pub(crate) struct FeatureColumn {
    /// Which feature of the view.
    pub(crate) index: usize,
    pub(crate) value_type: ValueType,
    pub(crate) values: ArrayRef,
}

/// All rows of a view's source, in source order.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) facts: Facts,
    pub(crate) features: Vec<FeatureColumn>,
    /// Where each file's rows end, and what it is called.
    files: Vec<(usize, Arc<str>)>,
}

/// One file's part of a frame.
struct Part {
    facts: Facts,
    columns: Vec<ArrayRef>,
}

impl Frame {
    /// Reads the features `wanted` (by their place in the view) of all files.
    pub(crate) fn load(project: &Path, view: &View, wanted: &[usize]) -> Result<Self, Error> {
        Self::of_files(view, wanted, &source::files(project, view.source())?)
    }

    /// Reads the features `wanted` of some files.
    pub(crate) fn of_files(view: &View, wanted: &[usize], files: &[SourceFile]) -> Result<Self, Error> {
        let mut parts = Vec::with_capacity(files.len());
        let mut ends = Vec::with_capacity(files.len());
        let mut end = 0;
        for file in files {
            let part = Part::read(view, wanted, file)?;
            end += part.facts.event_time.len();
            ends.push((end, Arc::clone(&file.shown)));
            parts.push(part);
        }
        Self::join(view, wanted, &parts, ends).map_err(Error::columns("put the files of a source together"))
    }

    fn join(
        view: &View,
        wanted: &[usize],
        parts: &[Part],
        files: Vec<(usize, Arc<str>)>,
    ) -> Result<Self, arrow::error::ArrowError> {
        let keys = (0..view.keys().len())
            .map(|key| KeyColumn::concat(&parts.iter().map(|part| &part.facts.keys[key]).collect::<Vec<_>>()));
        let times = |pick: fn(&Facts) -> Option<&TimeColumn>| {
            let columns: Vec<&TimeColumn> = parts.iter().filter_map(|part| pick(&part.facts)).collect();
            TimeColumn::concat(&columns)
        };
        let facts = Facts {
            keys: keys.collect::<Result<_, _>>()?,
            event_time: times(|facts| Some(&facts.event_time))?,
            created: view.source().created.is_some().then(|| times(|facts| facts.created.as_ref())).transpose()?,
        };
        let features = wanted.iter().enumerate().map(|(place, index)| {
            let columns: Vec<&dyn Array> = parts.iter().map(|part| part.columns[place].as_ref()).collect();
            Ok(FeatureColumn {
                index: *index,
                value_type: view.features()[*index].value_type,
                values: concat(&columns)?,
            })
        });
        let features = features.collect::<Result<_, arrow::error::ArrowError>>()?;
        Ok(Self { facts, features, files })
    }

    /// The file that row `row` is from.
    pub(crate) fn file_of(&self, row: usize) -> Option<Arc<str>> {
        let file = self.files.partition_point(|(end, _)| *end <= row);
        self.files.get(file).map(|(_, name)| Arc::clone(name))
    }

    /// The key of row `row`, as values.
    pub(crate) fn key(&self, view: &View, row: usize) -> Vec<Value> {
        self.facts.keys.iter().zip(view.keys()).map(|(column, key)| column.value(row, key.value_type)).collect()
    }

    pub(crate) fn created(&self, row: usize) -> Option<Timestamp> {
        self.facts.created.as_ref().and_then(|created| created.at(row))
    }

    /// The features of the rows chosen.
    pub(crate) fn take(&self, rows: &arrow::array::UInt32Array) -> Result<Vec<ArrayRef>, Error> {
        let taken = self.features.iter().map(|column| take(&column.values, rows, None));
        taken.collect::<Result<_, _>>().map_err(Error::columns("take feature values"))
    }
}

impl Part {
    fn read(view: &View, wanted: &[usize], file: &SourceFile) -> Result<Self, Error> {
        let source = view.source();
        let features: Vec<&Feature> = wanted.iter().map(|index| &view.features()[*index]).collect();
        let mut columns: BTreeSet<String> = view.keys().iter().map(|key| key.name.clone()).collect();
        columns.insert(source.event_time.clone());
        columns.extend(source.created.clone());
        for feature in &features {
            let of_feature = expressions::columns_of(&feature.sql()).map_err(|error| failed(view, feature, error))?;
            columns.extend(of_feature);
        }
        let columns: Vec<String> = columns.into_iter().collect();
        let batch = source::read(file, &columns)?;
        let place = format!("`{}`", file.shown);
        let column = |name: &str| batch.column_by_name(name).expect("the file was read with every column of the view");
        let keys = view.keys().iter().map(|key| KeyColumn::new(&place, &key.name, column(&key.name), key.value_type));
        let facts = Facts {
            keys: keys.collect::<Result<_, _>>()?,
            event_time: TimeColumn::new(&place, &source.event_time, column(&source.event_time))?,
            created: source.created.as_ref().map(|name| TimeColumn::new(&place, name, column(name))).transpose()?,
        };
        let columns = features.iter().map(|feature| compute(view, feature, &place, &batch));
        Ok(Self { facts, columns: columns.collect::<Result<_, _>>()? })
    }
}

/// A plain column is only cast, everything else is an expression.
fn compute(view: &View, feature: &Feature, place: &str, batch: &RecordBatch) -> Result<ArrayRef, Error> {
    if feature.expression.is_none()
        && let Some(column) = batch.column_by_name(&feature.name)
    {
        return expressions::cast_to(column, feature.value_type).map_err(|reason| Error::WrongType {
            place: place.to_owned(),
            column: feature.name.clone(),
            reason,
        });
    }
    let schema = batch.schema();
    let available: Vec<(&str, DataType)> =
        schema.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
    let compiled = Compiled::new(&feature.sql(), &available, feature.value_type);
    let compiled = compiled.map_err(|error| failed(view, feature, error))?;
    let inputs = compiled.inputs().filter_map(|name| batch.column_by_name(name).cloned()).collect();
    compiled.evaluate(inputs, batch.num_rows()).map_err(|error| failed(view, feature, error))
}

fn failed(view: &View, feature: &Feature, reason: expressions::Error) -> Error {
    Error::Expression { feature: format!("{}:{}", view.name(), feature.name), reason }
}
