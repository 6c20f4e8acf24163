//! E-mail addresses that Zoho accepts.

/// The fewest and the most characters of an address's domain, and of its last label.
const DOMAIN: std::ops::RangeInclusive<usize> = 4..=256;
const LAST_LABEL: std::ops::RangeInclusive<usize> = 2..=22;

/// Whether Zoho accepts the address, as far as its published pattern concerns ASCII characters: Moodle's `root@localhost`
/// is none. About letters of other alphabets Zoho decides.
pub(super) fn is_accepted(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let Some((labels, last)) = domain.rsplit_once('.') else { return false };
    let begins = name.starts_with(|c: char| is_word(c) || "+-_".contains(c));
    let is_label = |label: &str| {
        label.starts_with(is_word) && label.ends_with(is_word) && label.chars().all(|c| is_word(c) || "-_".contains(c))
    };
    begins
        && name.chars().all(|c| is_word(c) || "!#$%&'*+-/=?^_`{|}~.".contains(c))
        && DOMAIN.contains(&domain.chars().count())
        && labels.split('.').all(is_label)
        && LAST_LABEL.contains(&last.chars().count())
        && last.chars().all(|c| is_word(c) && !c.is_numeric())
}

fn is_word(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric(),
        false => !character.is_whitespace() && !character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_accepted;

    #[test]
    fn addresses_that_zoho_would_refuse_are_known() {
        for good in ["ann@example.org", "o'brien+x@b-c.co.uk", "jürgen@müller.de", "_a@b.museum", "a..b@c.de"] {
            assert!(is_accepted(good), "{good}");
        }
        for bad in [
            "root@localhost",
            ".ann@b.org",
            "ann@b",
            "ann@b..org",
            "ann b@c.org",
            "ann@-b.org",
            "@b.org",
            "a@b.c",
            "a@b@c.org",
            "ann@b.org.",
            "ann@1.2.3.4",
            "",
            "ann",
        ] {
            assert!(!is_accepted(bad), "{bad}");
        }
    }
}
