//! Finding people by what an operator types: a name, an address, a number.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{DbBackend, QueryResult, Value};

use crate::{
    model::{Id, RecordId, User},
    store::{
        StoreError, StoredRecord,
        connection::connect::Store,
        entity::records::user,
        records::Key,
        records::load_records,
        sql::{key_of_user, query},
    },
};

/// The searched prefix of a value, in characters. The indexes hold no more; see the migration `console_search`.
const FOLDED_CHARACTERS: usize = 64;

/// The most words that are split into first and last name; nobody types more.
const NAME_WORDS: usize = 5;

/// The searched columns, each with an index of its own.
const COLUMNS: [&str; 5] = ["lastname", "firstname", "username", "idnumber", "email"];

/// A match.
pub struct FoundPerson {
    /// The person, who may be deleted.
    pub person: StoredRecord<User>,
    /// A whole value was typed, not only its beginning.
    pub exact: bool,
}

/// The matches so far.
#[derive(Default)]
struct Found {
    /// Whether the whole of a value was typed, by key.
    exact: HashMap<Key, bool>,
}

impl Found {
    fn add(&mut self, keys: Vec<Key>, exact: bool) {
        for key in keys {
            *self.exact.entry(key).or_default() |= exact;
        }
    }
}

/// The expression to search a column by: exactly that of its index.
fn folded(backend: DbBackend, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("(lower(substr({column}, 1, {FOLDED_CHARACTERS}) COLLATE \"C\"))"),
        _ => format!("lower(substr({column}, 1, {FOLDED_CHARACTERS}))"),
    }
}

/// Folds typed text in the same way: only ASCII is lowercased, because SQLite can do no more.
fn fold(text: &str) -> String {
    text.chars().take(FOLDED_CHARACTERS).collect::<String>().to_ascii_lowercase()
}

/// The upper bound of the texts with this prefix, in byte order.
fn last_with(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

/// The text as typed, and as the name is most likely spelt: folding does not make `özil` equal to `Özil`.
fn spellings(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let mut begins = true;
    let mut title = String::new();
    for character in lower.chars() {
        match begins {
            true => title.extend(character.to_uppercase()),
            false => title.push(character),
        }
        begins = !character.is_alphanumeric();
    }
    [text, &lower, &title, &text.to_uppercase()].map(fold).into()
}

/// Candidates for first and last name: every way to split the words in two, in both orders, or as a comma says.
fn names(text: &str) -> Vec<(String, String)> {
    if let Some((last, first)) = text.split_once(',') {
        return vec![(first.trim().to_owned(), last.trim().to_owned())];
    }
    let words: Vec<&str> = text.split_whitespace().take(NAME_WORDS).collect();
    let cut = |at: usize| {
        let (front, back) = words.split_at(at);
        (front.join(" "), back.join(" "))
    };
    (1..words.len()).map(cut).flat_map(|(front, back)| [(front.clone(), back.clone()), (back, front)]).collect()
}

impl Store {
    /// People of all sites whose name, address, user name, id number, Moodle id or id at a destination equals or begins
    /// with what was typed; at most `limit`, and whether there are more. Exact matches come first.
    pub async fn find_people(&self, typed: &str, limit: u64) -> Result<(Vec<FoundPerson>, bool), StoreError> {
        let typed = typed.trim();
        if typed.is_empty() || typed.contains('\0') {
            return Ok((Vec::new(), false));
        }
        let mut found = Found::default();
        found.add(self.people_by_id(typed).await?, true);
        for spelling in spellings(typed) {
            for column in COLUMNS {
                self.add_by_column(&mut found, column, &spelling, limit).await?;
            }
            for (first, last) in names(&spelling) {
                self.add_by_name(&mut found, &first, &last, limit).await?;
            }
        }
        let keys: Vec<Key> = found.exact.keys().copied().collect();
        let people = load_records::<user::Entity>(&self.read, &keys).await?;
        let mut people: Vec<FoundPerson> = people
            .into_iter()
            .map(|(key, person)| FoundPerson { person, exact: found.exact.get(&key).copied().unwrap_or_default() })
            .collect();
        people.sort_by_cached_key(|FoundPerson { person, exact }| {
            let User { lastname, firstname, userid, .. } = &person.record.state;
            let name = [lastname, firstname].map(|name| name.as_deref().unwrap_or_default().to_lowercase());
            (!exact, name, person.site_id, *userid)
        });
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = people.len() > limit;
        people.truncate(limit);
        Ok((people, more))
    }

    async fn people_by_id(&self, typed: &str) -> Result<Vec<Key>, StoreError> {
        let sites = self.site_names().await?;
        let at_destination = "SELECT site_id, moodle_id FROM sync_items \
                              WHERE kind = 'user' AND remote_id IS NOT NULL AND remote_id = ?";
        let rows = query(&self.read, at_destination, vec![typed.into()]).await?;
        let mut keys = rows.iter().map(key_of_user).collect::<Result<Vec<Key>, _>>()?;
        if let Ok(id) = typed.parse::<i64>() {
            keys.extend(sites.keys().map(|site_id| (*site_id, Id(id))));
        }
        if let Ok(RecordId { site, moodle_id }) = typed.parse() {
            let of_name = sites.iter().filter(|(_, name)| *name == site.as_str());
            keys.extend(of_name.map(|(site_id, _)| (*site_id, moodle_id)));
        }
        Ok(keys)
    }

    async fn add_by_column(&self, found: &mut Found, column: &str, prefix: &str, limit: u64) -> Result<(), StoreError> {
        let value = folded(self.backend(), column);
        let sql = format!(
            "SELECT site_id, moodle_id, {value} AS value FROM users WHERE {value} >= ? AND {value} <= ? ORDER BY {value} LIMIT ?"
        );
        let values: Vec<Value> = vec![prefix.into(), last_with(prefix).into(), rows(limit)];
        for row in query(&self.read, &sql, values).await? {
            let value: String = row.try_get("", "value")?;
            found.add(vec![key_of_user(&row)?], value == prefix);
        }
        Ok(())
    }

    async fn add_by_name(&self, found: &mut Found, first: &str, last: &str, limit: u64) -> Result<(), StoreError> {
        let [firstname, lastname] = ["firstname", "lastname"].map(|name| folded(self.backend(), name));
        let sql = format!(
            "SELECT site_id, moodle_id, {firstname} AS first, {lastname} AS last FROM users \
             WHERE {lastname} >= ? AND {lastname} <= ? AND {firstname} >= ? AND {firstname} <= ? \
             ORDER BY {lastname}, {firstname} LIMIT ?"
        );
        let mut values: Vec<Value> = Vec::new();
        for prefix in [last, first] {
            values.extend([prefix.into(), last_with(prefix).into()]);
        }
        values.push(rows(limit));
        let text = |row: &QueryResult, name: &str| row.try_get::<String>("", name);
        for row in query(&self.read, &sql, values).await? {
            let exact = text(&row, "first")? == first && text(&row, "last")? == last;
            found.add(vec![key_of_user(&row)?], exact);
        }
        Ok(())
    }
}

/// One more than the limit: the extra row shows that there are more.
fn rows(limit: u64) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1).into()
}

#[cfg(test)]
mod tests {
    use super::{fold, names, spellings};

    #[test]
    fn likely_spellings_are_searched() {
        assert_eq!(spellings("Ann O'Neil").into_iter().collect::<Vec<_>>(), ["ann o'neil"]);
        assert!(
            spellings("özil").contains("Özil")
                && spellings("ÖZIL").contains("Özil")
                && spellings("Özil").contains("Özil")
        );
        assert!(spellings("jean-élie").contains("jean-Élie"));
        assert_eq!(fold(&"Ä".repeat(70)), "Ä".repeat(64));
    }

    #[test]
    fn a_name_is_split_in_every_way() {
        let of = |text| names(text).into_iter().map(|(first, last)| format!("{first}|{last}")).collect::<Vec<_>>();
        assert_eq!(of("ann"), Vec::<String>::new());
        assert_eq!(of("o'neil, ann"), ["ann|o'neil"]);
        assert_eq!(of("ann o'neil"), ["ann|o'neil", "o'neil|ann"]);
        assert_eq!(of("jan van berg"), ["jan|van berg", "van berg|jan", "jan van|berg", "berg|jan van"]);
    }
}
