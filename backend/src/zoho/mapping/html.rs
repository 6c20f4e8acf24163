//! Converting HTML to the text that a person would read.

use std::borrow::Cow;

/// The text of `html`, without tags, comments, scripts and styles, and with character references resolved. Blocks
/// become lines.
pub(super) fn plain(html: &str) -> Cow<'_, str> {
    if !html.contains(['<', '&']) {
        return Cow::Borrowed(html);
    }
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&html_escape::decode_html_entities(&rest[..start]));
        rest = &rest[start..];
        match markup(rest) {
            Some(markup) => {
                if markup.breaks_line {
                    text.push('\n');
                }
                rest = &rest[markup.length..];
            }
            None => {
                text.push('<');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(&html_escape::decode_html_entities(rest));
    Cow::Owned(tidy(&text))
}

/// A tag, a comment, or an element that is skipped.
struct Markup {
    length: usize,
    breaks_line: bool,
}

/// The markup at the start of `html`, which begins with `<`. `None` when that is only a character, as in `a < b`.
fn markup(html: &str) -> Option<Markup> {
    if html.starts_with("<!--") {
        let length = html.find("-->").map_or(html.len(), |end| end + 3);
        return Some(Markup { length, breaks_line: false });
    }
    let inner = &html[1..];
    let named = inner.strip_prefix('/').unwrap_or(inner);
    if !named.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        return None;
    }
    let name = &named[..named.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(named.len())];
    let length = end_of_tag(html);
    for silent in ["script", "style"] {
        if name.eq_ignore_ascii_case(silent) && !inner.starts_with('/') {
            return Some(Markup { length: length + end_of_element(&html[length..], silent), breaks_line: false });
        }
    }
    const BLOCKS: [&str; 18] = [
        "p",
        "br",
        "div",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "blockquote",
        "pre",
        "section",
    ];
    Some(Markup { length, breaks_line: BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block)) })
}

/// The length of a tag; a `>` in quotes does not end it.
fn end_of_tag(html: &str) -> usize {
    let mut quote = None;
    for (at, byte) in html.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    html.len()
}

/// The length of an element's content including its closing tag.
fn end_of_element(content: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some(found) = content[from..].find("</") {
        let at = from + found;
        let closing = &content[at + 2..];
        if closing.get(..name.len()).is_some_and(|closing| closing.eq_ignore_ascii_case(name)) {
            return at + end_of_tag(&content[at..]);
        }
        from = at + 2;
    }
    content.len()
}

/// One space between words, no empty lines, trimmed. Editors write a no-break space for a space.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.split_whitespace().peekable();
        if words.peek().is_some() && !tidied.is_empty() {
            tidied.push('\n');
        }
        for (number, word) in words.enumerate() {
            if number > 0 {
                tidied.push(' ');
            }
            tidied.push_str(word);
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain;

    #[test]
    fn tags_are_removed_and_references_resolved() {
        for (html, text) in [
            ("<p>Well done <b>Ann</b> 🎉 &amp; مرحبا</p><script>alert(1)</script>", "Well done Ann 🎉 & مرحبا"),
            ("Essay №1 <i>x</i>", "Essay №1 x"),
            ("one<br />two<p>three</p>\n\n<p>four</p>", "one\ntwo\nthree\nfour"),
            ("a < b &lt;i&gt; c", "a < b <i> c"),
            ("x&nbsp;y&#233;&#xe9;&eacute; &unknown; R&D", "x yééé &unknown; R&D"),
            ("<img alt=\"a > b\" src=x>text", "text"),
            ("<!-- <p>no</p> -->yes<STYLE>p{}</Style>!", "yes!"),
            ("<p> </p>", ""),
            ("cut <b off", "cut"),
            ("5 <", "5 <"),
            ("<script>if (a</b) x()</script>y", "y"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_converted(html in "(<|>|/|!|-|&|;|\"|script|style|p|é|🎉| ){0,40}") {
            prop_assert!(plain(&html).len() <= html.len());
        }
    }
}
