//! Cursors that readers may keep: a place, and the incarnation of the database in which it is one.

use std::str::FromStr;

use super::problem::{Code, Problem};
use crate::{
    model::FieldErrorCode,
    store::{Incarnation, Life, Store},
};

/// Reads and writes the cursors of one answer.
#[derive(Clone, Copy)]
pub(super) struct Cursors {
    life: Life,
}

impl Cursors {
    pub(super) async fn of(store: &Store) -> Result<Self, Problem> {
        Ok(Self { life: store.life().await? })
    }

    /// The place of a cursor that a reader sent as the parameter `name`.
    ///
    /// Cursors of earlier versions are a place alone. Such a one may be of the life before a restore, so it is accepted in
    /// the first life only.
    pub(super) fn parse<P: FromStr>(self, name: &str, cursor: &str) -> Result<P, Problem> {
        let detail = "Send the next_cursor of the previous answer, unchanged.";
        let unknown = || Problem::parameter(name, FieldErrorCode::UnknownValue, detail);
        let (incarnation, place) = match cursor.split_once('-') {
            Some((incarnation, place)) => (Some(incarnation.parse::<Incarnation>().map_err(|_| unknown())?), place),
            None => (None, cursor),
        };
        let place = place.parse().map_err(|_| unknown())?;
        let is_of_this_life = match incarnation {
            Some(incarnation) => incarnation == self.life.incarnation,
            None => self.life.restored_at.is_none(),
        };
        if is_of_this_life { Ok(place) } else { Err(Problem::new(Code::CursorGone)) }
    }

    /// A number of the event counter, unless that has not given it out: then the database is older than the cursor.
    pub(super) fn within_counter(self, place: Option<i64>) -> Result<Option<i64>, Problem> {
        match place {
            Some(place) if place > self.life.position => Err(Problem::new(Code::CursorGone)),
            place => Ok(place),
        }
    }

    /// The cursor for a place.
    pub(super) fn text(self, place: impl ToString) -> String {
        format!("{}-{}", self.life.incarnation, place.to_string())
    }
}
