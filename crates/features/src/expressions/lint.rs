//! What an expression must not contain although DataFusion would evaluate it.
//!
//! A value that depends on when or where it is computed cannot be equal on two rails, so functions that are not
//! immutable are refused. A comparison with an interval is a trap: intervals of different units do not order as their
//! lengths do (30 hours compare as less than 1 day).

use arrow::datatypes::DataType;
use datafusion_common::{
    DFSchema,
    tree_node::{TreeNode, TreeNodeRecursion},
};
use datafusion_expr::{Expr, ExprSchemable, Operator, Volatility};

use super::Error;

/// Refuses functions whose result is not decided by their arguments, and placeholders.
pub(super) fn refuse_unpredictable(expr: &Expr) -> Result<(), Error> {
    find(expr, |node| match node {
        Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
            Some(Error::new(format!(
                "`{}()` is not deterministic: training and serving would compute different values; pass the value in \
                 with the request instead",
                call.name()
            )))
        }
        Expr::Placeholder(placeholder) => {
            Some(Error::new(format!("`{}` stands for nothing: an expression has no parameters", placeholder.id)))
        }
        other => refuse_subquery(other),
    })
}

fn refuse_subquery(expr: &Expr) -> Option<Error> {
    let reason = "an expression reads columns of one row: no subqueries";
    matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_)).then(|| Error::new(reason))
}

/// Refuses `<`, `<=`, `>`, `>=` and `BETWEEN` on intervals and durations.
pub(super) fn refuse_interval_comparisons(expr: &Expr, schema: &DFSchema) -> Result<(), Error> {
    let is_interval = |side: &Expr| matches!(side.get_type(schema), Ok(DataType::Interval(_) | DataType::Duration(_)));
    let refusal = || {
        Error::new(
            "comparing with an interval is not what it seems (30 hours compare as less than 1 day); compare seconds, \
             as in `date_part('epoch', a) - date_part('epoch', b) <= 86400`",
        )
    };
    find(expr, |node| match node {
        Expr::BinaryExpr(binary)
            if matches!(binary.op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq) =>
        {
            (is_interval(&binary.left) || is_interval(&binary.right)).then(refusal)
        }
        Expr::Between(between) => is_interval(&between.expr).then(refusal),
        _other_expression_of_datafusion => None,
    })
}

fn find(expr: &Expr, mut problem: impl FnMut(&Expr) -> Option<Error>) -> Result<(), Error> {
    let mut found = None;
    let walked = expr.apply(|node| {
        found = problem(node);
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match (found, walked) {
        (Some(error), _) => Err(error),
        (None, Ok(_)) => Ok(()),
        (None, Err(error)) => Err(super::reword(&error)),
    }
}
