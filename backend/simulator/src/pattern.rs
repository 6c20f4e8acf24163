//! The patterns of texts with a form. Zoho says them as regular expressions with look-ahead.

use std::sync::LazyLock;

use fancy_regex::Regex;

use super::schema::Kind;

/// As in Zoho's description of users and the organisation.
const EMAIL: &str = r"^[\+\-\p{L}\p{M}\p{N}_]([\p{L}\p{M}\p{N}!#$%&'*+\-\/=?^_`{|}~.]*)@(?=.{4,256}$)(([\p{L}\p{N}\p{M}]+)(([\-_]*[\p{L}\p{M}\p{N}])*)[.])+[\p{L}\p{M}]{2,22}$";

/// As in Zoho's page about inserting records.
const PHONE: &str = r"^([\+]?)(?![\.-])(?>(?>[\.-]?[ ]?[\da-zA-Z]+)+|([ ]?\((?![\.-])(?>[ \.-]?[\da-zA-Z]+)+\)(?![\.])([ -]?[\da-zA-Z]+)?)+)+(?>(?>([,]+)?[;]?[\da-zA-Z]+)+)?[#;,]?$";

/// As in Zoho's description of the organisation.
const WEBSITE: &str = r"^(http:\/\/www.|https:\/\/www.|ftp:\/\/www.|www.|http:\/\/|https:\/\/|ftp:\/\/|){1}[^\x00-\x19\x22-\x27\x2A-\x2C\x2E-\x2F\x3A-\x3F\x5B-\x5E\x60\x7B\x7D-\x7F]+(\.[^\x00-\x19\x22\x24-\x2C\x2E-\x2F\x3C\x3E\x40\x5B-\x5E\x60\x7B\x7D-\x7F]+)+([\/\?].*)*$";

// A test compiles them: a pattern that is wrong would refuse everything.
static PATTERNS: LazyLock<[Option<Regex>; 3]> =
    LazyLock::new(|| [EMAIL, PHONE, WEBSITE].map(|pattern| Regex::new(pattern).ok()));

/// Whether the text has the form of this kind of field. One that takes too long to look at has not.
pub(super) fn fits(kind: &Kind, text: &str) -> bool {
    let [email, phone, website] = &*PATTERNS;
    let pattern = match kind {
        Kind::Email => email,
        Kind::Phone => phone,
        Kind::Website => website,
        _ => return true,
    };
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text).unwrap_or(false))
}

/// Whether a field of the type `email`, `phone` or `website` accepts the text; for tests of what a client sends.
pub fn accepts(data_type: &str, text: &str) -> bool {
    [Kind::Email, Kind::Phone, Kind::Website].iter().any(|kind| kind.name() == data_type && fits(kind, text))
}

#[cfg(test)]
mod tests {
    use super::{Kind, fits};

    fn check(kind: &Kind, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert!(fits(kind, text), "{text}"));
        bad.iter().for_each(|text| assert!(!fits(kind, text), "{text}"));
    }

    #[test]
    fn what_zoho_takes_and_refuses() {
        check(
            &Kind::Email,
            &["ann@example.org", "o'brien+x@b-c.co.uk", "jürgen@müller.de", "_a@b.museum"],
            &["root@localhost", ".ann@b.org", "ann@b", "ann@b..org", "ann b@c.org", "ann@-b.org", "@b.org", "a@b.c"],
        );
        check(
            &Kind::Phone,
            &["0123", "+49 30 1234567", "(030) 1234-567", "030.123.45", "12345,67", "123;45", "0041 31 x12"],
            &["030  123", "n/a", "-", "0123/45678", "0123 / 456", "+", "", "030 1234 oder 0177 55 (abends)!", ".5"],
        );
        check(
            &Kind::Website,
            &["example.org", "https://www.example.org/a?b=c", "http://b.org"],
            &["example", "not a site", "https://", "mailto:a@b.org"],
        );
    }
}
