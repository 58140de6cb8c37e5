//! Drift and KPIs: what the prediction log says about inputs, answers and what became of them.
