//! How points are stored: series by name, points by series and minute.

use std::collections::HashMap;
use std::ops::ControlFlow;

use domain::{Scope, Timestamp};
use store::{Domain, Error, Scan, Snapshot, Table, Tx};

use crate::RETENTION;
use crate::series::{Point, Series, Statistics, minute, start};

/// The number of a series, by scope, namespace, metric and dimensions (as JSON).
static SERIES: Table<(Scope, String, String, String), u64> = Table::of(Domain::Logs, "metrics.series");
/// By series and minute.
static POINTS: Table<(u64, u64), Statistics> = Table::of(Domain::Logs, "metrics.points");
/// What is kept of the whole: the last number given out, and the day of the last cleaning.
static NOTES: Table<(String,), u64> = Table::of(Domain::Logs, "metrics.notes");
const LAST_SERIES: &str = "last-series";
const CLEANED_DAY: &str = "cleaned-day";

/// Series looked at in one cleaning, so that no writer waits long for it.
const CLEANED_AT_ONCE: usize = 200;
const MINUTES_A_DAY: u64 = 24 * 60;

/// Adds points to what is stored, and removes what has been kept long enough, once a day.
pub fn add(
    tx: &mut Tx<'_>,
    points: &HashMap<(Series, u64), Statistics>,
    now: Timestamp,
) -> Result<(), Error> {
    for ((series, minute), statistics) in points {
        let id = id(tx, series)?;
        let mut merged = tx.get(&POINTS, (id, *minute))?.unwrap_or_default();
        merged.merge(statistics);
        tx.put(&POINTS, (id, *minute), &merged)?;
    }
    clean(tx, now)
}

/// The points of a series in `[from, to)`.
pub fn read(
    snapshot: &Snapshot<'_>,
    series: &Series,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Point>, Error> {
    let Some(id) = snapshot.get(&SERIES, key(series))? else { return Ok(Vec::new()) };
    let first = minute(from) + u64::from(start(minute(from)) < from);
    let scan = Scan::prefix((id,)).at_least((id, first)).below((id, minute(to)));
    let found = snapshot.scan(&POINTS, &scan)?;
    Ok(found.into_iter().map(|((_, minute), statistics)| Point { at: start(minute), statistics }).collect())
}

/// The series of a namespace.
pub fn list(snapshot: &Snapshot<'_>, scope: &Scope, namespace: &str) -> Result<Vec<Series>, Error> {
    let keys = snapshot.keys(&SERIES, &Scan::prefix((scope, namespace)))?;
    Ok(keys.into_iter().map(of_key).collect())
}

fn id(tx: &mut Tx<'_>, series: &Series) -> Result<u64, Error> {
    let key = key(series);
    if let Some(id) = tx.get(&SERIES, &key)? {
        return Ok(id);
    }
    let id = tx.get(&NOTES, (LAST_SERIES,))?.unwrap_or_default() + 1;
    tx.put(&NOTES, (LAST_SERIES,), &id)?;
    tx.put(&SERIES, &key, &id)?;
    Ok(id)
}

fn clean(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    let today = minute(now) / MINUTES_A_DAY;
    if tx.get(&NOTES, (CLEANED_DAY,))? == Some(today) {
        return Ok(());
    }
    tx.put(&NOTES, (CLEANED_DAY,), &today)?;
    let kept_from = minute(now).saturating_sub(RETENTION.as_secs() / 60);
    let mut series = Vec::new();
    tx.visit(&SERIES, &Scan::all(), |key, id| {
        series.push((key, id));
        ControlFlow::Continue(())
    })?;
    // A different part every day, when there are very many.
    let turn = usize::try_from(today).unwrap_or_default().wrapping_mul(CLEANED_AT_ONCE);
    let from = turn.checked_rem(series.len()).unwrap_or_default();
    for (key, id) in series.iter().cycle().skip(from).take(CLEANED_AT_ONCE.min(series.len())) {
        tx.delete_range(&POINTS, &Scan::prefix((*id,)).below((*id, kept_from)))?;
        if tx.keys(&POINTS, &Scan::prefix((*id,)).limit(1))?.is_empty() {
            tx.delete(&SERIES, key)?;
        }
    }
    Ok(())
}

fn key(series: &Series) -> (Scope, String, String, String) {
    // A map of text is JSON, and a sorted one is so in one way only.
    let dimensions: Vec<String> =
        series.dimensions.iter().map(|(name, value)| format!("{name}\u{1}{value}")).collect();
    (series.scope.clone(), series.namespace.clone(), series.metric.clone(), dimensions.join("\u{2}"))
}

fn of_key((scope, namespace, metric, dimensions): (Scope, String, String, String)) -> Series {
    let dimensions = dimensions.split('\u{2}').filter_map(|pair| pair.split_once('\u{1}'));
    let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Series { scope, namespace, metric, dimensions }
}
