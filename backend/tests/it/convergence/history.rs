//! Random histories of a site, their orders of arrival, and the expected records.

use std::collections::BTreeMap;

use backend_sync::model::{Change, Event, EventType, Version};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Something that happened in Moodle. Its index in the history is its version.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    event_type: EventType,
    /// The record's id. Few values, so that they collide.
    id: i64,
    /// The user or course it refers to.
    other: i64,
    /// Its content. Few values, so that states repeat.
    variant: i64,
    /// The state itself says that the record is deleted.
    says_deleted: bool,
}

/// The order, repetitions and batches in which a history arrives.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    pub(super) batches: Vec<Vec<usize>>,
    /// Sends all batches at once, so that the writer combines several in one transaction.
    pub(super) at_once: bool,
}

/// A random history.
pub(super) fn history() -> impl Strategy<Value = Vec<Happening>> {
    let happening = (select(EventType::ALL), 1..=3i64, 1..=2i64, 0..3i64, prop::bool::weighted(0.1)).prop_map(
        |(event_type, id, other, variant, says_deleted)| Happening { event_type, id, other, variant, says_deleted },
    );
    vec(happening, 1..40)
}

/// An arrival of `count` events, each at least once.
pub(super) fn arrivals(count: usize) -> impl Strategy<Value = Arrivals> {
    let repeated = vec(any::<Index>(), 0..=count).prop_map(move |indices| {
        let places = indices.into_iter().map(|index| index.index(count));
        (0..count).chain(places).collect::<Vec<usize>>()
    });
    (repeated.prop_shuffle(), vec(1..=12usize, 1..8), any::<bool>()).prop_map(|(order, sizes, at_once)| {
        let mut rest = order.as_slice();
        let batches = sizes.iter().cycle().map_while(|size| {
            let (batch, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            Some(batch.to_vec()).filter(|batch| !batch.is_empty())
        });
        Arrivals { batches: batches.collect(), at_once }
    })
}

impl Happening {
    /// The record's kind and id.
    fn key(&self) -> Key {
        let name = match self.event_type.kind().as_str() {
            "user" => "userid",
            "course" => "courseid",
            "enrolment" => "enrollmentid",
            "grade" => "gradeid",
            _ => "completionid",
        };
        (name, self.id)
    }

    fn is_deletion(&self) -> bool {
        self.event_type.as_str().ends_with("_deleted")
    }

    /// The data as the plugin sends it.
    fn data(&self) -> Map<String, Value> {
        let Self { id, other, variant, .. } = self;
        let text = format!("state {variant}");
        let mut data = match self.event_type.kind().as_str() {
            "user" => json!({"userid": id.to_string()}),
            "course" => json!({"courseid": id}),
            "enrolment" => json!({"enrollmentid": id, "userid": other, "courseid": other}),
            "grade" => json!({"gradeid": id, "userid": other, "itemid": other}),
            _ => json!({"completionid": id, "userid": other, "courseid": other}),
        };
        if !self.is_deletion() {
            let state = match self.event_type.kind().as_str() {
                "user" => json!({"username": text, "suspended": variant % 2 == 0, "later": {"digits": 1.50}}),
                "course" => json!({"fullname": text, "visible": (variant % 2).to_string()}),
                "enrolment" => json!({
                    "status": variant.to_string(), "roles": [{"shortname": text, "archetype": "student"}],
                }),
                "grade" => json!({
                    "finalgrade": format!("{variant}.50000"), "itemname": text,
                    "grademax": format!("1{variant}.00000"),
                }),
                _ => json!({"timecompleted": variant}),
            };
            let object = data.as_object_mut().unwrap();
            object.extend(state.as_object().unwrap().clone());
            if self.says_deleted {
                object.insert("deleted".to_owned(), json!(true));
            }
        }
        data.as_object().unwrap().clone()
    }

    /// The event at index `place` of its history. Three share each second.
    pub(super) fn event(&self, place: usize) -> Event {
        let (data, number) = (self.data(), i64::try_from(place).unwrap());
        Event {
            idempotency_key: Some(Uuid::from_u128(place as u128 + 1)),
            event_type: self.event_type,
            version: Version { time: 1_000 + number / 3, sequence: Some(number) },
            data: Value::Object(data.clone()).to_string().into(),
            digest: None,
            change: Change::read(self.event_type, data).unwrap(),
        }
    }
}

/// A record's key: its name and value.
pub(super) type Key = (&'static str, i64);

/// The expected record: its key, its newest state as sent or else only its references, and whether it is deleted.
pub(super) type SentRecord = (Key, BTreeMap<String, String>, bool);

/// The newest state of each record by key, computed without the product: a fold of the history in its order.
pub(super) fn fold(history: &[Happening]) -> Vec<SentRecord> {
    #[derive(Default)]
    struct Folded {
        state: Option<Map<String, Value>>,
        references: Map<String, Value>,
        deleted: bool,
    }
    let mut records: BTreeMap<Key, Folded> = BTreeMap::new();
    let mut items: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
    for happening in history {
        let mut data = happening.data();
        let record = records.entry(happening.key()).or_default();
        record.deleted = happening.is_deletion() || data.remove("deleted").is_some();
        if happening.is_deletion() {
            record.references = data;
            continue;
        }
        if let Some(itemname) = data.remove("itemname") {
            let grademax = data.remove("grademax").unwrap();
            let item = [("itemname".to_owned(), itemname), ("grademax".to_owned(), grademax)];
            items.insert(happening.other, item.into_iter().collect());
        }
        record.state = Some(data);
    }
    let as_sent = records.into_iter().map(|(key, Folded { state, references, deleted })| {
        let mut fields = state.unwrap_or(references);
        let item = fields.get("itemid").and_then(Value::as_i64).and_then(|itemid| items.get(&itemid));
        fields.extend(item.cloned().unwrap_or_default());
        (key, super::stored::as_text(fields), deleted)
    });
    as_sent.collect()
}
