//! What tests of serving and of its backends need: stand-ins for the ports, and the suite that every backend passes.

mod conformance;
mod receivers;
mod stand_ins;

pub use conformance::{Subject, conformance};
pub use receivers::{Reports, Shadows};
pub use stand_ins::{Adder, AdderModel, Behaviour, Features, Files, Plans, Predictions, ports};
