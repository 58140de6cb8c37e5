//! Decisions of releases go into identity's audit trail, in the decision's own transaction.

use database::Transaction;
use futures::future::LocalBoxFuture;
use release::AuditSink;
use types::AuditEntry;

/// Writes to the trail of `identity`.
#[derive(Debug)]
pub(crate) struct Trail;

impl AuditSink for Trail {
    fn record<'t>(
        &'t self,
        transaction: &'t mut Transaction,
        entry: &'t AuditEntry,
    ) -> LocalBoxFuture<'t, Result<(), database::Error>> {
        Box::pin(identity::Service::record(transaction, entry))
    }
}
