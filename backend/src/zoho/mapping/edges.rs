//! What the mapping reads of a person or course for other records, and of the clock.

use sha2::{Digest, Sha256};

use super::{
    Mapping, ModuleMapping, Owner, StateRef, Subject,
    source::{Path, next_status},
    text::text,
};
use crate::model::Kind;

impl Mapping {
    /// The modules that read of the records of a kind, which they are not made from.
    pub(crate) fn readers(&self, of: Kind) -> impl Iterator<Item = (Kind, &ModuleMapping)> {
        self.modules().filter(move |(kind, module)| {
            let filters = of == Kind::Course && self.filter.restricts_courses();
            *kind != Kind::User && *kind != Kind::Course && (filters || module.paths_to(of).next().is_some())
        })
    }

    /// A digest of all that they read of one.
    pub(crate) fn digest_read(&self, state: StateRef<'_>) -> String {
        let mut hash = Sha256::new();
        if let StateRef::Course(course) = state {
            hash.update([u8::from(self.filter.wants_course(course))]);
        }
        let of = if matches!(state, StateRef::User(_)) { Kind::User } else { Kind::Course };
        for path in self.readers(of).flat_map(|(_, module)| module.paths_to(of)) {
            hash.update(path.name(of));
            let datum = path.read_from(state);
            // 0xff is in no text: nothing is not an empty text, and no two texts are taken for others.
            hash.update(datum.as_ref().map_or_else(|| [0xff, 0].to_vec(), |datum| text(datum).as_bytes().to_vec()));
            hash.update([0xff]);
        }
        hex::encode(&hash.finalize()[..16])
    }
}

impl ModuleMapping {
    /// The next moment, in Unix seconds, at which a value changes by itself.
    pub(crate) fn next_moment(&self, subject: &Subject<'_>) -> Option<i64> {
        let StateRef::Enrolment(enrolment) = subject.state else { return None };
        let mut rules = self.rules.iter().filter(|rule| rule.owner == Owner::Moodle);
        let reads = rules.any(|rule| rule.paths().iter().any(|path| matches!(path, Path::Status)));
        next_status(enrolment, subject.now).filter(|_| reads)
    }

    /// The sources in a record of another kind whose values are kept up to date.
    fn paths_to(&self, of: Kind) -> impl Iterator<Item = &Path> {
        let rules = self.rules.iter().filter(|rule| rule.owner == Owner::Moodle);
        rules.flat_map(|rule| rule.paths()).filter(move |path| match of {
            Kind::User => path.is_of_user(),
            Kind::Course => path.is_of_course(),
            _ => false,
        })
    }
}
