//! A training set: label rows with the features that were known at each row's time.
//!
//! Every label row comes back once, in its place, its own columns untouched; each feature is one more column. Missing
//! values take the defaults that serving would use; without a default they stay null, because a label row is never
//! dropped.

use std::{collections::HashMap, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, Scalar},
    compute::{is_not_null, kernels::zip::zip},
    datatypes::{Field, Schema},
};
use types::{Value, ValueType};

use super::Frame;
use crate::{
    Definitions, Error, FeatureRef,
    columns::{column_of, data_type},
    definitions::{OnDemand, View},
    expressions,
    join::{self, KeyColumn, Labels, TimeColumn},
    suggest::closest,
};

/// How a training set is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingOptions {
    /// The labels' column of times.
    pub event_timestamp: String,
    /// Whether a row that was created after the label's time is hidden, because it was not known then. Applies to
    /// sources with a created column. Without it late data leaks into the past.
    pub as_known: bool,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self { event_timestamp: "event_timestamp".to_owned(), as_known: true }
    }
}

const PLACE: &str = "the label rows";

/// Refuses label rows without a time.
pub(crate) fn refuse_null_times(times: &TimeColumn, column: &str) -> Result<(), Error> {
    match times.first_null() {
        Some(row) => Err(Error::NullLabelTime { column: column.to_owned(), row }),
        None => Ok(()),
    }
}

/// `labels` with one column more for each of `references`. Reads files and computes; runs where blocking is allowed.
pub(crate) fn training_set(
    project: &Path,
    definitions: &Definitions,
    labels: &RecordBatch,
    references: &[FeatureRef],
    options: &TrainingOptions,
) -> Result<RecordBatch, Error> {
    // The plan refuses what serving would refuse: unknown features, and two of one name.
    crate::ReadPlan::new(definitions, references)?;
    let at = TimeColumn::new(PLACE, &options.event_timestamp, label_column(labels, &options.event_timestamp)?)?;
    refuse_null_times(&at, &options.event_timestamp)?;
    let mut training = Training { project, definitions, labels, at, as_known: options.as_known, made: HashMap::new() };
    training.views(references)?;

    let mut fields: Vec<Arc<Field>> = labels.schema().fields().iter().cloned().collect();
    let mut columns: Vec<ArrayRef> = labels.columns().to_vec();
    for reference in references {
        let taken = labels.column_by_name(reference.name()).is_some();
        if let FeatureRef::Request(_) = reference {
            // A request value is a column of the labels already.
            training.column(reference)?;
            continue;
        }
        if taken {
            let (column, reference) = (reference.name().to_owned(), reference.to_string());
            return Err(Error::LabelColumnTaken { column, reference });
        }
        let column = training.column(reference)?;
        fields.push(Arc::new(Field::new(reference.name(), column.data_type().clone(), true)));
        columns.push(column);
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, labels.schema().metadata().clone()));
    let rows = RecordBatchOptions::new().with_row_count(Some(labels.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &rows).map_err(Error::columns("put a training set together"))
}

fn label_column<'a>(labels: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Error> {
    labels.column_by_name(name).ok_or_else(|| {
        let schema = labels.schema();
        let known = schema.fields().iter().map(|field| field.name().as_str());
        Error::MissingColumn { place: PLACE.to_owned(), column: name.to_owned(), suggestion: closest(name, known) }
    })
}

struct Training<'a> {
    project: &'a Path,
    definitions: &'a Definitions,
    labels: &'a RecordBatch,
    at: TimeColumn,
    as_known: bool,
    /// Columns that are there already.
    made: HashMap<FeatureRef, ArrayRef>,
}

impl Training<'_> {
    /// Joins each view once, for all its features that are asked for or that expressions read.
    fn views(&mut self, references: &[FeatureRef]) -> Result<(), Error> {
        let mut open: Vec<FeatureRef> = references.to_vec();
        let mut wanted: Vec<(Arc<View>, Vec<usize>)> = Vec::new();
        while let Some(reference) = open.pop() {
            match &reference {
                FeatureRef::View { view, feature } => {
                    let view = self.definitions.view(view)?;
                    let Some(index) = view.feature_index(feature) else { continue };
                    match wanted.iter_mut().find(|(known, _)| known.name() == view.name()) {
                        Some((_, features)) if features.contains(&index) => {}
                        Some((_, features)) => features.push(index),
                        None => wanted.push((Arc::clone(view), vec![index])),
                    }
                }
                FeatureRef::OnDemand(name) => {
                    if let Some(feature) = self.definitions.on_demand.get(name) {
                        open.extend(feature.inputs().iter().cloned());
                    }
                }
                FeatureRef::Request(_) => {}
            }
        }
        wanted.iter().try_for_each(|(view, features)| self.view(view, features))
    }

    fn view(&mut self, view: &View, wanted: &[usize]) -> Result<(), Error> {
        let keys = view.keys().iter().map(|key| {
            let column = label_column(self.labels, &key.name)?;
            KeyColumn::new(PLACE, &key.name, column, key.value_type)
        });
        let knowledge = (self.as_known && view.source().created.is_some()).then(|| self.at.clone());
        let labels = Labels { keys: keys.collect::<Result<_, _>>()?, at: self.at.clone(), knowledge };
        let frame = Frame::load(self.project, view, wanted)?;
        let rows = join::point_in_time(&frame.facts, &labels, view.ttl());
        for (index, column) in wanted.iter().zip(frame.take(&rows)?) {
            let feature = &view.features()[*index];
            let column = filled(column, feature.default.as_ref(), feature.value_type)?;
            let reference = FeatureRef::View { view: view.name().to_owned(), feature: feature.name.clone() };
            self.made.insert(reference, column);
        }
        Ok(())
    }

    fn column(&mut self, reference: &FeatureRef) -> Result<ArrayRef, Error> {
        if let Some(column) = self.made.get(reference) {
            return Ok(ArrayRef::clone(column));
        }
        let column = match reference {
            FeatureRef::OnDemand(name) => {
                let feature = Arc::clone(&self.definitions.on_demand[name]);
                self.on_demand(&feature)?
            }
            FeatureRef::Request(name) => {
                let column = label_column(self.labels, name)?;
                expressions::cast_to(column, self.definitions.value_type(reference)?)
                    .map_err(|reason| Error::WrongType { place: PLACE.to_owned(), column: name.clone(), reason })?
            }
            FeatureRef::View { view, feature } => {
                unreachable!("every view was joined before, so `{view}:{feature}` is there")
            }
        };
        self.made.insert(reference.clone(), ArrayRef::clone(&column));
        Ok(column)
    }

    fn on_demand(&mut self, feature: &OnDemand) -> Result<ArrayRef, Error> {
        let inputs = feature.inputs().iter().map(|input| self.column(input));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let column = feature.compiled.evaluate(inputs, self.labels.num_rows());
        let column = column.map_err(|reason| Error::Expression {
            feature: FeatureRef::OnDemand(feature.name().to_owned()).to_string(),
            reason,
        })?;
        filled(column, feature.default.as_ref(), feature.value_type())
    }
}

/// The column with its nulls replaced by the default, as a row would have it.
fn filled(column: ArrayRef, default: Option<&Value>, kind: ValueType) -> Result<ArrayRef, Error> {
    let Some(default) = default.filter(|default| !default.is_null()) else { return Ok(column) };
    if column.null_count() == 0 {
        return Ok(column);
    }
    debug_assert_eq!(column.data_type(), &data_type(kind), "columns are cast before they are filled");
    let default = Scalar::new(column_of(kind, std::iter::once(default)));
    let known = is_not_null(&column).map_err(Error::columns("find missing values"))?;
    zip(&known, &column, &default).map_err(Error::columns("fill in defaults"))
}
