//! From a request to an answer by one version.

use std::sync::Arc;

use tokio::time::Instant;
use types::PredictionId;
use uuid::Uuid;

use super::Inner;
use crate::{
    Arm, Column, Enriched, Error, FeatureValue, InferRequest, InferResponse, Prepared, PreparedRow, ServedRow, Tensor,
    VersionPlan, execution,
    fleet::{Live, ModelRoute, Routes},
    inputs::{self, Intake},
    metrics::{self, Timings},
    route::RouteKey,
};

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) routes: Arc<Routes>,
    pub(super) live: Arc<Live>,
    pub(super) arm: Arm,
    pub(super) key: RouteKey,
}

/// One request's way through one version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) route: &'a ModelRoute,
    pub(super) live: &'a Live,
    pub(super) arm: Arm,
    pub(super) request: Uuid,
    pub(super) started: Instant,
}

/// An answer, and what came up on the way.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) response: InferResponse,
    pub(super) timings: Timings,
    /// The served rows, where they were asked for.
    pub(super) rows: Vec<ServedRow>,
}

impl Inner {
    /// One request, one version: the one that it names, or the one that the router chooses.
    pub(super) fn pick(&self, request: &InferRequest, id: Uuid) -> Result<Picked, Error> {
        let routes = self.fleet.routes();
        let route = routes.model(&request.model)?;
        let key = RouteKey::of(route.route_by(), &request.inputs, id);
        let (live, arm) = match request.version {
            Some(number) => (route.asked_for(&request.model, number, &request.principal)?, Arm::Explicit),
            None => route.routed(&request.model, &key)?,
        };
        Ok(Picked { routes, live, arm, key })
    }

    /// From inputs to an answer, by one version; with the served rows, if they are kept.
    pub(super) async fn answer(
        &self,
        request: InferRequest,
        turn: Turn<'_>,
        keep_rows: bool,
    ) -> Result<Answered, Error> {
        let Turn { live, started, .. } = turn;
        let mut timings = Timings::default();
        check_outputs(&request, live)?;
        let prepared = self.prepare(turn.route, live, turn.arm, request.inputs, &mut timings).await?;
        let Prepared { plan, rows, tensors, degraded, .. } = prepared;
        timings.input = started.elapsed();
        let executed = execution::execute(live, tensors).await?;
        timings.queue = executed.queue;
        timings.infer = executed.infer;
        let output_started = Instant::now();
        let outputs = executed.outputs;
        let count = rows.len();
        let served = self.served(&plan, turn, &request.principal.name, rows, &outputs);
        let kept = if keep_rows { served.clone() } else { Vec::new() };
        self.log(served);
        let outputs = wanted(outputs, &request.outputs);
        timings.output = output_started.elapsed();
        timings.total = started.elapsed();
        let version = plan.version.clone();
        let response = InferResponse { id: request.id, version, request: turn.request, rows: count, outputs, degraded };
        Ok(Answered { response, timings, rows: kept })
    }

    /// What a version would serve: the rows, not logged yet.
    pub(super) async fn rows(
        &self,
        turn: Turn<'_>,
        principal: &str,
        inputs: Vec<Tensor>,
    ) -> Result<Vec<ServedRow>, Error> {
        let prepared = self.prepare(turn.route, turn.live, turn.arm, inputs, &mut Timings::default()).await?;
        let outputs = execution::execute(turn.live, prepared.tensors).await?.outputs;
        Ok(self.served(&prepared.plan, turn, principal, prepared.rows, &outputs))
    }

    /// The rows of one request, by one version.
    fn served(
        &self,
        plan: &VersionPlan,
        turn: Turn<'_>,
        principal: &str,
        rows: Vec<PreparedRow>,
        outputs: &[Tensor],
    ) -> Vec<ServedRow> {
        let of_row = |(row, PreparedRow { entities, features }): (usize, PreparedRow)| ServedRow {
            id: PredictionId::new(turn.request, u32::try_from(row).unwrap_or(u32::MAX)),
            at: self.clock.now(),
            version: plan.version.clone(),
            arm: turn.arm,
            release: plan.release.clone(),
            principal: principal.to_owned(),
            entities,
            degraded: features.iter().any(|feature| feature.degraded),
            features,
            outputs: outputs.iter().map(|tensor| (tensor.name.clone(), tensor.row_values(row))).collect(),
        };
        rows.into_iter().enumerate().map(of_row).collect()
    }

    /// Hands rows to the prediction sink; serving goes on without it.
    fn log(&self, rows: Vec<ServedRow>) {
        let count = rows.len();
        if let Err(error) = self.ports.predictions.record(rows) {
            metrics::unlogged(&self.metrics, count);
            tracing::error!(error, rows = count, "served rows were not logged");
        }
    }

    /// From inputs to the model's inputs, with features added where the caller sent entities.
    pub(super) async fn prepare(
        &self,
        route: &ModelRoute,
        live: &Live,
        arm: Arm,
        inputs: Vec<Tensor>,
        timings: &mut Timings,
    ) -> Result<Prepared, Error> {
        let plan = Arc::clone(&live.plan);
        match inputs::read(&plan, live.schema(), route.context(), inputs)? {
            Intake::Direct { tensors, context, rows } => {
                let rows = (0..rows).map(|row| direct_row(live, &tensors, &context, row)).collect();
                Ok(Prepared { plan, arm, rows, tensors, degraded: false })
            }
            Intake::Entities { rows, context } => {
                let looking_up = Instant::now();
                let Enriched { rows: mut features } = self.ports.features.enrich(&plan, &rows).await?;
                timings.features = Some(looking_up.elapsed());
                check_enriched(live, rows.rows, &features)?;
                replace_overridden(&rows.overrides, &mut features);
                let tensors = live.layout.assemble(&features, |row| describe_entity(&rows.entities, row))?;
                let degraded = features.iter().flatten().any(|feature| feature.degraded);
                let of_row = |(row, features)| PreparedRow {
                    entities: inputs::row_of(&rows.entities, row)
                        .chain(inputs::row_of(&rows.request, row))
                        .chain(inputs::row_of(&context, row))
                        .collect(),
                    features,
                };
                let rows = features.into_iter().enumerate().map(of_row).collect();
                Ok(Prepared { plan, arm, rows, tensors, degraded })
            }
        }
    }
}

/// A row of a request that sent every input: what of it is logged.
fn direct_row(live: &Live, tensors: &[Tensor], context: &[Column], row: usize) -> PreparedRow {
    let named = live.layout.logged().iter().filter_map(|logged| {
        let tensor = tensors.iter().find(|tensor| tensor.name == logged.input)?;
        Some(logged.elements.iter().cloned().zip(tensor.row_values(row)))
    });
    let sent = |(name, value)| FeatureValue {
        name,
        value,
        event_time: None,
        origin: "override".into(),
        degraded: false,
        digest: None,
    };
    PreparedRow { entities: inputs::row_of(context, row).collect(), features: named.flatten().map(sent).collect() }
}

/// The feature source's contract, held to: one list for each row, each in the plan's order.
fn check_enriched(live: &Live, rows: usize, enriched: &[Vec<FeatureValue>]) -> Result<(), Error> {
    let in_order = |row: &Vec<FeatureValue>| row.iter().map(|feature| &*feature.name).eq(live.plan.features.iter());
    if enriched.len() == rows && enriched.iter().all(in_order) {
        return Ok(());
    }
    let message = format!("the feature source answered {} rows of other features than asked for", enriched.len());
    Err(crate::FeatureError::Failed { source: message.into() }.into())
}

/// What the caller sent stands, whatever the feature source made of it.
fn replace_overridden(overrides: &[Column], rows: &mut [Vec<FeatureValue>]) {
    for column in overrides {
        for (features, value) in rows.iter_mut().zip(&column.values) {
            let overridden = features.iter_mut().find(|feature| crate::input_name(&feature.name) == column.name);
            if let Some(feature) = overridden.filter(|feature| feature.origin != "override") {
                feature.value = value.clone();
                feature.origin = "override".into();
                (feature.event_time, feature.degraded) = (None, false);
            }
        }
    }
}

/// Whom a row is about, for messages: `user_id=7`.
fn describe_entity(entities: &[Column], row: usize) -> String {
    let described: Vec<_> = inputs::row_of(entities, row).map(|(name, value)| format!("{name}={value}")).collect();
    if described.is_empty() { format!("row {row}") } else { described.join(", ") }
}

/// The caller wants only outputs that there are.
fn check_outputs(request: &InferRequest, live: &Live) -> Result<(), Error> {
    let outputs = &live.schema().outputs;
    let Some(output) = request.outputs.iter().find(|name| !outputs.iter().any(|spec| spec.name == **name)) else {
        return Ok(());
    };
    let known = outputs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(Error::UnknownOutput { output: output.clone(), model: request.model.clone(), known })
}

/// The outputs wanted, in the order wanted; all, if none is named.
fn wanted(outputs: Vec<Tensor>, names: &[String]) -> Vec<Tensor> {
    if names.is_empty() {
        return outputs;
    }
    names.iter().filter_map(|name| outputs.iter().find(|tensor| tensor.name == *name).cloned()).collect()
}
