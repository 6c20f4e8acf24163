//! PostgreSQL as administrators have it: poolers, defaults of role and database, encodings, limits, TLS.

mod defaults;
mod pooled;
mod refused;
mod statistics;
