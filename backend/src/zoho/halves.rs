//! Halving: a call that failed, perhaps because of some of its records, is made again for each half of them, until those
//! are alone.

use std::collections::VecDeque;

/// After this many failures in a row, single records are tried: they show whether Zoho or some records are the problem.
const FAILURES_IN_A_ROW: u32 = 3;

/// When this many single records have failed in a row, too, it is Zoho.
const SINGLE_FAILURES: u32 = 3;

/// Once Zoho has answered, this many failures in a row mean that it has stopped doing so. Bad records that stand together
/// are tried one after the other.
const FAILURES_AFTER_AN_ANSWER: u32 = 12;

/// Records, in the parts that calls are made for.
pub(in crate::zoho) struct Halves<T> {
    parts: VecDeque<Vec<T>>,
    failures: u32,
    has_answered: bool,
}

/// What a failure leads to.
pub(in crate::zoho) enum Failed<T> {
    /// The halves follow.
    Halved,
    /// This record is alone.
    Alone(T),
    /// Zoho is the problem; with the records of the call.
    GivenUp(Vec<T>),
}

impl<T> Halves<T> {
    pub(in crate::zoho) fn new(parts: impl IntoIterator<Item = Vec<T>>) -> Self {
        Self { parts: parts.into_iter().collect(), failures: 0, has_answered: false }
    }

    /// The records of the next call.
    pub(in crate::zoho) fn next(&mut self) -> Option<Vec<T>> {
        while let Some(mut part) = self.parts.pop_front() {
            if !self.has_answered && self.failures >= FAILURES_IN_A_ROW && part.len() > 1 {
                let rest = part.split_off(1);
                self.parts.push_front(rest);
            }
            if !part.is_empty() {
                return Some(part);
            }
        }
        None
    }

    /// Adds records to try again.
    pub(in crate::zoho) fn again(&mut self, part: Vec<T>) {
        self.parts.push_back(part);
    }

    /// Notes that Zoho answered.
    pub(in crate::zoho) fn answered(&mut self) {
        self.failures = 0;
        self.has_answered = true;
    }

    /// Halves the records of a call that Zoho refused; the record if it is alone.
    pub(in crate::zoho) fn refused(&mut self, part: Vec<T>) -> Option<T> {
        self.answered();
        self.halve(part)
    }

    /// Halves the records of a call that Zoho could not answer.
    pub(in crate::zoho) fn failed(&mut self, part: Vec<T>) -> Failed<T> {
        self.failures += 1;
        let most = if self.has_answered { FAILURES_AFTER_AN_ANSWER } else { FAILURES_IN_A_ROW + SINGLE_FAILURES };
        if self.failures >= most {
            return Failed::GivenUp(part);
        }
        self.halve(part).map_or(Failed::Halved, Failed::Alone)
    }

    /// The halves go to the end: trying another part first shows whether Zoho or a record is the problem.
    fn halve(&mut self, mut part: Vec<T>) -> Option<T> {
        if part.len() <= 1 {
            return part.pop();
        }
        let rest = part.split_off(part.len() / 2);
        self.parts.extend([part, rest]);
        None
    }

    /// Whether no records are left.
    pub(in crate::zoho) fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }

    /// The records for which no call was made.
    pub(in crate::zoho) fn rest(self) -> impl Iterator<Item = T> {
        self.parts.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::{Failed, Halves};

    /// The records that end up alone, the calls, and whether it was given up; Zoho fails for these.
    fn run(count: u32, fails: impl Fn(u32) -> bool) -> (Vec<u32>, u32, bool) {
        let mut halves = Halves::new([(0..count).collect::<Vec<_>>()]);
        let (mut alone, mut calls) = (Vec::new(), 0);
        while let Some(part) = halves.next() {
            calls += 1;
            if !part.iter().any(|record| fails(*record)) {
                halves.answered();
                continue;
            }
            match halves.failed(part) {
                Failed::Halved => {}
                Failed::Alone(record) => alone.push(record),
                Failed::GivenUp(_) => return (alone, calls, true),
            }
        }
        alone.sort_unstable();
        (alone, calls, false)
    }

    #[test]
    fn bad_records_are_found_wherever_they_are() {
        for bad in [vec![0], vec![99], vec![0, 99], vec![0, 33, 66, 99], vec![48, 49, 50, 51]] {
            let (alone, calls, given_up) = run(100, |record| bad.contains(&record));
            assert_eq!((&alone, given_up), (&bad, false), "{calls} calls");
            assert!(calls <= 17 * u32::try_from(bad.len()).unwrap(), "{calls} calls for {bad:?}");
        }
    }

    #[test]
    fn refused_records_are_found_however_many_calls_fail() {
        let bad = [0, 24, 25, 49, 50, 74, 75, 99];
        let mut halves = Halves::new([(0..100).collect::<Vec<u32>>()]);
        let mut alone = Vec::new();
        while let Some(part) = halves.next() {
            match part.iter().any(|record| bad.contains(record)) {
                true => alone.extend(halves.refused(part)),
                false => halves.answered(),
            }
        }
        alone.sort_unstable();
        assert_eq!(alone, bad);
    }

    #[test]
    fn an_outage_is_noticed_soon() {
        // It begins after the first half was answered.
        let (mut halves, mut calls) = (Halves::new([(0..50).collect::<Vec<u32>>(), (50..100).collect()]), 0);
        while let Some(part) = halves.next() {
            calls += 1;
            if calls == 1 {
                halves.answered();
            } else if matches!(halves.failed(part), Failed::GivenUp(_)) {
                break;
            }
        }
        assert_eq!(calls, 13);
        assert_eq!(run(100, |_| true), (vec![0, 1], 6, true));
        assert_eq!(run(1, |_| true), (vec![0], 1, false), "one record alone says nothing about Zoho");
    }
}
