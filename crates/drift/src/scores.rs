//! Drift scores of two samples, as Evidently computes them.
