//! What tests of serving and of its backends need: stand-ins for the ports, and the suite that every backend passes.

mod conformance;
mod stand_ins;

pub use conformance::{Subject, conformance};
pub use stand_ins::{Adder, AdderModel, Features, Files, Plans, Predictions, Reports, Shadows, ports};
