//! Many rows in few statements of few shapes.
//!
//! Each number of rows makes another statement, which the database must parse and plan again. So rows are written in
//! groups whose sizes are powers of two, and lists of keys are padded to such sizes: a handful of shapes, all of them
//! in the connection's cache of prepared statements.

use crate::limits::STATEMENT_ROWS;

/// Splits `rows` into groups of 256, 128, … 1.
pub(super) fn groups<T>(mut rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let size = largest_power_of_two(rows.len().min(STATEMENT_ROWS))?;
        let rest = rows.split_off(size);
        Some(std::mem::replace(&mut rows, rest))
    })
}

/// Splits `keys` into lists of at most 256, each padded to a power of two by repeating its last key.
pub(super) fn key_lists<K: Clone>(keys: &[K]) -> impl Iterator<Item = Vec<K>> {
    keys.chunks(STATEMENT_ROWS).map(|chunk| {
        let mut list = chunk.to_vec();
        if let Some(last) = chunk.last() {
            list.resize(chunk.len().next_power_of_two(), last.clone());
        }
        list
    })
}

fn largest_power_of_two(limit: usize) -> Option<usize> {
    limit.checked_ilog2().map(|exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use super::{groups, key_lists};

    #[test]
    fn groups_are_powers_of_two_and_lose_nothing() {
        for count in [0, 1, 2, 3, 100, 255, 256, 257, 1_000] {
            let rows: Vec<usize> = (0..count).collect();
            let groups: Vec<_> = groups(rows.clone()).collect();
            assert!(groups.iter().all(|group| group.len().is_power_of_two() && group.len() <= 256));
            assert_eq!(groups.concat(), rows);
        }
    }

    #[test]
    fn key_lists_are_padded() {
        assert_eq!(key_lists(&[1, 2, 3]).collect::<Vec<_>>(), [vec![1, 2, 3, 3]]);
        assert_eq!(key_lists::<i64>(&[]).count(), 0);
        assert_eq!(key_lists(&(0..300).collect::<Vec<_>>()).map(|list| list.len()).collect::<Vec<_>>(), [256, 64]);
    }
}
