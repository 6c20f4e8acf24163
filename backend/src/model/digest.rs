//! Digests, by which Moodle and the backend compare what they hold without sending it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::Id;

/// 128 bits of a SHA-256: of a state, the bytes of its `data` as sent; or of many states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Stands for an unknown digest among others: equal to none that is known.
    pub const UNKNOWN: Self = Self([0; 16]);

    /// The digest of a state.
    pub fn of(data: &str) -> Self {
        Self::first_half(Sha256::new_with_prefix(data))
    }

    /// The digest of records, in the order of their ids: of 8 bytes of each id, the highest first, and its digest.
    pub fn of_records(records: impl IntoIterator<Item = (Id, Self)>) -> Self {
        let mut hash = Sha256::new();
        for (id, digest) in records {
            hash.update(id.0.to_be_bytes());
            hash.update(digest.0);
        }
        Self::first_half(hash)
    }

    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut digest = Self::UNKNOWN;
        hex::decode_to_slice(text, &mut digest.0).ok().map(|()| digest)
    }

    fn first_half(hash: Sha256) -> Self {
        let mut digest = Self::UNKNOWN;
        digest.0.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        digest
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;
    use crate::model::Id;

    #[test]
    fn a_digest_is_the_one_that_the_plugin_makes() {
        // In PHP: substr(hash('sha256', '{"userid":3}'), 0, 32)
        let digest = Digest::of("{\"userid\":3}");
        assert_eq!(digest.to_string(), "50f12d47deccefba5ece9c0ed7b87462");
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        // In PHP: substr(hash('sha256', pack('J', 3) . hex2bin($one) . pack('J', 260) . hex2bin($one)), 0, 32)
        let all = Digest::of_records([(Id(3), digest), (Id(260), digest)]);
        assert_eq!(all.to_string(), "408cbda873e635741ded41079b9c0adf");
        assert_eq!([Digest::from_hex("12"), Digest::from_hex(&"x".repeat(32))], [None, None]);
    }

    #[test]
    fn ids_digests_and_their_order_count() {
        let (one, other) = (Digest::of("1"), Digest::of("2"));
        let of = |records: &[(i64, Digest)]| Digest::of_records(records.iter().map(|(id, digest)| (Id(*id), *digest)));
        let all = [
            of(&[]),
            of(&[(1, one)]),
            of(&[(2, one)]),
            of(&[(1, other)]),
            of(&[(1, one), (2, other)]),
            of(&[(2, other), (1, one)]),
            of(&[(1, Digest::UNKNOWN)]),
        ];
        for (index, digest) in all.iter().enumerate() {
            assert!(!all.iter().take(index).any(|before| before == digest));
        }
    }
}
