//! Reading a request's body from somebody who may be slow.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use poem::{Body, Request};
use tokio::time::Instant;

use super::peer::Peer;
use crate::limits;

/// Why a body did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It came too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// It ended before its end, or is not coded as HTTP demands.
    #[error("the body is incomplete: {0}")]
    Broken(#[from] io::Error),
}

/// Reads a body piece by piece. While it exists, the connection counts as waiting for its other side.
pub struct BodyReader {
    pieces: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
    begun: Instant,
    received: usize,
    peer: Option<Arc<Peer>>,
}

impl BodyReader {
    /// Begins to read the body of `request`.
    pub fn new(request: &Request, body: Body) -> Self {
        let peer = request.data::<Arc<Peer>>().cloned();
        if let Some(peer) = &peer {
            peer.sends_body(true);
        }
        Self { pieces: Box::pin(body.into_bytes_stream()), begun: Instant::now(), received: 0, peer }
    }

    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let deadline = self.begun + time_for(self.received);
        let piece = tokio::time::timeout_at(deadline, self.pieces.next()).await.map_err(|_| ReadError::TooSlow)?;
        let piece = piece.transpose()?;
        self.received += piece.as_ref().map_or(0, Bytes::len);
        Ok(piece)
    }

    /// Reads the rest of a refused body, up to a limit: many clients only look at the answer once they have sent
    /// everything.
    pub async fn discard(mut self) {
        let limit = self.received + limits::DISCARDED_BODY_BYTES;
        while self.received < limit && matches!(self.next().await, Ok(Some(_))) {}
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        if let Some(peer) = &self.peer {
            peer.sends_body(false);
        }
    }
}

/// The time from a body's beginning in which more than `received` bytes must have arrived.
fn time_for(received: usize) -> Duration {
    let earned = Duration::from_secs((received / limits::BODY_RATE) as u64);
    limits::BODY_READ_TIME.min(limits::BODY_GRACE + earned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::time_for;
    use crate::limits;

    #[test]
    fn time_is_earned_by_sending() {
        assert_eq!(time_for(1), limits::BODY_GRACE);
        assert_eq!(time_for(5 * limits::BODY_RATE), limits::BODY_GRACE + Duration::from_secs(5));
        assert_eq!(time_for(limits::BODY_BYTES), limits::BODY_READ_TIME);
    }
}
