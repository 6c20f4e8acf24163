//! Since when an item is due to be delivered.
//!
//! `changed_at` says since when a change is undelivered. A record that failed last year and is retried now has waited for
//! a year, but the delivery has had no time yet. So `queued_at` says since when it is pending or in flight without a
//! break: retries that fail for a moment are none, being parked or failed is one, and has alerts of its own.

/// SQL for since when an item is pending or in flight. Those that an earlier version made so have the change's time alone.
pub(in crate::store) const SINCE: &str = "coalesce(queued_at, changed_at)";

/// SQL for the assignment that goes with making an item pending; its parameter is the present time.
pub(super) const QUEUED: &str = "queued_at = CASE WHEN state IN ('pending', 'in_flight') THEN queued_at ELSE ? END";
