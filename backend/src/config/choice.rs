//! Settings with few possible values.

use std::net::{SocketAddr, ToSocketAddrs};

use serde::{Deserialize, Deserializer, de::Error, de::IntoDeserializer, de::value};

/// One of the variants. A wrong value gets an error that lists those that there are; the library's own does not.
pub(super) fn variant<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::deserialize(text.into_deserializer()).map_err(|error: value::Error| D::Error::custom(error))
}

/// An address and a port, as in `127.0.0.1:8001` or `localhost:8001`.
///
/// Of several addresses of a name, the first of IPv4 counts, if there is one: a URL with the name leads there, too.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = |why: &str| format!("{text} is no address with a port, as in 127.0.0.1:8001 or localhost:8001{why}");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|error| wrong(&format!(" ({error})")))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| wrong(""))
}

pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    address(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
