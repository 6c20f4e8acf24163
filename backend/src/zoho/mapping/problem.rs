//! The mistakes in a mapping file, each with its line.

use std::{fmt, ops::Range};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line number, from 1.
    pub line: usize,
    /// The table and key, for example `[user.fields] Phone`.
    pub place: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, place, reason } = self;
        if place.is_empty() { write!(f, "line {line}: {reason}") } else { write!(f, "line {line}: {place}: {reason}") }
    }
}

/// The mapping file is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError {
    /// All mistakes, by line.
    pub problems: Vec<Problem>,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mapping file has mistakes:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for MappingError {}

/// Collects mistakes while a file is parsed.
pub(super) struct Report<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// Adds a mistake at a place in the text.
    pub(super) fn add(&mut self, at: Range<usize>, place: impl Into<String>, reason: impl Into<String>) {
        let before = self.text.as_bytes().iter().take(at.start);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        self.problems.push(Problem { line, place: place.into(), reason: reason.into() });
    }

    pub(super) fn finish<T>(mut self, read: T) -> Result<T, MappingError> {
        if self.problems.is_empty() {
            return Ok(read);
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(MappingError { problems: self.problems })
    }
}
