//! The words of an erasure: what happens at the destination, and its progress.

use serde::Deserialize;

words! {
    /// What an erasure does at the destination.
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    ErasurePolicy {
        /// All records, including the contact, are emptied and moved to the recycle bin.
        Delete = "delete",
        /// The contact stays but loses what we wrote into it. Enrolments, grades and completions, which are ours alone,
        /// are emptied and moved to the recycle bin.
        Anonymise = "anonymise",
        /// Nothing: someone else takes care of it.
        Keep = "keep",
    }
}

words! {
    /// The progress of an erasure.
    ErasureState {
        /// Requested; it begins when it is due.
        Requested = "requested",
        /// Begun: nothing new about the person is stored, and existing data is being erased.
        Erasing = "erasing",
        /// Nothing is left in our database; the destination is next.
        LocalDone = "local_done",
        /// The destination has erased its part too.
        RemoteDone = "remote_done",
        /// A later check found nothing.
        Verified = "verified",
        /// A later check found something: a person is needed.
        Found = "found",
        /// Cancelled: data about the person may be stored again.
        Lifted = "lifted",
    }
}

impl ErasureState {
    /// Whether erasing is done, so that a check can look for remains.
    pub fn is_done(self) -> bool {
        matches!(self, Self::RemoteDone | Self::Verified | Self::Found)
    }
}
