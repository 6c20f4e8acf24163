//! Adoptions: what waits for a person's answer, what was adopted, and what an answer would write.

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::Value;

use super::{DifferenceView, PlanError, Renderer, plan::unavailable, rfc3339};
use crate::{
    delivery::Destination as _,
    model::{AdoptionState, Kind, RecordKey},
    store::{Adoption, AdoptionDecision, Store, StoreError},
    zoho::destination::{RemotePlan, Restoration, Zoho},
};

/// An account and a contact that it takes over, asks for, or must not have.
#[derive(Object)]
#[oai(rename = "Adoption", example)]
pub(crate) struct AdoptionView {
    /// Its number.
    pub(crate) number: i64,
    /// What was decided.
    pub(crate) state: AdoptionState,
    /// The account: `<site>:<Moodle id>`.
    pub(crate) record: String,
    /// The contact's id at the destination.
    pub(crate) remote_id: String,
    /// When it came into this state (RFC 3339).
    pub(crate) changed_at: String,
    /// The person who brought it there; null if the mapping did.
    #[oai(nullable)]
    pub(crate) decided_by: Option<String>,
    /// Whether the account writes the contact now.
    pub(crate) writes: bool,
    /// The values that the adoption replaced, and what it wrote; null before it is made, and when they are no longer
    /// kept.
    #[oai(nullable)]
    pub(crate) replaced: Option<Vec<DifferenceView>>,
}

/// What an answer would write into the contact. Nothing was written.
#[derive(Object)]
#[oai(rename = "AdoptionPreview", example)]
pub(crate) struct AdoptionPreview {
    /// The adoption.
    pub(crate) adoption: AdoptionView,
    /// The decision whose effect is shown: `undo` of what was adopted, else `approve`.
    pub(crate) decision: AdoptionDecision,
    /// The contact's fields that would change, with what they hold now and what they would hold.
    pub(crate) changes: Vec<DifferenceView>,
    /// The fields that an undo would leave as they are, because people changed them since.
    pub(crate) kept: Vec<String>,
    /// What else there is to know.
    #[oai(nullable)]
    pub(crate) note: Option<String>,
}

impl AdoptionView {
    pub(crate) fn new(renderer: &Renderer, adoption: &Adoption) -> Self {
        let replaced = adoption.replaced.as_ref().map(|values| {
            let written = values.iter().filter_map(|value| Some((value, value.after.clone()?)));
            let changed = written.filter(|(value, after)| value.before != *after);
            let view = changed.map(|(value, after)| DifferenceView {
                field: value.field.clone(),
                before: Any(value.before.clone()),
                after: Any(after),
            });
            view.collect()
        });
        Self {
            number: adoption.id,
            state: adoption.state,
            record: renderer.id(adoption.key.site_id, adoption.key.moodle_id),
            remote_id: adoption.remote_id.clone(),
            changed_at: rfc3339(adoption.changed_at),
            decided_by: adoption.decided_by.clone(),
            writes: adoption.writes,
            replaced,
        }
    }
}

impl AdoptionPreview {
    /// Compares with the contact in Zoho.
    pub(crate) async fn read(zoho: &Zoho, store: &Store, adoption: &Adoption) -> Result<Self, PlanError> {
        let view = AdoptionView::new(&Renderer::new(store).await?, adoption);
        let row = store.item(Zoho::NAME, adoption.key).await?;
        if adoption.writes {
            let restoration = match row {
                Some(row) => zoho.undo_preview(&row).await.map_err(unavailable)?,
                None => Restoration::default(),
            };
            return Ok(Self::of_undo(view, restoration));
        }
        let plan = match row {
            Some(row) => zoho.preview(&row, &adoption.remote_id).await.map_err(unavailable)?,
            None => RemotePlan::default(),
        };
        let changes = plan.differences.into_iter().map(DifferenceView::from).collect();
        let decision = AdoptionDecision::Approve;
        Ok(Self { adoption: view, decision, changes, kept: Vec::new(), note: plan.note })
    }

    fn of_undo(adoption: AdoptionView, restoration: Restoration) -> Self {
        let Restoration { restored, kept, knows_values, is_ours } = restoration;
        let note = match (is_ours, knows_values) {
            (false, _) => Some("The contact is gone, or no longer has this account's key: nothing would be written."),
            (true, false) => Some("The values before the adoption are not kept: only the key would be taken away."),
            (true, true) => None,
        };
        let changes = restored.into_iter().map(DifferenceView::from).collect();
        Self { adoption, decision: AdoptionDecision::Undo, changes, kept, note: note.map(str::to_owned) }
    }
}

/// What a take-over would write into the contact. Nothing was written.
#[derive(Object)]
#[oai(rename = "TakeOver", example)]
pub(crate) struct TakeOverView {
    /// The account that writes the contact until now: `<site>:<Moodle id>`.
    pub(crate) from: String,
    /// The account that writes it from then on.
    pub(crate) to: String,
    /// The contact's id at the destination.
    pub(crate) remote_id: String,
    /// The contact's fields that would change, with what they hold now and what they would hold.
    pub(crate) changes: Vec<DifferenceView>,
    /// What else there is to know.
    #[oai(nullable)]
    pub(crate) note: Option<String>,
}

impl TakeOverView {
    /// Compares with the contact in Zoho.
    pub(crate) async fn read(
        zoho: &Zoho,
        store: &Store,
        (from, to): (RecordKey, RecordKey),
        remote_id: String,
    ) -> Result<Self, PlanError> {
        let renderer = Renderer::new(store).await?;
        let plan = match store.item(Zoho::NAME, to).await? {
            Some(row) => zoho.preview(&row, &remote_id).await.map_err(unavailable)?,
            None => RemotePlan::default(),
        };
        let id = |key: RecordKey| renderer.id(key.site_id, key.moodle_id);
        let changes = plan.differences.into_iter().map(DifferenceView::from).collect();
        Ok(Self { from: id(from), to: id(to), remote_id, changes, note: plan.note })
    }
}

/// The account that a text names, as in `college:3`.
pub(crate) async fn account(store: &Store, text: &str) -> Result<Option<RecordKey>, StoreError> {
    let Ok(id) = text.trim().parse::<crate::model::RecordId>() else { return Ok(None) };
    let site = store.site(id.site.as_str()).await?;
    Ok(site.map(|site| RecordKey { kind: Kind::User, site_id: site.id, moodle_id: id.moodle_id }))
}

fn difference() -> DifferenceView {
    DifferenceView {
        field: "Last_Name".to_owned(),
        before: Any(Value::from("Oneil")),
        after: Any(Value::from("O'Neil")),
    }
}

impl Example for AdoptionView {
    fn example() -> Self {
        Self {
            number: 7,
            state: AdoptionState::Waiting,
            record: "college:3".to_owned(),
            remote_id: "5540000000000123456".to_owned(),
            changed_at: "2026-11-22T08:00:00Z".to_owned(),
            decided_by: None,
            writes: false,
            replaced: None,
        }
    }
}

impl Example for AdoptionPreview {
    fn example() -> Self {
        let (adoption, decision) = (AdoptionView::example(), AdoptionDecision::Approve);
        Self { adoption, decision, changes: vec![difference()], kept: Vec::new(), note: None }
    }
}

impl Example for TakeOverView {
    fn example() -> Self {
        Self {
            from: "college:3".to_owned(),
            to: "college:8".to_owned(),
            remote_id: "5540000000000123456".to_owned(),
            changes: vec![difference()],
            note: None,
        }
    }
}
