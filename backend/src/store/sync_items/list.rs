//! Pages of sync items, in the order of their keys.

use sea_orm::{QueryResult, Value};

use super::{
    ItemFilter, ItemRow,
    remarks::SYNCED_WITH,
    view::{ITEM_COLUMNS, item_of},
};
use crate::{
    limits,
    model::{Id, ItemState, Kind, RecordKey},
    store::{
        Page, PageRequest, Store, StoreError,
        bounded::{Conditions, Search},
        sql::{count, kind_of, query},
    },
};

/// The part of the items that one search goes through.
#[derive(Clone, Copy)]
struct Part<'a> {
    destination: &'a str,
    filter: &'a ItemFilter,
    site_id: Option<i64>,
    /// Only with a site.
    kind: Option<Kind>,
    /// The filter's state has few items.
    is_few: bool,
}

impl Store {
    /// A page of items, ordered by site, kind and id.
    pub async fn items(
        &self,
        destination: &str,
        filter: &ItemFilter,
        page: PageRequest<RecordKey>,
    ) -> Result<Page<ItemRow, RecordKey>, StoreError> {
        let is_few = match filter.state {
            Some(state @ (ItemState::Pending | ItemState::InFlight)) => self.are_few(destination, state).await?,
            _ => false,
        };
        let (site_id, kind) = (
            filter.site_id.or(filter.record.map(|key| key.site_id)),
            filter.kind.or(filter.record.map(|key| key.kind)),
        );
        // The key begins with the site: with a kind alone, each site has a range of its own.
        let sites = match (site_id, kind) {
            (None, Some(_)) => {
                self.site_ids(page.after.map_or(0, |after| after.site_id)).await?.into_iter().map(Some).collect()
            }
            (site_id, _) => vec![site_id],
        };
        let (mut items, mut stopped) = (Vec::new(), None);
        for site_id in sites {
            let part = Part { destination, filter, site_id, kind: kind.filter(|_| site_id.is_some()), is_few };
            let left = page.limit.saturating_sub(items.len() as u64);
            let Some(search) = part.search(page.after) else { continue };
            let found = search.run(&self.read, left).await?;
            for row in &found.rows {
                items.push(item_of(row)?);
            }
            stopped = found.stopped.as_ref().map(|last| part.key_of(last)).transpose()?;
            if stopped.is_some() || items.len() as u64 > page.limit {
                break;
            }
        }
        Ok(Page::fit(items, page.limit, |_| 0, |item| item.key, stopped))
    }

    /// The first so many items, however far away they are.
    pub async fn first_items(
        &self,
        destination: &str,
        filter: &ItemFilter,
        wanted: u64,
    ) -> Result<Vec<ItemRow>, StoreError> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let limit = wanted.saturating_sub(items.len() as u64);
            let page = self.items(destination, filter, PageRequest { after, limit }).await?;
            items.extend(page.items);
            after = page.next;
            if after.is_none() || items.len() as u64 >= wanted {
                return Ok(items);
            }
        }
    }

    /// Whether one search can go through all items of a state.
    async fn are_few(&self, destination: &str, state: ItemState) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT count(*) AS count FROM (SELECT 1 FROM sync_items WHERE destination = ? AND state = '{state}' LIMIT ?) AS few"
        );
        let found = count(&self.read, &sql, vec![destination.into(), limits::LOOK_ROWS.into()]).await?;
        Ok(found < limits::LOOK_ROWS.unsigned_abs())
    }

    async fn site_ids(&self, from: i64) -> Result<Vec<i64>, StoreError> {
        let rows = query(&self.read, "SELECT id FROM sites WHERE id >= ? ORDER BY id", vec![from.into()]).await?;
        rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
    }
}

impl Part<'_> {
    /// The search for a page after a place; none if all of this part lies before it.
    fn search(&self, after: Option<RecordKey>) -> Option<Search> {
        let (mut range, mut tests) = (Conditions::default(), Conditions::default());
        let (table, table_values) = self.table();
        range.add("destination = ?", [self.destination.into()]);
        if let Some(site_id) = self.site_id {
            range.add("site_id = ?", [site_id.into()]);
        }
        if let Some(kind) = self.kind {
            range.add("kind = ?", [kind.as_str().into()]);
        }
        self.begin(after, &mut range)?;
        let ItemFilter { state, code, record, remarks, .. } = self.filter;
        if let Some(key) = record {
            range.add("moodle_id = ?", [key.moodle_id.0.into()]);
        }
        let by_index = matches!(state, Some(ItemState::Parked | ItemState::Failed));
        if let Some(state) = state {
            // A literal, because the partial indexes do not apply to parameters.
            let conditions = if by_index || self.is_few || record.is_some() { &mut range } else { &mut tests };
            conditions.add(format!("state = '{state}'"), []);
        }
        if let Some(code) = code {
            let is_found = by_index && self.kind.is_some() || self.is_few || record.is_some();
            let conditions = if is_found { &mut range } else { &mut tests };
            conditions.add("code = ?", [code.as_str().into()]);
        }
        if *remarks {
            range.add(SYNCED_WITH, []);
        }
        Some(Search {
            table,
            table_values,
            columns: format!("destination, {ITEM_COLUMNS}"),
            key: self.key(),
            range,
            tests,
        })
    }

    /// Few items are all read and then sorted, whatever order the planner would like to find them in.
    fn table(&self) -> (String, Vec<Value>) {
        match self.filter.state.filter(|_| self.is_few) {
            None => ("sync_items".to_owned(), Vec::new()),
            Some(state) => (
                format!("(SELECT * FROM sync_items WHERE destination = ? AND state = '{state}' LIMIT ?) AS few"),
                vec![self.destination.into(), limits::LOOK_ROWS.into()],
            ),
        }
    }

    /// The columns of the order that differ within this part.
    fn key(&self) -> &'static [&'static str] {
        match (self.site_id, self.kind) {
            (None, _) => &["site_id", "kind", "moodle_id"],
            (Some(_), None) => &["kind", "moodle_id"],
            (Some(_), Some(_)) => &["moodle_id"],
        }
    }

    /// Adds where the page begins; none if all of this part lies before it.
    fn begin(&self, after: Option<RecordKey>, range: &mut Conditions) -> Option<()> {
        let Some(after) = after else { return Some(()) };
        let (site_id, kind, id) =
            (Value::from(after.site_id), Value::from(after.kind.as_str()), Value::from(after.moodle_id.0));
        match (self.site_id, self.kind) {
            (None, _) => range.add("(site_id, kind, moodle_id) > (?, ?, ?)", [site_id, kind, id]),
            (Some(site), _) if site > after.site_id => {}
            (Some(site), _) if site < after.site_id => return None,
            (Some(_), None) => range.add("(kind, moodle_id) > (?, ?)", [kind, id]),
            (Some(_), Some(kind)) if kind.as_str() > after.kind.as_str() => {}
            (Some(_), Some(kind)) if kind.as_str() < after.kind.as_str() => return None,
            (Some(_), Some(_)) => range.add("moodle_id > ?", [id]),
        }
        Some(())
    }

    /// The key of an item of this part, from the columns of [`Self::key`].
    fn key_of(&self, row: &QueryResult) -> Result<RecordKey, StoreError> {
        let site_id = match self.site_id {
            Some(site_id) => site_id,
            None => row.try_get("", "site_id")?,
        };
        let kind = match self.kind {
            Some(kind) => kind,
            None => kind_of(&row.try_get::<String>("", "kind")?)?,
        };
        Ok(RecordKey { kind, site_id, moodle_id: Id(row.try_get("", "moodle_id")?) })
    }
}
