//! The result of an action, shown on the page that it redirects to. The address holds a word and numbers, never a text to show, so
//! that a crafted link cannot put words into the console's mouth.

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};

use super::words::{self, counted, number};

/// The result of an action.
#[derive(Clone, Copy)]
pub(super) enum Done {
    /// This many failed or parked records are retried.
    Retried(u64),
    /// This many records are sent again, changed or not.
    Sent(u64),
    /// Deliveries are paused.
    Paused,
    /// Deliveries run again.
    Resumed,
    /// This many that waited happen now, and this many more are approved ahead.
    Approved(u64, u64),
    /// This many that waited do not happen.
    Refused(u64),
    /// This many exceptions wait again.
    Withdrawn(u64),
    /// An operator acknowledged an alert for so many days.
    Acknowledged(u16),
    /// Channels that took a test notification, and channels that did not.
    Tested(u64, u64),
    /// This many adoptions were decided.
    Decided(u64),
    /// This many findings were decided.
    Found(u64),
    /// A comparison of all records was asked for.
    Comparing,
    /// A contact moved to another account.
    TakenOver,
}

impl Done {
    fn word(self) -> String {
        match self {
            Self::Retried(count) => format!("retried-{count}"),
            Self::Sent(count) => format!("sent-{count}"),
            Self::Paused => "paused".to_owned(),
            Self::Resumed => "resumed".to_owned(),
            Self::Approved(done, ahead) => format!("approved-{done}-{ahead}"),
            Self::Refused(count) => format!("refused-{count}"),
            Self::Withdrawn(count) => format!("withdrawn-{count}"),
            Self::Acknowledged(days) => format!("acknowledged-{days}"),
            Self::Tested(arrived, failed) => format!("tested-{arrived}-{failed}"),
            Self::Decided(count) => format!("decided-{count}"),
            Self::Found(count) => format!("found-{count}"),
            Self::Comparing => "comparing".to_owned(),
            Self::TakenOver => "taken".to_owned(),
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Some(match word.split_once('-') {
            Some(("retried", count)) => Self::Retried(count.parse().ok()?),
            Some(("sent", count)) => Self::Sent(count.parse().ok()?),
            Some(("refused", count)) => Self::Refused(count.parse().ok()?),
            Some(("withdrawn", count)) => Self::Withdrawn(count.parse().ok()?),
            Some(("approved", counts)) => {
                let (done, ahead) = counts.split_once('-')?;
                Self::Approved(done.parse().ok()?, ahead.parse().ok()?)
            }
            Some(("acknowledged", days)) => Self::Acknowledged(days.parse().ok()?),
            Some(("decided", count)) => Self::Decided(count.parse().ok()?),
            Some(("found", count)) => Self::Found(count.parse().ok()?),
            Some(("tested", counts)) => {
                let (arrived, failed) = counts.split_once('-')?;
                Self::Tested(arrived.parse().ok()?, failed.parse().ok()?)
            }
            None if word == "comparing" => Self::Comparing,
            None if word == "taken" => Self::TakenOver,
            None if word == "paused" => Self::Paused,
            None if word == "resumed" => Self::Resumed,
            _ => return None,
        })
    }

    fn sentence(self) -> String {
        match self {
            Self::Retried(0) => "There was nothing to retry.".to_owned(),
            Self::Sent(0) => "There was nothing to send.".to_owned(),
            Self::Retried(count) => format!("Retrying {} now.", counted(count, "record")),
            Self::Sent(count) => format!("Sending {} again now.", counted(count, "record")),
            Self::Decided(0) => "Nothing was chosen, so nothing was decided.".to_owned(),
            Self::Decided(count) => {
                format!("{} decided. The next delivery carries it out.", counted(count, "adoption"))
            }
            Self::Found(0) => "There was nothing to decide.".to_owned(),
            Self::Found(count) => {
                format!("Decided about {}. The next delivery carries it out.", counted(count, "finding"))
            }
            Self::Comparing => "All records are compared now. What differs appears here.".to_owned(),
            Self::TakenOver => "The next delivery writes the contact of the other account.".to_owned(),
            Self::Paused => "Delivery is paused. New records are still received, and wait.".to_owned(),
            Self::Resumed => "Delivery is running again.".to_owned(),
            Self::Approved(done, 0) => format!("Approved: {} that waited.", number(done)),
            Self::Approved(done, ahead) => {
                format!("Approved: {} that waited, and {} more ahead.", number(done), number(ahead))
            }
            Self::Refused(count) => format!("Refused: {} that waited.", number(count)),
            Self::Withdrawn(count) => format!("Taken back: {} wait for a decision again.", counted(count, "exception")),
            Self::Acknowledged(days) => {
                format!("Acknowledged for {}. {}", counted(days.into(), "day"), crate::alerts::ACKNOWLEDGED)
            }
            Self::Tested(1, 0) => "The test notification was sent through the only channel.".to_owned(),
            Self::Tested(arrived, 0) => {
                format!("The test notification was sent through all {} channels.", number(arrived))
            }
            Self::Tested(arrived, failed) => format!(
                "The test notification failed on {} of {}; the table says why.",
                number(failed),
                counted(arrived.saturating_add(failed), "channel")
            ),
        }
    }

    /// The sentence for the word in an address; none for an unknown word.
    pub(super) fn message(word: Option<&str>) -> Option<String> {
        word.and_then(Self::of_word).map(Self::sentence)
    }

    /// Redirects to the page at `path`, which shows the sentence.
    pub(super) fn then(self, path: &str) -> Response {
        let address = format!("{path}?{}", words::query(&[("done", &self.word())]));
        StatusCode::SEE_OTHER.with_header(header::LOCATION, address).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::Done;

    #[test]
    fn only_known_words_become_messages() {
        let brake = [Done::Approved(3, 0), Done::Approved(0, 200), Done::Refused(2), Done::Withdrawn(1)];
        let counts = [Done::Retried(1), Done::Sent(2_000), Done::Tested(1, 0), Done::Decided(2), Done::Found(3)];
        let words = [Done::Paused, Done::Resumed, Done::Acknowledged(7), Done::TakenOver, Done::Comparing];
        for done in brake.into_iter().chain(counts).chain(words) {
            assert_eq!(Done::message(Some(&done.word())), Some(done.sentence()));
        }
        for other in ["retried-<b>", "sent", "you have won", ""] {
            assert_eq!(Done::message(Some(other)), None);
        }
        assert_eq!(Done::Sent(2_000).sentence(), "Sending 2,000 records again now.");
        assert_eq!(Done::Retried(1).sentence(), "Retrying 1 record now.");
        assert_eq!(
            Done::Tested(0, 1).sentence(),
            "The test notification failed on 1 of 1 channel; the table says why."
        );
    }
}
