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

    /// This version, or if unknown one that replaces `current`: nothing says that arriving data is older.
    #[must_use]
    pub fn or_as_new_as(self, current: Self) -> Self {
        if self == Self::UNKNOWN { Self { sequence: None, ..current } } else { self }
    }

    /// Whether a state of this version, arriving now, replaces one of version `current`.
    pub fn replaces(self, current: Option<Self>) -> bool {
        let Some(current) = current else { return true };
        match (self.sequence, current.sequence) {
            _ if self.time != current.time => self.time > current.time,
            (Some(arriving), Some(current)) => arriving > current,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn an_unknown_version_is_as_new_as_the_current_one() {
        let current = version(5, Some(3));
        assert!(Version::UNKNOWN.or_as_new_as(current).replaces(Some(current)));
        assert_eq!(version(4, None).or_as_new_as(current), version(4, None));
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
