//! The list as a CSV file: the state of each record, and no personal data but ids.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream;
use poem::{
    Body, Response, handler,
    http::header,
    web::{Data, Query},
};

use super::filter::{RecordsFilter, RecordsQuery};
use crate::{
    api::Context,
    console::{error::PageError, lines::in_words, log::without_formula, session::SignedIn},
    limits,
    model::RecordKey,
    store::{ItemRow, Page, StoreError},
    views::Renderer,
};

const COLUMNS: [&str; 11] = [
    "kind",
    "record",
    "state",
    "code",
    "reason",
    "waits_for",
    "remote_id",
    "attempts",
    "undelivered_since",
    "synced_at",
    "remarks",
];

#[handler]
pub(in crate::console) async fn download(
    _who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(query): Query<RecordsQuery>,
) -> Result<Response, PageError> {
    let filter = RecordsFilter::parse(&context, &query).await?.ok_or(PageError::NotFound)?;
    let renderer = Renderer::new(&context.store).await?;
    let name = format!("attachment; filename=\"records-{}.csv\"", filter.destination);
    let mut header = csv::Writer::from_writer(Vec::new());
    header.write_record(COLUMNS).map_err(|_| PageError::Internal)?;
    let first = header.into_inner().map_err(|_| PageError::Internal)?;
    let export = RecordsExport {
        context: Arc::clone(&context),
        filter,
        renderer,
        after: None,
        is_done: false,
        left: limits::EXPORT_ROWS,
    };
    let chunks = stream::try_unfold((export, VecDeque::from([first])), |(mut export, mut ready)| async move {
        if ready.is_empty() {
            ready.extend(export.step().await.map_err(std::io::Error::other)?);
        }
        Ok::<_, std::io::Error>(ready.pop_front().map(|chunk| (chunk, (export, ready))))
    });
    Ok(Response::builder()
        .content_type("text/csv; charset=utf-8")
        .header(header::CONTENT_DISPOSITION, name)
        .body(Body::from_bytes_stream(chunks)))
}

struct RecordsExport {
    context: Arc<Context>,
    filter: RecordsFilter,
    renderer: Renderer,
    after: Option<RecordKey>,
    is_done: bool,
    /// Rows left under the limit.
    left: usize,
}

impl RecordsExport {
    /// The next chunk; none at the end.
    async fn step(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let limit = limits::EXPORT_STEP.min(self.left as u64);
        if self.is_done || limit == 0 {
            return Ok(None);
        }
        let Page { items: rows, next } = self.filter.rows(&self.context.store, self.after, limit).await?;
        (self.is_done, self.after) = (next.is_none(), next);
        self.left -= rows.len();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            // Writing to memory cannot fail.
            let _ = writer.write_record(self.line(row));
        }
        Ok(writer.into_inner().ok())
    }

    fn line(&self, row: &ItemRow) -> [String; COLUMNS.len()] {
        let id = |key: RecordKey| self.renderer.id(key.site_id, key.moodle_id);
        let text = |text: &Option<String>| without_formula(text.as_deref().unwrap_or_default());
        [
            row.key.kind.to_string(),
            id(row.key),
            row.state.to_string(),
            text(&row.code),
            text(&row.reason),
            row.waits_for.map(|key| format!("{} {}", key.kind, id(key))).unwrap_or_default(),
            text(&row.remote_id),
            row.attempts.to_string(),
            row.changed_at.to_rfc3339(),
            row.synced_at.map(|moment| moment.to_rfc3339()).unwrap_or_default(),
            without_formula(&in_words(&row.remarks)),
        ]
    }
}
