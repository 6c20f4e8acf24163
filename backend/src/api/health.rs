//! Whether the process is up, and whether it is ready to work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, types::Example};

use super::{
    Context, Tag,
    answer::Answer,
    failure::{Failure, ReadinessCheck},
    problem::{Code, Problem},
};
use crate::health::HealthProblem;

pub(super) struct Operations;

/// The state of the server.
#[derive(Object)]
#[oai(example)]
struct Health {
    /// Always `ok`; anything else is a problem document.
    status: String,
    /// Version of the backend.
    version: String,
}

impl Health {
    fn ok() -> Answer<Self> {
        Answer(Self { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
    }
}

impl Example for Health {
    fn example() -> Self {
        Self::ok().0
    }
}

#[OpenApi(prefix_path = "/api/v1/health", tag = "Tag::Health")]
impl Operations {
    /// Is the process up?
    #[oai(path = "/", method = "get", operation_id = "health")]
    async fn health(&self) -> Answer<Health> {
        Health::ok()
    }

    /// Is it ready?
    ///
    /// Ready means: the database accepts events and still holds those that were answered 200, all migrations are
    /// applied, writer and delivery make progress, and the server is not shutting down. Otherwise the problem's detail
    /// says what is wrong and what to do.
    #[oai(path = "/ready", method = "get", operation_id = "ready")]
    async fn ready(&self, context: Data<&Arc<Context>>) -> Result<Answer<Health>, Failure<ReadinessCheck>> {
        if context.ingest.is_draining() {
            return Err(Problem::new(Code::Draining).into());
        }
        match context.health.check(&context.store).await {
            None => Ok(Health::ok()),
            Some(HealthProblem::Migrations(_)) => Err(Problem::new(Code::NotMigrated).into()),
            Some(problem) => Err(Problem::with_detail(Code::DatabaseUnavailable, problem.sentence()).into()),
        }
    }
}
