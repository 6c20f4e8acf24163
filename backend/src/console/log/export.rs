//! A log as CSV, written while it is read.

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

/// An export that is under way.
struct LogExport<L: LogView> {
    store: Store,
    renderer: Renderer,
    filter: L::Filter,
    /// What is read next; none when that was all.
    place: Option<LogPlace>,
    /// Rows that may still be written.
    left: usize,
    /// The columns' names are written.
    begun: bool,
}

/// All entries that the address asks for, the newest first.
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
    /// The next piece. An error breaks the connection off, so that nobody takes half a file for a whole one.
    async fn step(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(place) = self.place else { return Ok(None) };
        let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
        if !self.begun {
            writer.write_record(L::COLUMNS)?;
            self.begun = true;
        }
        let page = L::page(&self.store, &self.filter, place, limits::EXPORT_STEP).await.map_err(|error| {
            tracing::error!(%error, "an export broke off");
            io::Error::other(error)
        })?;
        for row in page.items.iter().take(self.left) {
            writer.write_record(L::cells(row, &self.renderer).iter().map(|cell| harmless(cell)))?;
        }
        let more = page.items.len() > self.left || page.items.len() == self.left && page.older.is_some();
        self.left = self.left.saturating_sub(page.items.len());
        if self.left == 0 && more {
            let last = format!(
                "Cut off after {} rows: export the rest by a narrower filter, or from an older entry.",
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

/// A cell that a spreadsheet takes for a text, and not for a formula: what stands in it came from somebody in Moodle.
pub(in crate::console) fn harmless(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn cells_are_no_formulas() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        for text in ["", "college:3", "2026-11-22T08:00:00Z", "{\"a\":\"=1\"}"] {
            assert_eq!(harmless(text), text);
        }
    }
}
