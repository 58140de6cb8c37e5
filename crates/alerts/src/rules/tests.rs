//! Which changes follow from what holds.
