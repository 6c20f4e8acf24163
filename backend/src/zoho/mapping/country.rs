//! Countries: Moodle has ISO's codes, and Zoho's lists have names.

use crate::zoho::metadata::{Choice, ModuleField};

/// Names in use that differ from ISO's in more than case, accents, punctuation and the order of words. XK is not in ISO
/// 3166, but in Moodle.
const ALSO: [(&str, &[&str]); 44] = [
    ("AE", &["UAE"]),
    ("BN", &["Brunei"]),
    ("BO", &["Bolivia"]),
    ("BQ", &["Caribbean Netherlands", "Bonaire", "Bonaire, Saint Eustatius and Saba"]),
    ("CC", &["Cocos Islands"]),
    ("CD", &["DR Congo", "Congo (Kinshasa)"]),
    ("CG", &["Republic of the Congo", "Congo (Brazzaville)"]),
    ("CI", &["Ivory Coast"]),
    ("CV", &["Cape Verde"]),
    ("CZ", &["Czech Republic"]),
    ("FK", &["Falkland Islands"]),
    ("FM", &["Micronesia"]),
    ("GB", &["United Kingdom", "Great Britain", "UK"]),
    ("HM", &["Heard and McDonald Islands"]),
    ("IR", &["Iran"]),
    ("KP", &["North Korea"]),
    ("KR", &["South Korea", "Korea"]),
    ("LA", &["Laos"]),
    ("LY", &["Libyan Arab Jamahiriya"]),
    ("MD", &["Moldova"]),
    ("MF", &["Saint Martin"]),
    ("MK", &["Macedonia", "Macedonia, the former Yugoslav Republic of"]),
    ("MM", &["Burma", "Myanmar (Burma)"]),
    ("MO", &["Macau"]),
    ("NL", &["Netherlands", "Holland"]),
    ("PN", &["Pitcairn Islands"]),
    ("PS", &["Palestine", "Palestinian Territory", "Palestinian Territory, Occupied", "Palestinian Territories"]),
    ("RU", &["Russia"]),
    ("SH", &["Saint Helena"]),
    ("SX", &["Sint Maarten"]),
    ("SY", &["Syria"]),
    ("SZ", &["Swaziland"]),
    ("TF", &["French Southern and Antarctic Lands"]),
    ("TL", &["East Timor"]),
    ("TR", &["Turkey"]),
    ("TW", &["Taiwan"]),
    ("TZ", &["Tanzania"]),
    ("UM", &["US Outlying Islands"]),
    ("US", &["United States", "USA", "US"]),
    ("VA", &["Vatican City", "Vatican City State", "Holy See (Vatican City State)"]),
    ("VE", &["Venezuela"]),
    ("VI", &["US Virgin Islands", "United States Virgin Islands"]),
    ("VN", &["Vietnam"]),
    ("XK", &["Kosovo"]),
];

/// Words that lists place and spell in many ways: "Isle of Man", "The Gambia", "Trinidad & Tobago".
const IGNORED: [&str; 3] = ["and", "of", "the"];

/// The value of the field's list that stands for the country with this code.
pub(super) fn choice<'f>(code: &str, field: &'f ModuleField) -> Option<&'f Choice> {
    let named = |name: &str| {
        let name = normal(name);
        field.picklist.iter().find(|choice| normal(&choice.display) == name || normal(&choice.actual) == name)
    };
    names(&code.to_ascii_uppercase()).find_map(named)
}

/// The names of a country, ISO's first.
fn names(code: &str) -> impl Iterator<Item = &'static str> {
    let iso = rust_iso3166::from_alpha2(code).map(|country| country.name);
    let also = ALSO.iter().find(|(known, _)| *known == code).map(|(_, names)| *names).unwrap_or_default();
    iso.into_iter().chain(also.iter().copied())
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

    use super::{ALSO, choice, names, normal};
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
        for code in ALSO.iter().map(|(code, _)| *code).chain(rust_iso3166::ALL_ALPHA2.iter().copied()) {
            for name in names(code) {
                let form = normal(name);
                assert!(!form.is_empty(), "{code}");
                assert_eq!(*known.entry(form).or_insert(code), code, "{name}");
            }
        }
        assert!(known.len() > 290, "{}", known.len());
    }
}
