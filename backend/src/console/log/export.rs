//! A log as a CSV file, streamed page by page.

use std::{io, sync::Arc};

use bytes::Bytes;
use csv::{Writer, WriterBuilder};
use futures_util::stream;
use poem::{Body, Response, http::header};

use super::{super::error::PageError, LogQuery, LogView};
use crate::{
    api::Context,
    limits,
    store::{LogPlace, Store},
    views::Renderer,
};

/// An export in progress.
struct LogExport<L: LogView> {
    store: Store,
    renderer: Renderer,
    filter: L::Filter,
    /// The next page to read; none after the last one.
    place: Option<LogPlace>,
    /// Rows left under the limit.
    left: usize,
    /// Whether the header row is written.
    begun: bool,
}

/// All entries that match the query, newest first.
pub(in crate::console) async fn export<L: LogView>(
    query: LogQuery,
    context: &Arc<Context>,
) -> Result<Response, PageError> {
    let store = context.store.clone();
    let export = LogExport::<L> {
        filter: L::filter(&query, &store).await?,
        place: Some(query.place(&store, L::LOG).await?),
        renderer: Renderer::new(&store).await?,
        store,
        left: limits::EXPORT_ROWS,
        begun: false,
    };
    let name = L::ADDRESS.trim_start_matches('/');
    let at: String = context.clock.now().to_rfc3339().chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect();
    Ok(Response::builder()
        .content_type("text/csv; charset=utf-8")
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-{at}.csv\""))
        .body(Body::from_bytes_stream(stream::try_unfold(export, LogExport::step))))
}

impl<L: LogView> LogExport<L> {
    /// The next chunk. An error aborts the connection, so that nobody mistakes half a file for a whole one.
    async fn step(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(place) = self.place else { return Ok(None) };
        let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
        if !self.begun {
            writer.write_record(L::COLUMNS)?;
            self.begun = true;
        }
        let page = L::export_page(&self.store, &self.filter, place, limits::EXPORT_STEP).await.map_err(|error| {
            tracing::error!(%error, "an export was aborted: the database failed");
            io::Error::other(error)
        })?;
        for row in page.items.iter().take(self.left) {
            writer.write_record(L::cells(row, &self.renderer).iter().map(|cell| without_formula(cell)))?;
        }
        let more = page.items.len() > self.left || page.items.len() == self.left && page.older.is_some();
        self.left = self.left.saturating_sub(page.items.len());
        if self.left == 0 && more {
            let last = format!(
                "Cut off after {} rows: narrow the filter, or export the rest from an older entry.",
                limits::EXPORT_ROWS
            );
            writer.write_record([last])?;
        }
        self.place = page.older.filter(|_| self.left > 0).map(LogPlace::Before);
        Ok(Some((finish(writer)?, self)))
    }
}

fn finish(writer: Writer<Vec<u8>>) -> io::Result<Bytes> {
    writer.into_inner().map(Bytes::from).map_err(|error| io::Error::other(error.to_string()))
}

/// Quotes a cell that a spreadsheet would run as a formula (CSV injection): anyone in Moodle may have typed it.
pub(in crate::console) fn without_formula(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_formula;

    #[test]
    fn formulas_are_quoted() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(without_formula(formula), format!("'{formula}"));
        }
        for text in ["", "college:3", "2026-11-22T08:00:00Z", "{\"a\":\"=1\"}"] {
            assert_eq!(without_formula(text), text);
        }
    }
}
