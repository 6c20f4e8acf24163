//! Whether Moodle, the backend and the destination agree: both comparisons together.

use poem_openapi::{Object, types::Example};

use super::{DestinationParityView, ParityView, findings::differ};
use crate::store::{Store, StoreError};

/// Whether Moodle, the backend and the destination agree, as of the last comparisons.
#[derive(Clone, Object)]
#[oai(rename = "Agreement", example)]
pub(crate) struct AgreementView {
    /// Whether all of them hold the same, but for what people left as it is at the destination.
    pub(crate) agrees: bool,
    /// The result in one sentence.
    pub(crate) sentence: String,
    /// Moodle and the backend: the last comparison of each kind of each site. A kind that is missing was never compared.
    pub(crate) sites: Vec<ParityView>,
    /// The backend and the destination; null if none is configured.
    #[oai(nullable)]
    pub(crate) destination: Option<DestinationParityView>,
}

impl Example for AgreementView {
    fn example() -> Self {
        Self::of(vec![ParityView::example()], Some(DestinationParityView::example()))
    }
}

impl AgreementView {
    /// The last comparisons. `destination` is the name of the one that is configured.
    pub(crate) async fn read(store: &Store, destination: Option<&str>) -> Result<Self, StoreError> {
        let sites = ParityView::read(store).await?;
        let destination = match destination {
            Some(name) => Some(DestinationParityView::read(store, name).await?),
            None => None,
        };
        Ok(Self::of(sites, destination))
    }

    fn of(sites: Vec<ParityView>, destination: Option<DestinationParityView>) -> Self {
        let agrees = sites_agree(&sites) && destination.as_ref().is_none_or(|there| there.agrees);
        Self { agrees, sentence: sentence(&sites, destination.as_ref()), sites, destination }
    }
}

fn sites_agree(sites: &[ParityView]) -> bool {
    !sites.is_empty() && sites.iter().all(|view| view.equal)
}

fn sentence(sites: &[ParityView], destination: Option<&DestinationParityView>) -> String {
    let since = sites.iter().map(|view| view.compared_at.as_str()).min().unwrap_or_default();
    let here = match sites.iter().filter(|view| !view.equal).count() {
        _ if sites.is_empty() => "Moodle and the backend were not compared yet".to_owned(),
        0 => format!("Moodle and the backend agree, as of {since}"),
        1 => "Moodle and the backend differ in one kind of records".to_owned(),
        several => format!("Moodle and the backend differ in {several} kinds of records"),
    };
    let Some(there) = destination else { return here + "." };
    let name = there.display();
    match there.differing() {
        0 if there.agrees && sites_agree(sites) => {
            // Both were so at the earlier of the two times.
            let since = there.as_of().map_or(since, |at| at.min(since));
            format!("Moodle, the backend and {name} agree, as of {since}{}.", exceptions(there))
        }
        0 if there.agrees => format!("{here}; {name} has what the mapping writes{}.", exceptions(there)),
        0 => format!("{here}; not all records were compared with {name} yet."),
        count => format!("{here}; {} in {name}{}.", differ(count), exceptions(there)),
    }
}

fn exceptions(there: &DestinationParityView) -> String {
    match there.left() {
        0 => String::new(),
        1 => format!(", except for 1 record that a person left as it is in {}", there.display()),
        many => format!(", except for {many} records that people left as they are in {}", there.display()),
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::Example as _;

    use super::{AgreementView, DestinationParityView, ParityView};

    fn there(differing: u64, left: u64) -> DestinationParityView {
        let mut view = DestinationParityView::example();
        view.agrees = differing == 0;
        (view.kinds[0].differing, view.kinds[0].left) = (differing, left);
        view
    }

    #[test]
    fn one_sentence_is_for_both_halves() {
        let equal = ParityView::example();
        let mut broken = equal.clone();
        broken.equal = false;
        let said = |sites: &[&ParityView], there| {
            let view = AgreementView::of(sites.iter().copied().cloned().collect(), there);
            (view.agrees, view.sentence)
        };
        let both = "Moodle, the backend and Zoho agree, as of 2026-11-22T07:46:47.000Z";
        assert_eq!(said(&[&equal], Some(there(0, 0))), (true, format!("{both}.")));
        for (watched_at, since) in
            [(None, "2026-11-22T02:01:00.000Z"), (Some("2026-11-22T09:00:00.000Z"), "2026-11-22T07:46:47.000Z")]
        {
            let watched_at = watched_at.map(str::to_owned);
            let (_, words) = said(&[&equal], Some(DestinationParityView { watched_at, ..there(0, 0) }));
            assert_eq!(words, format!("Moodle, the backend and Zoho agree, as of {since}."), "the earlier one");
        }
        let left = format!("{both}, except for 1 record that a person left as it is in Zoho.");
        assert_eq!(said(&[&equal], Some(there(0, 1))), (true, left));
        let (agrees, words) = said(&[&equal], Some(there(2, 0)));
        assert!(
            !agrees && words.ends_with("agree, as of 2026-11-22T07:46:47.000Z; 2 records differ in Zoho."),
            "{words}"
        );
        let (agrees, words) = said(&[&broken], Some(there(0, 0)));
        assert!(!agrees && words.contains("one kind of records; Zoho has what the mapping writes."), "{words}");
        assert_eq!(said(&[], None), (false, "Moodle and the backend were not compared yet.".to_owned()));
        assert!(said(&[&equal], None).0);
        let mut never = there(0, 0);
        never.agrees = false;
        let (agrees, words) = said(&[&equal], Some(never));
        assert!(!agrees && words.ends_with("not all records were compared with Zoho yet."), "{words}");
    }
}
