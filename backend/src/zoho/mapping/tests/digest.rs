use crate::zoho::mapping::Mapping;

#[test]
fn the_digest_knows_what_a_file_says_and_not_how() {
    let digest = |text: &str| Mapping::parse(text).unwrap().digest();
    let text = Mapping::DEFAULT;
    assert_eq!(digest(text), digest(&format!("# Ours\n\n{text}")), "a comment");
    assert_ne!(
        digest(text),
        digest(&text.replace("Mailing_City = { from = \"city\"", "Mailing_City = { from = \"department\""))
    );
}
