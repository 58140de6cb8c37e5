//! What an expression must not contain although DataFusion would evaluate it.
//!
//! A value that depends on when or where it is computed cannot be equal on two rails, so functions that are not
//! immutable are refused. A comparison with an interval is a trap: intervals of different units do not order as their
//! lengths do (30 hours compare as less than 1 day).

use arrow::datatypes::DataType;
use datafusion_common::{
    DFSchema, DataFusionError,
    tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor},
};
use datafusion_expr::{Expr, ExprSchemable, Operator, Volatility};

use super::Error;

/// Refuses what nests so deeply that evaluating it could exhaust a thread's stack.
pub(super) fn refuse_depth(expr: &Expr, deepest: usize) -> Result<(), Error> {
    let mut depth = Depth { now: 0, most: 0 };
    expr.visit(&mut depth).map_err(|error| super::reword(&error))?;
    if depth.most > deepest {
        return Err(Error::new(format!("it nests {} operations deep; {deepest} is the most", depth.most)));
    }
    Ok(())
}

struct Depth {
    now: usize,
    most: usize,
}

impl TreeNodeVisitor<'_> for Depth {
    type Node = Expr;

    fn f_down(&mut self, _node: &Expr) -> Result<TreeNodeRecursion, DataFusionError> {
        self.now += 1;
        self.most = self.most.max(self.now);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _node: &Expr) -> Result<TreeNodeRecursion, DataFusionError> {
        self.now -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}

/// Refuses functions whose result is not decided by their arguments, and placeholders.
pub(super) fn refuse_unpredictable(expr: &Expr) -> Result<(), Error> {
    find(expr, |node| {
        if let Expr::ScalarFunction(call) = node
            && call.func.signature().volatility != Volatility::Immutable
        {
            return Some(Error::new(format!(
                "`{}()` is not deterministic: training and serving would compute different values; pass the value in \
                 with the request instead",
                call.name()
            )));
        }
        if let Expr::Placeholder(placeholder) = node {
            return Some(Error::new(format!(
                "`{}` stands for nothing: an expression has no parameters",
                placeholder.id
            )));
        }
        refuse_subquery(node)
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
    find(expr, |node| {
        let compares_intervals = if let Expr::BinaryExpr(binary) = node {
            matches!(binary.op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
                && (is_interval(&binary.left) || is_interval(&binary.right))
        } else if let Expr::Between(between) = node {
            is_interval(&between.expr)
        } else {
            false
        };
        compares_intervals.then(refusal)
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
