//! A table checksum that does not depend on the order of the rows.

use std::fmt;

use sha2::{Digest, Sha256};

/// The number of rows and the sum of their SHA-256. A sum, because databases sort text differently; not an exclusive
/// or, in which two equal rows would cancel out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    halves: [u128; 2],
}

impl Sum {
    /// Adds a row, as a line of PostgreSQL's COPY.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.rows += 1;
        let digest: [u8; 32] = Sha256::digest(line).into();
        for (half, bytes) in self.halves.iter_mut().zip(digest.as_chunks::<16>().0) {
            *half = half.wrapping_add(u128::from_be_bytes(*bytes));
        }
    }

    /// 64 hexadecimal digits.
    pub(super) fn checksum(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.halves.iter().try_for_each(|half| write!(f, "{half:032x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    fn sum(lines: &[&str]) -> Sum {
        let mut sum = Sum::default();
        lines.iter().for_each(|line| sum.add(line.as_bytes()));
        sum
    }

    #[test]
    fn the_order_does_not_matter_and_everything_else_does() {
        let held = sum(&["1\ta\n", "2\tb\n", "2\tb\n"]);
        assert_eq!(held, sum(&["2\tb\n", "1\ta\n", "2\tb\n"]));
        for other in [&["1\ta\n", "2\tb\n", "2\tc\n"][..], &["1\ta\n", "2\tb\n"], &["1\ta\n", "3\tc\n", "3\tc\n"], &[]]
        {
            assert_ne!(held.checksum(), sum(other).checksum(), "{other:?}");
        }
        assert_eq!(held.checksum().len(), 64);
    }
}
