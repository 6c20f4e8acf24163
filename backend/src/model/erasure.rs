//! The words of an erasure: what happens at the destination, and how far it is.

use serde::Deserialize;

words! {
    /// What an erasure does at the destination.
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    ErasurePolicy {
        /// All records are emptied and go to the recycle bin, the contact too.
        Delete = "delete",
        /// The contact loses what we wrote into it and stays; enrolments, grades and completions, which are ours alone, are emptied and
        /// go to the recycle bin.
        Anonymise = "anonymise",
        /// Nothing: somebody else takes care of it.
        Keep = "keep",
    }
}

words! {
    /// How far an erasure is.
    ErasureState {
        /// Asked for; it begins when it is due.
        Requested = "requested",
        /// Begun: nothing about the person is stored any more, and what is there is being emptied.
        Erasing = "erasing",
        /// Nothing is left in our database; the destination is being told.
        LocalDone = "local_done",
        /// The destination has done its part too.
        RemoteDone = "remote_done",
        /// Looked for since, and nothing found.
        Verified = "verified",
        /// Looked for since, and something found: a person is needed.
        Found = "found",
        /// Taken back: the person may be known again.
        Lifted = "lifted",
    }
}

impl ErasureState {
    /// Whether all that we can do was done, so that it can be looked for.
    pub fn is_done(self) -> bool {
        matches!(self, Self::RemoteDone | Self::Verified | Self::Found)
    }
}
