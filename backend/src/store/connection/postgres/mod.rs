//! PostgreSQL: how it is reached, directly or through a pooler, what is set there, and its pool of connections.

pub(in crate::store) mod manager;
pub(in crate::store) mod options;
pub(in crate::store) mod server;
pub(in crate::store) mod settings;
