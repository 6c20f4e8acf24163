//! The plugin's *Test connection*.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Enum, Object, OpenApi, types::Example};

use super::{
    CONTRACT_VERSION, Context, Tag,
    answer::Answer,
    auth::SiteToken,
    failure::{Failure, SiteQuery},
};
use crate::{limits, model::EventType};

pub(super) struct Operations;

/// What a sender may do, beyond the first version of the contract. There may be more of them later.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Capability {
    /// Bodies may be sent with `Content-Encoding: gzip`, past firewalls that read them.
    Gzip,
}

/// Which site the sender is, and what it may send.
#[derive(Object)]
#[oai(example)]
struct Handshake {
    /// The name of the token's site.
    site: String,
    /// Version of the backend.
    backend_version: String,
    /// Version of the API contract, `major.minor`. With different majors, sender and backend do not understand each
    /// other.
    contract_version: String,
    /// The accepted event types.
    event_types: Vec<EventType>,
    /// Maximum events in one batch.
    max_batch_events: usize,
    /// Maximum size of a request body, in bytes; of a packed one, unpacked.
    max_body_bytes: usize,
    /// What else a sender may do.
    capabilities: Vec<Capability>,
    /// The server's clock, in Unix seconds.
    time: i64,
}

impl Example for Handshake {
    fn example() -> Self {
        Self::new("college".to_owned(), 1_795_333_607)
    }
}

impl Handshake {
    fn new(site: String, time: i64) -> Self {
        Self {
            site,
            backend_version: env!("CARGO_PKG_VERSION").to_owned(),
            contract_version: CONTRACT_VERSION.to_owned(),
            event_types: EventType::ALL.to_vec(),
            max_batch_events: limits::BATCH_EVENTS,
            max_body_bytes: limits::BODY_BYTES,
            capabilities: vec![Capability::Gzip],
            time,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1/events/moodle", tag = "Tag::Moodle")]
impl Operations {
    /// Test the connection
    ///
    /// Answers which site the token belongs to, the versions, the accepted event types, and the server's clock.
    #[oai(path = "/handshake", method = "get", operation_id = "handshake")]
    async fn handshake(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
    ) -> Result<Answer<Handshake>, Failure<SiteQuery>> {
        // The person pressing *Test connection* asks about the token as it is now, so bypass the cache.
        context.tokens.check(&token.0, &context.own_store(), context.clock.now()).await?;
        Ok(Answer(Handshake::new(token.0.site.name.clone(), context.clock.now().0 / 1000)))
    }
}
