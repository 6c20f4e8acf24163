//! The list as a file for a spreadsheet: what is where on its way, and no more of a person than an id.

use std::{collections::VecDeque, sync::Arc};

use futures_util::stream;
use poem::{
    Body, Response, handler,
    http::header,
    web::{Data, Query},
};

use super::wanted::{RecordsQuery, RecordsWanted};
use crate::{
    api::Context,
    console::{error::PageError, log::harmless, session::SignedIn},
    limits,
    model::RecordKey,
    store::{ItemRow, StoreError},
    views::Renderer,
};

const COLUMNS: [&str; 10] = [
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
];

#[handler]
pub(in crate::console) async fn download(
    _who: SignedIn,
    context: Data<&Arc<Context>>,
    Query(asked): Query<RecordsQuery>,
) -> Result<Response, PageError> {
    let wanted = RecordsWanted::read(&context, &asked).await?.ok_or(PageError::NotFound)?;
    let renderer = Renderer::new(&context.store).await?;
    let name = format!("attachment; filename=\"records-{}.csv\"", wanted.destination);
    let mut header = csv::Writer::from_writer(Vec::new());
    header.write_record(COLUMNS).map_err(|_| PageError::Internal)?;
    let first = header.into_inner().map_err(|_| PageError::Internal)?;
    let export =
        RecordsExport { context: Arc::clone(&context), wanted, renderer, after: None, left: limits::EXPORT_ROWS };
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
    wanted: RecordsWanted,
    renderer: Renderer,
    after: Option<RecordKey>,
    left: usize,
}

impl RecordsExport {
    /// The next lines; nothing at the end.
    async fn step(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let limit = limits::EXPORT_STEP.min(self.left as u64);
        if limit == 0 {
            return Ok(None);
        }
        let rows = self.wanted.rows(&self.context.store, self.after, limit).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(last.key);
        self.left -= rows.len();
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            // Writing to memory does not fail.
            let _ = writer.write_record(self.line(row));
        }
        Ok(writer.into_inner().ok())
    }

    fn line(&self, row: &ItemRow) -> [String; COLUMNS.len()] {
        let id = |key: RecordKey| self.renderer.id(key.site_id, key.moodle_id);
        let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default());
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
        ]
    }
}
