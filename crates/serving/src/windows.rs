//! Counts by arm and second.

/// How many seconds make one span, in which a route key counts once.
pub const EVENT_SPAN: i64 = 10;
