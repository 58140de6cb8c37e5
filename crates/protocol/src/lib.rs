//! The messages and the service of the Open Inference Protocol, version 2, over gRPC.
//!
//! Generated from `proto/inference.proto` and checked in. Nothing here decides anything: `api` translates between these
//! messages and `serving`.

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::large_futures,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated code is not ours to polish"
)]
#[rustfmt::skip]
#[path = "generated/inference.rs"]
pub mod inference;
