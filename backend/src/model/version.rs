//! Orders the states of one record.

/// When a state was current, as far as its sender can tell.
///
/// An event from our plugin has a `sequence`, which orders all events of a site, so no two versions are equal. An event
/// from the original plugin has none; within one second, the order of arrival decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Unix seconds by Moodle's clock.
    pub time: i64,
    /// The sender's sequence number; orders events within a second.
    pub sequence: Option<i64>,
}

impl Version {
    /// The version of data that carries neither a time nor a sequence.
    pub const UNKNOWN: Self = Self { time: 0, sequence: None };

    /// This version, or if unknown one that replaces `held`: nothing says that arriving data is older.
    #[must_use]
    pub fn or_as_new_as(self, held: Self) -> Self {
        if self == Self::UNKNOWN { Self { sequence: None, ..held } } else { self }
    }

    /// Whether a state of this version, arriving now, replaces one of version `held`.
    pub fn replaces(self, held: Option<Self>) -> bool {
        let Some(held) = held else { return true };
        match (self.sequence, held.sequence) {
            _ if self.time != held.time => self.time > held.time,
            (Some(arriving), Some(held)) => arriving > held,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn what_has_no_version_is_as_new_as_what_is_held() {
        let held = version(5, Some(3));
        assert!(Version::UNKNOWN.or_as_new_as(held).replaces(Some(held)));
        assert_eq!(version(4, None).or_as_new_as(held), version(4, None));
    }

    fn version(time: i64, sequence: Option<i64>) -> Version {
        Version { time, sequence }
    }

    #[test]
    fn time_decides_before_sequence() {
        assert!(version(2, Some(1)).replaces(Some(version(1, Some(9)))));
        assert!(!version(1, Some(9)).replaces(Some(version(2, Some(1)))));
        assert!(version(1, Some(2)).replaces(Some(version(1, Some(1)))));
        assert!(!version(1, Some(1)).replaces(Some(version(1, Some(1)))));
    }

    #[test]
    fn without_a_sequence_arrival_decides_within_a_second() {
        assert!(version(1, None).replaces(Some(version(1, None))));
        assert!(version(1, None).replaces(Some(version(1, Some(7)))));
        assert!(!version(1, None).replaces(Some(version(2, None))));
        assert!(version(1, None).replaces(None));
    }
}
