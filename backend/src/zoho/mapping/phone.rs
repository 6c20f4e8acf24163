//! Telephone numbers in a form that Zoho accepts.
//!
//! People type "030/1234567 (evenings)" or two numbers into Moodle, and Zoho refuses the whole record because of it.

/// A number that Zoho accepts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phone {
    pub(super) number: String,
    /// More was typed than the number: an extension, a word, a second number.
    pub(super) shortened: bool,
}

/// The fewest digits of a number of which nothing was cut off, and of one that was cut. What remains of a cut one may be
/// an area code only.
const DIGITS: usize = 3;
const DIGITS_IF_CUT: usize = 6;

/// From so many digits on, a number is complete, and what follows after a stroke is another one.
const COMPLETE: usize = 7;

/// The most digits of an international number.
const DIGITS_IN_THE_WORLD: usize = 15;

/// The text if Zoho accepts it in a field of this length, or else the first number in it; `None` when there is none.
pub(super) fn clean(text: &str, length: Option<u32>) -> Option<Phone> {
    let text = tidy(text);
    if is_accepted(&text) && length.is_none_or(|length| text.len() <= length as usize) {
        return Some(Phone { number: text, shortened: false });
    }
    let other_digits = |c: char| c.is_numeric() && !c.is_ascii_digit();
    if text.contains('@') || text.contains("://") || text.contains(other_digits) {
        return None;
    }
    let (number, shortened) = first_number(&text)?;
    let enough = if shortened { DIGITS_IF_CUT } else { DIGITS };
    (digits(&number) >= enough && is_accepted(&number)).then_some(Phone { number, shortened })
}

/// With one blank for any white space, plain hyphens, and nothing invisible.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if c.is_whitespace() => {
                if !tidied.is_empty() && !tidied.ends_with(' ') {
                    tidied.push(' ');
                }
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' => tidied.push('-'),
            // Soft hyphens, zero widths and marks of direction, as copied from web pages.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => {}
            c => tidied.push(c),
        }
    }
    tidied.truncate(tidied.trim_end().len());
    tidied
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// The first number in the text, and whether anything else was in it.
fn first_number(text: &str) -> Option<(String, bool)> {
    let first_digit = text.find(|c: char| c.is_ascii_digit())?;
    let label = text[..first_digit].trim_end_matches(['+', '(', ' ']);
    let lead = &text[label.len()..first_digit];
    let international = lead.contains('+');
    let mut number = if international { "+".to_owned() } else { String::new() };
    let mut shortened = label.contains(char::is_alphanumeric);
    let mut rest = &text[first_digit - usize::from(lead.ends_with('(') && !international)..];
    let mut separator = None;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        rest = after;
        match character {
            '0'..='9' => {
                number.extend(separator.take());
                number.push(character);
            }
            '(' => match parenthesised(after) {
                Some((inner, after)) => {
                    number.extend(separator.take().map(|_| ' '));
                    number.extend(["(", inner, ")"]);
                    // Zoho accepts a blank after it, but no dot.
                    separator = after.starts_with([' ', '-', '.', '/']).then_some(' ');
                    rest = after.trim_start_matches([' ', '-', '.', '/']);
                }
                None => separator = Some(' '),
            },
            ' ' | '-' | '.' => separator = Some(if separator.is_none() { character } else { ' ' }),
            '/' | '\\' | ',' | ';' | '|' if continues(&number, after) => separator = Some(' '),
            c if c.is_alphanumeric() || "/\\,;|+#*&=:".contains(c) => {
                shortened |= c.is_alphanumeric() || after.contains(char::is_alphanumeric);
                break;
            }
            _ => separator = Some(' '),
        }
    }
    Some((number, shortened))
}

/// The digits up to the closing parenthesis, and what follows; `None` when there is anything else before it.
fn parenthesised(after: &str) -> Option<(&str, &str)> {
    let (inner, after) = after.split_once(')')?;
    let inner = inner.trim();
    (!inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit())).then_some((inner, after))
}

/// Whether what follows after a stroke or comma belongs to the same number: "0123/45678", but not "0123456/0177123".
fn continues(number: &str, after: &str) -> bool {
    let after = after.trim_start();
    let end = after.find(|c: char| !c.is_ascii_digit() && !" -.()".contains(c)).unwrap_or(after.len());
    let (left, right) = (digits(&number.replace("(0)", "")), digits(&after[..end]));
    let begins_another = after.starts_with(['+', '0']) || after.starts_with("(0") || after.starts_with("(+");
    let both_complete = left >= COMPLETE && right >= COMPLETE;
    right > 2 && !begins_another && !both_complete && left + right <= DIGITS_IN_THE_WORLD
}

/// What an accepted number consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Word,
    Parenthesis,
}

/// Whether Zoho accepts it: what its published pattern says, as far as it needs no backtracking. Words of letters and
/// digits, some in parentheses, with single separators; at the end what a telephone dials after a pause.
fn is_accepted(text: &str) -> bool {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut last = None;
    while let Some((piece, after)) = piece(rest, last) {
        (last, rest) = (Some(piece), after);
    }
    while let Some(after) = word(strip(rest.trim_start_matches(','), &[';'])) {
        rest = after;
    }
    last.is_some() && strip(rest, &['#', ';', ',']).is_empty()
}

/// The next piece, with what separates it from the last one, and what follows.
fn piece(rest: &str, last: Option<Piece>) -> Option<(Piece, &str)> {
    let separators: &[char] = match last {
        None => &[],
        Some(Piece::Word) => &['-', '.'],
        Some(Piece::Parenthesis) => &['-'],
    };
    if let Some(after) = word(strip(strip(rest, separators), &[' '])) {
        return Some((Piece::Word, after));
    }
    let mut inner = word(strip(strip(rest, &[' ']).strip_prefix('(')?, &[' ']))?;
    while let Some(after) = word(strip(inner, &[' ', '-', '.'])) {
        inner = after;
    }
    let after = inner.strip_prefix(')')?;
    (!after.starts_with('.')).then_some((Piece::Parenthesis, after))
}

/// Without one of these characters at the beginning, if one is there.
fn strip<'t>(text: &'t str, one_of: &[char]) -> &'t str {
    text.strip_prefix(one_of).unwrap_or(text)
}

/// What follows a word; `None` when there is none.
fn word(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    (rest.len() < text.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{Phone, clean, is_accepted};

    #[test]
    fn what_people_type_becomes_a_number() {
        for (typed, number, shortened) in [
            ("+49 30 1234567", "+49 30 1234567", false),
            ("(030) 1234-567", "(030) 1234-567", false),
            ("030  123 45", "030 123 45", false),
            (" 030\u{a0}12345\n", "030 12345", false),
            ("030\u{2013}12345", "030-12345", false),
            ("0123/45678", "0123 45678", false),
            ("0123 / 456 78", "0123 456 78", false),
            ("+49 (0)30/123456", "+49 (0)30 123456", false),
            ("+49(0)4321/1234567", "+49(0)4321 1234567", false),
            ("(+49) 30 123456", "+49 30 123456", false),
            ("[030] 123456!", "030 123456", false),
            ("030, 123456", "030 123456", false),
            ("0041 31 x12", "0041 31 x12", false),
            ("030 1234567 / 0177 1234567", "030 1234567", true),
            ("555-1234567/555-7654321", "555-1234567", true),
            ("030 1234567; +49 177 55", "030 1234567", true),
            ("Tel.: 030 1234567", "030 1234567", true),
            ("030 123456 (abends)!", "030 123456", true),
            ("+49 30 123456 / Durchwahl 7", "+49 30 123456", true),
            ("030 1234567/8", "030 1234567", true),
            ("030 1234567 oder 0177 76543210", "030 1234567 oder 0177 76543210", false),
            ("030 1234567 oder 0177 765432100", "030 1234567", true),
        ] {
            assert_eq!(clean(typed, Some(30)), Some(Phone { number: number.to_owned(), shortened }), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        // A number that is only half of one would be worse than none.
        for typed in [
            "n/a",
            "-",
            "",
            "?",
            "+",
            "030 oder 0177: fragen!",
            "030/0177",
            "1234567@college.example",
            "\u{660}\u{661}\u{662}\u{663}/1",
        ] {
            assert_eq!(clean(typed, None), None, "{typed}");
        }
    }

    #[test]
    fn separators_are_single() {
        for good in
            ["030", "+ 49 30", "030. 12", "030-12(34)56", "(030) 12", "(030)-12", "12345,67", "123;45#", "call me"]
        {
            assert!(is_accepted(good), "{good}");
        }
        for bad in ["030  1", "-030", ".5", "(030).12", "(030", "030/12", "(-3)", "030 ", "", "+", "#"] {
            assert!(!is_accepted(bad), "{bad}");
        }
    }
}
