//! The form of a token request: urlencoded, or in parts, as Zoho's SDKs for JavaScript send it.

use super::call::pairs;

/// The names and values of a form.
pub(super) fn read(content_type: &str, body: &str) -> Vec<(String, String)> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="));
    match boundary {
        Some(boundary) if content_type.starts_with("multipart/form-data") => {
            body.split(&format!("--{}", boundary.trim_matches('"'))).filter_map(part).collect()
        }
        _ => pairs(body),
    }
}

fn part(text: &str) -> Option<(String, String)> {
    let (head, value) = text.split_once("\r\n\r\n")?;
    let (_, name) = head.split_once("name=\"")?;
    let (name, _) = name.split_once('"')?;
    Some((name.to_owned(), value.strip_suffix("\r\n")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn both_kinds_of_forms() {
        let expected = [("grant_type", "refresh_token"), ("code", "a&b=c")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let plain = "grant_type=refresh_token&code=a%26b%3Dc";
        assert_eq!(read("application/x-www-form-urlencoded", plain), expected);
        let parts = "--xyz\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n\
             --xyz\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\na&b=c\r\n--xyz--\r\n";
        for boundary in ["xyz", "\"xyz\""] {
            assert_eq!(read(&format!("multipart/form-data; boundary={boundary}"), parts), expected);
        }
    }
}
