//! What an action did, said on the page that it leads back to. The address holds a word and a number, never a text to be shown.

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};

use super::words::{self, number};

/// What an action did.
#[derive(Clone, Copy)]
pub(super) enum Done {
    /// So many records are tried again.
    Retried(u64),
    /// So many records are sent again.
    Sent(u64),
    /// The delivery is paused.
    Paused,
    /// The delivery goes on.
    Resumed,
    /// Somebody knows of an alarm.
    Acknowledged,
    /// A test notice arrived at so many channels, and at so many it did not.
    Tested(u64, u64),
}

impl Done {
    fn word(self) -> String {
        match self {
            Self::Retried(count) => format!("retried-{count}"),
            Self::Sent(count) => format!("sent-{count}"),
            Self::Paused => "paused".to_owned(),
            Self::Resumed => "resumed".to_owned(),
            Self::Acknowledged => "acknowledged".to_owned(),
            Self::Tested(arrived, failed) => format!("tested-{arrived}-{failed}"),
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Some(match word.split_once('-') {
            Some(("retried", count)) => Self::Retried(count.parse().ok()?),
            Some(("sent", count)) => Self::Sent(count.parse().ok()?),
            Some(("tested", counts)) => {
                let (arrived, failed) = counts.split_once('-')?;
                Self::Tested(arrived.parse().ok()?, failed.parse().ok()?)
            }
            None if word == "acknowledged" => Self::Acknowledged,
            None if word == "paused" => Self::Paused,
            None if word == "resumed" => Self::Resumed,
            _ => return None,
        })
    }

    /// As a sentence.
    fn words(self) -> String {
        let records = |count: u64| match count {
            1 => "1 record".to_owned(),
            count => format!("{} records", number(count)),
        };
        match self {
            Self::Retried(0) => "Nothing was to be tried again.".to_owned(),
            Self::Sent(0) => "Nothing was to be sent again.".to_owned(),
            Self::Retried(count) => format!("Done: {} will be tried again now.", records(count)),
            Self::Sent(count) => format!("Done: {} will be sent again now.", records(count)),
            Self::Paused => "Done: the delivery is paused. Records go on to be received, and wait.".to_owned(),
            Self::Resumed => "Done: the delivery goes on.".to_owned(),
            Self::Acknowledged => "Done: it is known that you know, and nobody is reminded.".to_owned(),
            Self::Tested(arrived, 0) => format!("The test notice arrived at all channels ({}).", number(arrived)),
            Self::Tested(_, failed) => {
                format!("The test notice did not arrive at {} of the channels; the table says why.", number(failed))
            }
        }
    }

    /// What the query of an address says was done.
    pub(super) fn said(word: Option<&str>) -> Option<String> {
        word.and_then(Self::of_word).map(Self::words)
    }

    /// Leads to the page at `path`, which says it.
    pub(super) fn then(self, path: &str) -> Response {
        let address = format!("{path}?{}", words::query(&[("done", &self.word())]));
        StatusCode::SEE_OTHER.with_header(header::LOCATION, address).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::Done;

    #[test]
    fn only_our_own_words_are_said() {
        for done in
            [Done::Retried(1), Done::Sent(2_000), Done::Paused, Done::Resumed, Done::Acknowledged, Done::Tested(1, 0)]
        {
            assert_eq!(Done::said(Some(&done.word())), Some(done.words()));
        }
        for other in ["retried-<b>", "sent", "you have won", ""] {
            assert_eq!(Done::said(Some(other)), None);
        }
        assert!(Done::Sent(2_000).words().contains("2,000 records"));
    }
}
