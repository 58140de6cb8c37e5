//! SQL expressions, compiled once, evaluated by the same code on one row and on a million.
//!
//! [`Compiled::new`] goes from text to a physical expression: parse, resolve, refuse what is not deterministic, coerce
//! types, simplify (without that step `coalesce` only fails when it is evaluated), plan. Arithmetic on integers fails
//! on overflow instead of wrapping, and the result is cast to the declared type by a checked cast. A plan takes
//! milliseconds and an evaluation microseconds, so nothing compiles while a request waits.

mod cast;
mod functions;
mod lint;

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion_common::{
    DFSchema, DataFusionError, SchemaError,
    config::ConfigOptions,
    tree_node::{Transformed, TreeNode},
};
use datafusion_expr::{
    Expr, ExprSchemable, Operator, execution_props::ExecutionProps, physical_planning_context::PhysicalPlanningContext,
    simplify::SimplifyContext,
};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr, expressions::BinaryExpr};
use datafusion_sql::{
    parser::DFParserBuilder,
    planner::{ParserOptions, PlannerContext, SqlToRel},
    sqlparser::ast,
};
use thiserror::Error as ThisError;
use types::{ErrorKind, ValueType};

pub(crate) use cast::{cast_to, castable, is_text};

use crate::suggest::{closest, hint};
use functions::Functions;

/// Longer text is no expression that a person wrote.
const LONGEST: usize = 4096;
/// Evaluation recurses; a thread of the runtime has stack for several times this.
const DEEPEST: usize = 128;
/// Planning recurses too, before the depth is known; text of the longest length needs some 10 MB.
const PLANNING_STACK: usize = 64 << 20;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{reason}{}", hint(.suggestion.as_ref()))]
pub struct Error {
    /// What is wrong, in words.
    pub reason: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

impl Error {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), suggestion: None }
    }

    /// Always [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidArgument
    }
}

/// An expression that is ready to be evaluated.
#[derive(Clone)]
pub struct Compiled {
    sql: Arc<str>,
    inputs: SchemaRef,
    output: ValueType,
    physical: Arc<dyn PhysicalExpr>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("sql", &self.sql).field("output", &self.output).finish_non_exhaustive()
    }
}

impl Compiled {
    /// Compiles `sql` over columns of `available`, of which it keeps those that it uses, to a column of type `output`.
    ///
    /// # Errors
    /// When the text does not parse, names an unknown column or function, is not deterministic, or gives a type that
    /// does not become `output` without loss.
    pub fn new(sql: &str, available: &[(&str, DataType)], output: ValueType) -> Result<Self, Error> {
        with_stack(|| Self::compile(sql, available, output))
    }

    fn compile(sql: &str, available: &[(&str, DataType)], output: ValueType) -> Result<Self, Error> {
        let ast = parse(sql)?;
        let mut fields = Vec::new();
        for name in free_columns(&ast)? {
            let known = available.iter().find(|(candidate, _)| *candidate == name);
            let (_, kind) = known.ok_or_else(|| Error {
                reason: format!("there is no column `{name}`"),
                suggestion: closest(&name, available.iter().map(|(candidate, _)| *candidate)),
            })?;
            fields.push(Field::new(name, kind.clone(), true));
        }
        let inputs = Arc::new(Schema::new(fields));
        let schema = DFSchema::try_from(Arc::clone(&inputs)).map_err(|error| reword(&error))?;
        let expr = resolve(ast, &schema).map_err(|error| reword(&error))?;
        lint::refuse_depth(&expr, DEEPEST)?;
        lint::refuse_unpredictable(&expr)?;
        let physical = plan(expr, &schema, output)?;
        Ok(Self { sql: sql.into(), inputs, output, physical })
    }

    /// The columns that it reads, in the order that [`evaluate`](Self::evaluate) wants them.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inputs.fields().iter().map(|field| field.name().as_str())
    }

    /// Evaluates it over `columns`, one for each of [`inputs`](Self::inputs), of `rows` rows.
    ///
    /// # Errors
    /// When a value cannot be computed: overflow, division by zero, a cast that would lose something.
    pub fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, Error> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.inputs), columns, &options)
            .map_err(|error| Error::new(error.to_string()))?;
        let result = self.physical.evaluate(&batch).and_then(|value| value.into_array(rows));
        let result = result.map_err(|error| reword(&error))?;
        cast_to(&result, self.output).map_err(|reason| Error::new(format!("`{}`: {reason}", self.sql)))
    }
}

/// Checks all of `sql` that can be checked without knowing its columns' types, and says which columns it reads.
///
/// # Errors
/// As [`Compiled::new`], types apart.
pub fn columns_of(sql: &str) -> Result<Vec<String>, Error> {
    with_stack(|| free_columns(&parse(sql)?))
}

/// Runs `work` where it may recurse deeply.
fn with_stack<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let planner = std::thread::Builder::new().name("expression-planner".to_owned()).stack_size(PLANNING_STACK);
        let planner = planner.spawn_scoped(scope, work);
        let planner = planner.map_err(|error| Error::new(format!("there is no thread to plan it on: {error}")))?;
        planner.join().unwrap_or_else(|_| Err(Error::new("the planner failed on it")))
    })
}

fn parse(sql: &str) -> Result<ast::Expr, Error> {
    if sql.len() > LONGEST {
        return Err(Error::new(format!("the expression is longer than {LONGEST} bytes")));
    }
    let parsed = DFParserBuilder::new(sql).build().and_then(|mut parser| parser.parse_into_expr());
    let parsed = parsed.map_err(|error| reword(&error))?;
    match parsed.alias {
        None => Ok(parsed.expr),
        Some(alias) => Err(Error::new(format!("a feature is named by `name`, not by `AS {alias}`"))),
    }
}

fn resolve(ast: ast::Expr, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    let functions = Functions::get();
    let options = ParserOptions { enable_ident_normalization: false, ..ParserOptions::default() };
    SqlToRel::new_with_options(functions, options).sql_to_expr(ast, schema, &mut PlannerContext::new())
}

/// Resolves against ever more columns until none is missing: the planner knows best what is a column.
fn free_columns(ast: &ast::Expr) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = Vec::new();
    loop {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Null, true)).collect();
        let schema = DFSchema::try_from(Schema::new(fields)).map_err(|error| reword(&error))?;
        let error = match resolve(ast.clone(), &schema) {
            Ok(expr) => {
                lint::refuse_depth(&expr, DEEPEST)?;
                lint::refuse_unpredictable(&expr)?;
                return Ok(names);
            }
            Err(error) => error,
        };
        match missing_column(&error) {
            Some(name) if !names.contains(&name) => names.push(name),
            Some(_) | None => return Err(reword(&error)),
        }
    }
}

fn missing_column(error: &DataFusionError) -> Option<String> {
    let DataFusionError::SchemaError(error, _) = error.find_root() else { return None };
    let SchemaError::FieldNotFound { field, .. } = error.as_ref() else { return None };
    field.relation.is_none().then(|| field.name.clone())
}

fn plan(expr: Expr, schema: &DFSchema, output: ValueType) -> Result<Arc<dyn PhysicalExpr>, Error> {
    let failed = |error: DataFusionError| reword(&error);
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::new(ConfigOptions::default()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(expr, schema).map_err(failed)?;
    lint::refuse_interval_comparisons(&expr, schema)?;
    let expr = simplifier.simplify(expr).map_err(failed)?;
    let expr = simplifier.coerce(expr, schema).map_err(failed)?;
    let found = expr.get_type(schema).map_err(failed)?;
    if !castable(&found, output) {
        return Err(Error::new(format!(
            "it gives {found}, which does not become {output} without loss; say which conversion is meant, as in \
             `CAST(… AS {})`",
            sql_type(output)
        )));
    }
    let physical = create_physical_expr(&expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default());
    physical.map_err(failed).and_then(|physical| checked(physical).map_err(failed))
}

/// The same expression with integer arithmetic that fails on overflow.
fn checked(physical: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
    let rewritten = physical.transform_up(|node| {
        let Some(binary) = node.downcast_ref::<BinaryExpr>() else { return Ok(Transformed::no(node)) };
        let arithmetic = matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply);
        if !arithmetic {
            return Ok(Transformed::no(node));
        }
        let (left, right) = (Arc::clone(binary.left()), Arc::clone(binary.right()));
        let checked = BinaryExpr::new(left, *binary.op(), right).with_fail_on_overflow(true);
        Ok(Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(rewritten.data)
}

const fn sql_type(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Bool => "BOOLEAN",
        ValueType::Int32 => "INT",
        ValueType::Int64 => "BIGINT",
        ValueType::Float32 => "REAL",
        ValueType::Float64 => "DOUBLE",
        ValueType::String => "VARCHAR",
        ValueType::Timestamp => "TIMESTAMP",
    }
}

/// DataFusion's message in one line, without its categories, and the function that was probably meant.
fn reword(error: &DataFusionError) -> Error {
    let text = error.strip_backtrace();
    let first = text.lines().next().unwrap_or_default();
    let categories = [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Execution error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
        "Optimizer rule 'simplify_expressions' failed",
        "Internal error: ",
    ];
    let mut reason = first;
    while let Some(rest) = categories.iter().find_map(|category| reason.strip_prefix(category)) {
        reason = rest;
    }
    if let Some(name) = reason.strip_prefix("Invalid function '").and_then(|rest| rest.split('\'').next()) {
        let known = Functions::get().names();
        return Error {
            reason: format!("there is no function `{name}`"),
            suggestion: closest(name, known.iter().map(String::as_str)),
        };
    }
    if reason == "RecursionLimitExceeded" {
        reason = "it nests too deeply";
    }
    if let Some(parser) = reason.strip_prefix("ParserError(\"").and_then(|rest| rest.strip_suffix("\")")) {
        reason = parser;
    }
    Error::new(reason)
}

#[cfg(test)]
mod tests;
