//! The names of sites, and the ids of records across sites.

use std::{fmt, str::FromStr};

use super::Id;

/// The name of a site: 1 to 40 of `a-z`, `0-9` and `-`, beginning with a letter or digit.
///
/// It is part of every record's id and of the keys in Zoho, so it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(String);

/// The longest name, in characters: a record's id must fit into a destination's key field.
const MAX_NAME: usize = 40;

/// The text is not a site's name.
#[derive(Debug, thiserror::Error)]
#[error("a site's name has 1 to 40 of the characters a-z, 0-9 and -, and begins with a letter or a digit")]
pub struct InvalidSiteName;

impl SiteName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SiteName {
    type Err = InvalidSiteName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > MAX_NAME || text.starts_with('-') || !text.bytes().all(allowed) {
            return Err(InvalidSiteName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// The id of a record across sites, written `<site>:<Moodle id>`, as in `college:3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordId {
    /// The site's name.
    pub site: SiteName,
    /// The id in that site's Moodle.
    pub moodle_id: Id,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.site, self.moodle_id)
    }
}

/// The text is not a record's id.
#[derive(Debug, thiserror::Error)]
#[error("a record's id is written <site>:<Moodle id>, as in college:3")]
pub struct InvalidRecordId;

impl FromStr for RecordId {
    type Err = InvalidRecordId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (site, moodle_id) = text.split_once(':').ok_or(InvalidRecordId)?;
        let moodle_id = moodle_id.parse().ok().filter(|id| *id >= 1).ok_or(InvalidRecordId)?;
        Ok(Self { site: site.parse().map_err(|_| InvalidRecordId)?, moodle_id: Id(moodle_id) })
    }
}

#[cfg(test)]
mod tests {
    use super::{RecordId, SiteName};

    #[test]
    fn names() {
        for good in ["college", "a", "7", "north-campus-2"] {
            assert!(good.parse::<SiteName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "a:b", "é", &"a".repeat(41)] {
            assert!(bad.parse::<SiteName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn record_ids() {
        assert_eq!("college:3".parse::<RecordId>().unwrap().to_string(), "college:3");
        for bad in ["3", "college:", "college:0", "college:-1", ":3", "college:3:4", "college:99999999999999999999"] {
            assert!(bad.parse::<RecordId>().is_err(), "{bad}");
        }
    }
}
