//! Formatting values as text.

use std::borrow::Cow;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use rust_decimal::{Decimal as Number, RoundingStrategy};

use super::datum::Datum;

/// The value as text.
pub(super) fn text<'a>(datum: &'a Datum<'_>) -> Cow<'a, str> {
    match datum {
        Datum::Text(text) => Cow::Borrowed(text),
        Datum::Number(number) => Cow::Owned(number.normalize().to_string()),
        Datum::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Datum::Time(seconds) => Cow::Owned(date_time(*seconds)),
        Datum::Reference(id) => Cow::Borrowed(id),
    }
}

/// Rounds to `decimals` places, half away from zero, as people do.
pub(super) fn round(number: Number, decimals: u32) -> Number {
    number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// Unix seconds in Zoho's date-time format.
pub(super) fn date_time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Unix seconds in Zoho's date format.
pub(super) fn date(seconds: i64, time_zone: Tz) -> String {
    let utc = DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
    let there = utc.checked_add_offset(time_zone.offset_from_utc_datetime(&utc).fix());
    there.unwrap_or(utc).format("%Y-%m-%d").to_string()
}
