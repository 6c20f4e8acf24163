//! The plugin's *Test connection*.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Enum, Object, OpenApi, param::Query, types::Example};
use uuid::Uuid;

use super::{
    CONTRACT_VERSION, Context, Tag,
    answer::Answer,
    auth::SiteToken,
    failure::{Failure, SiteQuery},
};
use crate::{
    clock::Timestamp, delivery::Destination as _, limits, model::EventType, store::NewestEvent,
    views::DestinationParityView, zoho::destination::Zoho,
};

pub(super) struct Operations;

/// What a sender may do, beyond the first version of the contract. There may be more of them later.
#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum Capability {
    /// Bodies may be sent with `Content-Encoding: gzip`, past firewalls that read them.
    Gzip,
    /// Records may be compared by their digests.
    Parity,
}

/// The newest event of the site, by the time of its change in Moodle.
#[derive(Object)]
struct NewestEventView {
    /// The event's idempotency key.
    #[oai(rename = "client_id")]
    idempotency_key: Uuid,
    /// The event's place in the event log.
    id: i64,
    /// The time of its version.
    time: i64,
    /// The sequence of its version.
    #[oai(nullable)]
    sequence: Option<i64>,
}

/// Whether the destination has what Moodle reported, as of the last comparison with it.
#[derive(Object)]
struct HandshakeDestination {
    /// The name of the destination.
    name: String,
    /// Whether it has what the mapping writes, but for what people left as it is there.
    agrees: bool,
    /// Records that differ there, of all sites.
    differing: u64,
    /// As of when, in Unix seconds; null if it was never compared.
    #[oai(nullable)]
    as_of: Option<i64>,
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
    /// Whether the event of `last_event` is stored. If not, the backend was restored from a backup that is older. Null
    /// when no event was named, or when it is so old that its like are deleted.
    #[oai(nullable)]
    holds_last_event: Option<bool>,
    /// A sender whose own sequence is behind this one has gone back in time. Null when no event of the site carried an
    /// id, or all are deleted.
    #[oai(nullable)]
    newest_event: Option<NewestEventView>,
    /// Null when nothing is delivered anywhere.
    #[oai(nullable)]
    destination: Option<HandshakeDestination>,
    /// The server's clock, in Unix seconds.
    time: i64,
}

impl Example for Handshake {
    fn example() -> Self {
        let newest = NewestEventView {
            idempotency_key: Uuid::from_u128(0x0192_f3a1_7c1e_7000_8000_0000_0000_0001),
            id: 17,
            time: 1_795_333_600,
            sequence: Some(17),
        };
        let handshake = Self::new("college".to_owned(), 1_795_333_607);
        let destination = HandshakeDestination::from(DestinationParityView::example());
        let (newest_event, destination) = (Some(newest), Some(destination));
        Self { holds_last_event: Some(true), newest_event, destination, ..handshake }
    }
}

impl From<NewestEvent> for NewestEventView {
    fn from(newest: NewestEvent) -> Self {
        let NewestEvent { idempotency_key, id, version } = newest;
        Self { idempotency_key, id, time: version.time, sequence: version.sequence }
    }
}

impl From<DestinationParityView> for HandshakeDestination {
    fn from(view: DestinationParityView) -> Self {
        let as_of = view.as_of().and_then(Timestamp::from_rfc3339).map(|at| at.0.div_euclid(1_000));
        let (agrees, differing) = (view.agrees, view.differing());
        Self { name: view.destination, agrees, differing, as_of }
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
            capabilities: vec![Capability::Gzip, Capability::Parity],
            holds_last_event: None,
            newest_event: None,
            destination: None,
            time,
        }
    }
}

#[OpenApi(prefix_path = "/api/v1/events/moodle", tag = "Tag::Moodle")]
impl Operations {
    /// Test the connection
    ///
    /// Answers which site the token belongs to, the versions, the accepted event types, and the server's clock. And
    /// whether the server and the sender remember the same: either may have been restored from an older backup. And whether
    /// the destination has what was delivered.
    #[oai(path = "/handshake", method = "get", operation_id = "handshake")]
    async fn handshake(
        &self,
        token: SiteToken,
        context: Data<&Arc<Context>>,
        /// The idempotency key of the event that was acknowledged last.
        last_event: Query<Option<Uuid>>,
        /// The place in the event log that was acknowledged with it.
        last_position: Query<Option<i64>>,
    ) -> Result<Answer<Handshake>, Failure<SiteQuery>> {
        let (site, store) = (&token.0.site, context.own_store());
        // The person pressing *Test connection* asks about the token as it is now, so bypass the cache.
        context.tokens.check(&token.0, &store, context.clock.now()).await?;
        let mut handshake = Handshake::new(site.name.clone(), context.clock.now().0 / 1000);
        if let (Some(key), Some(position)) = (last_event.0, last_position.0) {
            handshake.holds_last_event = store.holds_event(site.id, key, position).await?;
        }
        handshake.newest_event = store.newest_event(site.id).await?.map(NewestEventView::from);
        if context.zoho().is_some() {
            let view = DestinationParityView::read(&store, Zoho::NAME).await?;
            handshake.destination = Some(view.into());
        }
        Ok(Answer(handshake))
    }
}
