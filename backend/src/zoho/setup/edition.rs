//! What Zoho's editions allow, by Zoho's pages. An edition that they don't describe has no limits here: Zoho will say.

/// The most unique fields of a module, in all editions.
pub(super) const UNIQUE_FIELDS: usize = 2;

/// An edition's limits; `None` where Zoho's pages say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Custom modules that can be created by API.
    pub(super) new_modules: Option<usize>,
    /// Custom fields in a module.
    pub(super) custom_fields: Option<usize>,
    /// Records of all modules together, those in the recycle bin included. Larger editions limit the storage; a record
    /// takes some 2 KB of it.
    pub(super) records: Option<u64>,
}

/// The limits of an edition, by its name in the organisation's licence.
pub(super) fn limits(edition: Option<&str>) -> Limits {
    let of = |new_modules, custom_fields, records| Limits {
        new_modules: Some(new_modules),
        custom_fields: Some(custom_fields),
        records,
    };
    match edition {
        Some("free") => of(0, 0, None),
        Some("standard") => of(0, 10, Some(100_000)),
        Some("professional") => of(0, 150, Some(2_500_000)),
        // Bundles that have the Enterprise edition.
        Some("enterprise" | "crmplus" | "zohooneenterprise") => of(200, 310, Some(5_000_000)),
        Some("ultimate") => Limits { new_modules: Some(500), ..Limits::default() },
        _ => Limits::default(),
    }
}
