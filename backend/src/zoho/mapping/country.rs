//! Countries: Moodle has ISO's codes, and Zoho's lists have names.

use crate::zoho::metadata::{Choice, ModuleField};

/// The names of each country by its code.
const COUNTRIES: &str = include_str!("countries.txt");

/// Words that lists place and spell in many ways: "Isle of Man", "The Gambia", "Trinidad & Tobago".
const IGNORED: [&str; 3] = ["and", "of", "the"];

/// The value of the field's list that stands for the country with this code.
pub(super) fn choice<'f>(code: &str, field: &'f ModuleField) -> Option<&'f Choice> {
    let names: Vec<Vec<String>> = names(code)?.map(normal).collect();
    // The names are in the order of preference.
    let named = |name: &Vec<String>| {
        field.picklist.iter().find(|choice| normal(&choice.display) == *name || normal(&choice.actual) == *name)
    };
    names.iter().find_map(named)
}

fn names(code: &str) -> Option<impl Iterator<Item = &'static str>> {
    let lines = COUNTRIES.lines().filter(|line| !line.starts_with('#'));
    let (_, names) = lines.filter_map(|line| line.split_once('\t')).find(|(known, _)| known.eq_ignore_ascii_case(code))?;
    Some(names.split('\t'))
}

/// A name's words in alphabetical order, without case, accents and punctuation: "Korea, Republic of" is "Republic of
/// Korea".
fn normal(name: &str) -> Vec<String> {
    let mut plain = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        match character {
            'à'..='å' => plain.push('a'),
            'ç' => plain.push('c'),
            'è'..='ë' => plain.push('e'),
            'ì'..='ï' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ò'..='ö' | 'ø' => plain.push('o'),
            'ù'..='ü' => plain.push('u'),
            // As in People's, Côte d'Ivoire, and the dot of a lower-case İ.
            '\'' | '’' | '\u{307}' => {}
            c if c.is_alphanumeric() => plain.push(c),
            _ => plain.push(' '),
        }
    }
    let saint = |word: &str| if word == "st" { "saint".to_owned() } else { word.to_owned() };
    let mut words: Vec<String> = plain.split_whitespace().filter(|word| !IGNORED.contains(word)).map(saint).collect();
    words.sort_unstable();
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{COUNTRIES, choice, names, normal};
    use crate::zoho::metadata::{Choice, ModuleField};

    fn list(names: &[&str]) -> ModuleField {
        let picklist = names.iter().map(|name| Choice::from((*name).to_owned())).collect();
        ModuleField { picklist, ..ModuleField::new("Mailing_Country", "picklist") }
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        for (code, name) in [
            ("DE", "Germany"),
            ("gb", "UNITED KINGDOM"),
            ("KR", "Korea, Republic of"),
            ("KP", "Korea, Democratic People's Republic of"),
            ("CD", "Congo, the Democratic Republic of the"),
            ("CG", "Congo"),
            ("CI", "Cote d’Ivoire"),
            ("TT", "Trinidad & Tobago"),
            ("LC", "St. Lucia"),
            ("TR", "Turkiye"),
            ("CZ", "Czech Republic"),
            ("GM", "The Gambia"),
            ("VN", "Viet Nam"),
            ("BO", "Bolivia, Plurinational State of"),
            ("XK", "Kosovo"),
        ] {
            let field = list(&["Neverland", name, "Utopia"]);
            assert_eq!(choice(code, &field).map(|choice| choice.display.as_str()), Some(name), "{code}");
        }
        assert_eq!(choice("DE", &list(&["France", "Niger"])), None);
        assert_eq!(choice("NE", &list(&["Nigeria"])), None);
        assert_eq!(choice("ZZ", &list(&["Germany"])), None);
    }

    #[test]
    fn the_stored_form_is_found_too() {
        let mut field = list(&["Deutschland"]);
        field.picklist[0].actual = "Germany".to_owned();
        assert_eq!(choice("DE", &field).map(|choice| choice.display.as_str()), Some("Deutschland"));
    }

    #[test]
    fn no_name_means_two_countries() {
        let mut known: BTreeMap<Vec<String>, &str> = BTreeMap::new();
        let codes: Vec<&str> = COUNTRIES.lines().filter(|line| !line.starts_with('#')).map(|line| &line[..2]).collect();
        assert_eq!(codes.len(), 250, "249 countries of ISO 3166-1 and Kosovo");
        for code in codes {
            for name in names(code).expect("names") {
                let form = normal(name);
                assert!(!form.is_empty(), "{code}");
                assert_eq!(*known.entry(form).or_insert(code), code, "{name}");
            }
        }
    }
}
