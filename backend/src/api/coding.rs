//! The content coding of request bodies: as they are, or gzip. A firewall that reads bodies takes a text in one for an
//! attack; it does not look into gzip.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use poem::http::{HeaderMap, header};

use super::problem::{Code, Problem};
use crate::{ingest::Room, limits};

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

impl Coding {
    /// What the sender says.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
        let coding = said.next().map(|coding| coding.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match (coding.as_deref(), said.next()) {
            (None | Some("" | "identity"), None) => Ok(Self::Identity),
            (Some("gzip" | "x-gzip"), None) => Ok(Self::Gzip),
            _ => Err(Problem::with_detail(
                Code::UnsupportedMediaType,
                "Send the body as it is, or with the header Content-Encoding: gzip; no other coding is supported.",
            )),
        }
    }
}

/// Where a body goes as it arrives: unpacked, it has the limit of a plain one, and takes room as it grows.
pub(super) enum Intake {
    Plain(Collected),
    /// Boxed, because a decoder is large and most bodies are plain.
    Packed(Box<GzDecoder<Collected>>),
}

impl Intake {
    pub(super) fn new(coding: Coding, room: Room) -> Self {
        let collected = Collected { bytes: Vec::new(), room, refusal: None };
        match coding {
            Coding::Identity => Self::Plain(collected),
            Coding::Gzip => Self::Packed(Box::new(GzDecoder::new(collected))),
        }
    }

    /// Takes the next piece in.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Plain(collected) => collected.add(piece),
            Self::Packed(decoder) => decoder.write_all(piece).map_err(|_| decoder.get_mut().refusal()),
        }
    }

    /// The whole body, once all of it has arrived.
    pub(super) fn finish(self) -> Result<(Vec<u8>, Room), Problem> {
        let collected = match self {
            Self::Plain(collected) => collected,
            Self::Packed(mut decoder) => {
                decoder.try_finish().map_err(|_| decoder.get_mut().refusal())?;
                decoder.finish().map_err(|_| not_gzip())?
            }
        };
        Ok((collected.bytes, collected.room))
    }
}

/// The bytes of a body so far. The decoder hands over small pieces, so a body that would unpack to gigabytes ends at the
/// limit.
pub(super) struct Collected {
    bytes: Vec<u8>,
    room: Room,
    /// Why the decoder could not hand over a piece.
    refusal: Option<Problem>,
}

impl Collected {
    fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let total = self.bytes.len() + piece.len();
        if total > limits::BODY_BYTES {
            return Err(Problem::new(Code::PayloadTooLarge));
        }
        self.room.fit(total)?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Why unpacking failed.
    fn refusal(&mut self) -> Problem {
        self.refusal.take().unwrap_or_else(not_gzip)
    }
}

impl Write for Collected {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.add(piece) {
            Ok(()) => Ok(piece.len()),
            Err(problem) => {
                self.refusal = Some(problem);
                Err(io::ErrorKind::OutOfMemory.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn not_gzip() -> Problem {
    Problem::with_detail(Code::MalformedJson, "The body is not valid gzip, although its Content-Encoding says so.")
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};

    use super::Coding;

    #[test]
    fn one_coding_is_understood() {
        let coding = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(CONTENT_ENCODING, HeaderValue::from_static(value)));
            Coding::of(&headers).ok()
        };
        assert_eq!(coding(&[]), Some(Coding::Identity));
        assert_eq!(coding(&["identity"]), Some(Coding::Identity));
        assert_eq!(coding(&["GZip"]), Some(Coding::Gzip));
        assert_eq!(coding(&["x-gzip"]), Some(Coding::Gzip));
        for unknown in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["deflate"], &["gzip;q=1"]] {
            assert_eq!(coding(unknown), None, "{unknown:?}");
        }
    }
}
