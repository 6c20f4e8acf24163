//! A grade item that changed, whose grades therefore changed too: a new maximum changes what each grade means.
//!
//! A course total has as many grades as the course has students. So a transaction touches a bounded number of them, and
//! the table `item_changes` remembers how far it got; further transactions touch the rest, whichever process runs them.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::{
    Changes, Store, StoreError, WriteTransaction, bulk,
    records::Key,
    sql::{execute, query},
};
use crate::{
    clock::Timestamp,
    model::{Id, Kind},
};

/// Grades that one transaction touches because their item changed: some tens of milliseconds under the writers' lock.
const STEP_GRADES: usize = 1_000;

/// The last touched grade of an item: its person and id. `None` before the first.
type Place = Option<(i64, i64)>;

struct Grade {
    moodle_id: Id,
    userid: i64,
    deleted: bool,
}

impl Grade {
    fn of(row: &QueryResult) -> Result<Self, StoreError> {
        Ok(Self {
            moodle_id: Id(row.try_get("", "moodle_id")?),
            userid: row.try_get("", "userid")?,
            deleted: row.try_get("", "deleted")?,
        })
    }
}

impl Store {
    /// Touches the next grades of items that changed; false when no item is left.
    pub async fn touch_next_grades(&self, now: Timestamp, repeat_ms: i64) -> Result<bool, StoreError> {
        let sql = "SELECT site_id, itemid, userid, moodle_id FROM item_changes ORDER BY site_id, itemid LIMIT 1";
        // Usually there is none, and a read delays no writer.
        if query(&self.read, sql, vec![]).await?.is_empty() {
            return Ok(false);
        }
        let (transaction, _) = self.begin_write(0).await?;
        let rows = query(transaction.connection(), sql, vec![]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let item = (row.try_get("", "site_id")?, Id(row.try_get("", "itemid")?));
        let (userid, moodle_id): (Option<i64>, Option<i64>) =
            (row.try_get("", "userid")?, row.try_get("", "moodle_id")?);
        let mut changes = Changes::new();
        transaction.touch_grades(item, userid.zip(moodle_id), STEP_GRADES, now, &mut changes).await?;
        transaction.mark_pending(&changes, &HashMap::new(), &[], repeat_ms).await?;
        transaction.save_changes(changes, HashMap::new()).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

impl WriteTransaction {
    /// Marks the grades of these items as changed, except those already in `changes`: at most
    /// [`STEP_GRADES`]. Returns whether some are left for [`Store::touch_next_grades`].
    pub(crate) async fn touch_grades_of(
        &self,
        items: &[Key],
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<bool, StoreError> {
        let (mut left, mut unfinished) = (STEP_GRADES, false);
        for item in items {
            let touched = self.touch_grades(*item, None, left, now, changes).await?;
            unfinished |= touched == left;
            left -= touched;
        }
        Ok(unfinished)
    }

    /// Touches at most `limit` grades of an item after `after`, and remembers the place if there may be more; returns
    /// how many.
    async fn touch_grades(
        &self,
        (site_id, itemid): Key,
        after: Place,
        limit: usize,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<usize, StoreError> {
        let mut sql = "SELECT moodle_id, userid, deleted FROM grades WHERE site_id = ? AND itemid = ?".to_owned();
        let mut values: Vec<Value> = vec![site_id.into(), itemid.0.into()];
        if let Some((userid, moodle_id)) = after {
            sql += " AND (userid, moodle_id) > (?, ?)";
            values.extend([Value::from(userid), Value::from(moodle_id)]);
        }
        sql += " ORDER BY userid, moodle_id LIMIT ?";
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let rows = query(self.connection(), &sql, values).await?;
        let grades: Vec<Grade> = rows.iter().map(Grade::of).collect::<Result<_, _>>()?;
        let ids: Vec<Id> = grades.iter().map(|grade| grade.moodle_id).collect();
        for list in bulk::key_lists(&ids) {
            let places = vec!["?"; list.len()].join(", ");
            let sql = format!("UPDATE grades SET changed_at = ? WHERE site_id = ? AND moodle_id IN ({places})");
            let values = [now.0, site_id].into_iter().chain(list.iter().map(|id| id.0)).map(Value::from).collect();
            execute(self.connection(), &sql, values).await?;
        }
        let place = grades.last().map(|grade| (grade.userid, grade.moodle_id.0)).or(after);
        self.save_place((site_id, itemid), place, grades.len() < limit).await?;
        let key = |grade: &Grade| (site_id, Kind::Grade, grade.moodle_id);
        let touched = grades.iter().map(|grade| (key(grade), grade.deleted)).collect();
        self.append_changes(touched, now, changes).await?;
        Ok(grades.len())
    }

    async fn save_place(&self, (site_id, itemid): Key, place: Place, finished: bool) -> Result<(), StoreError> {
        let mut values: Vec<Value> = vec![site_id.into(), itemid.0.into()];
        if finished {
            let sql = "DELETE FROM item_changes WHERE site_id = ? AND itemid = ?";
            execute(self.connection(), sql, values).await?;
            return Ok(());
        }
        let (userid, moodle_id) = place.unzip();
        values.extend([Value::from(userid), Value::from(moodle_id)]);
        let sql = "INSERT INTO item_changes (site_id, itemid, userid, moodle_id) VALUES (?, ?, ?, ?) \
                   ON CONFLICT (site_id, itemid) DO UPDATE SET userid = excluded.userid, moodle_id = excluded.moodle_id";
        execute(self.connection(), sql, values).await?;
        Ok(())
    }
}
