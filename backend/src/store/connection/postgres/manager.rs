//! The connections of a pool: how they are opened, whether they are sound, and why there are none.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bb8::ManageConnection;
use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr,
    sqlx::{self, Connection, PgConnection},
};
use tokio::sync::Notify;

use super::{
    server::{Server, may_pass},
    settings::Access,
};
use crate::{limits, store::fault::Fault};

/// The age at which a connection is closed: PostgreSQL's processes keep what they once needed.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The time after which a connection that nobody uses is closed.
const IDLE_TIME: Duration = Duration::from_secs(10 * 60);

/// A pool of connections to PostgreSQL. While new connections fail, everybody shares those that are open.
#[derive(Clone)]
pub(in crate::store) struct PostgresPool {
    connections: bb8::Pool<Manager>,
    state: Arc<PoolState>,
}

/// What all connections of a pool share.
pub(super) struct PoolState {
    server: Server,
    access: Access,
    suspicion: Suspicion,
    /// Why the last attempt to connect failed; none after a success.
    failure: Mutex<Option<Arc<sqlx::Error>>>,
    /// Notified about a failure that waiting does not cure.
    refused: Notify,
}

/// When a connection of the pool last hung: all connections that were open then are suspect.
#[derive(Debug, Default)]
struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn concerns(&self, opened: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| opened <= since)
    }
}

/// Opens and checks connections for bb8.
pub(in crate::store) struct Manager(Arc<PoolState>);

/// An open connection.
pub(in crate::store) struct PostgresLink {
    connection: PgConnection,
    opened: Instant,
    /// Whether it must not be used again.
    pub(in crate::store) is_broken: bool,
    /// Whether its statements stay prepared.
    pub(in crate::store) keeps_statements: bool,
}

impl Deref for PostgresLink {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for PostgresLink {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl ManageConnection for Manager {
    type Connection = PostgresLink;
    type Error = Arc<sqlx::Error>;

    async fn connect(&self) -> Result<PostgresLink, Arc<sqlx::Error>> {
        let state = &self.0;
        let silent = |_| Err(sqlx::Error::config(Fault::Silent(limits::CONNECTION_WAIT)));
        let opening = tokio::time::timeout(limits::CONNECTION_WAIT, state.server.connect(state.access));
        let connection = opening.await.unwrap_or_else(silent).map_err(Arc::new);
        *state.failure.lock().unwrap_or_else(PoisonError::into_inner) = connection.as_ref().err().cloned();
        if let Err(error) = &connection
            && !may_pass(error)
        {
            state.refused.notify_waiters();
        }
        let keeps_statements = !state.server.is_pooled();
        Ok(PostgresLink { connection: connection?, opened: Instant::now(), is_broken: false, keeps_statements })
    }

    /// PostgreSQL may have been restarted, or its host may have vanished.
    async fn is_valid(&self, link: &mut PostgresLink) -> Result<(), Arc<sqlx::Error>> {
        let silent = || Arc::new(sqlx::Error::config(Fault::Silent(limits::PING_TIME)));
        if self.0.suspicion.concerns(link.opened) {
            return Err(silent());
        }
        let answer = tokio::time::timeout(limits::PING_TIME, link.connection.ping()).await;
        answer.map_err(|_| silent())?.map_err(Arc::new)
    }

    fn has_broken(&self, link: &mut PostgresLink) -> bool {
        link.is_broken
    }
}

impl PostgresPool {
    /// Opens the first connection.
    pub(in crate::store) async fn open(server: &Server, access: Access, connections: u32) -> Result<Self, DbErr> {
        let state = PoolState {
            server: server.clone(),
            access,
            suspicion: Suspicion::default(),
            failure: Mutex::default(),
            refused: Notify::new(),
        };
        let state = Arc::new(state);
        let pool = bb8::Pool::builder()
            .max_size(connections)
            .max_lifetime(LIFETIME)
            .idle_timeout(IDLE_TIME)
            .connection_timeout(limits::CONNECTION_WAIT)
            .build_unchecked(Manager(Arc::clone(&state)));
        let pool = Self { connections: pool, state };
        drop(pool.acquire().await?);
        Ok(pool)
    }

    /// A connection: an open one that is or becomes free, or a new one.
    pub(in crate::store) async fn acquire(&self) -> Result<bb8::PooledConnection<'static, Manager>, DbErr> {
        tokio::select! {
            biased;
            connection = self.connections.get_owned() => connection.map_err(|_| {
                self.failure().unwrap_or_else(|| {
                    self.suspect();
                    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
                })
            }),
            failure = self.refusal() => Err(failure),
        }
    }

    /// Waits until the server refuses a connection and none is open, so that waiting for one is in vain.
    async fn refusal(&self) -> DbErr {
        loop {
            self.state.refused.notified().await;
            if let (0, Some(failure)) = (self.connections.state().connections, self.failure()) {
                return failure;
            }
        }
    }

    /// Why the last attempt to connect failed; none after a success.
    pub(in crate::store) fn failure(&self) -> Option<DbErr> {
        let failure = self.state.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::clone(error))))
    }

    /// From now on, connections that are open are suspect.
    pub(in crate::store) fn suspect(&self) {
        self.state.suspicion.begin();
    }

    pub(in crate::store) fn server(&self) -> &Server {
        &self.state.server
    }

    pub(in crate::store) fn begin_sql(&self) -> String {
        self.state.server.begin_sql(self.state.access)
    }

    /// Open connections, and how many of them are idle.
    pub(in crate::store) fn size(&self) -> (u32, u32) {
        let state = self.connections.state();
        (state.connections, state.idle_connections)
    }
}
