//! What is recorded can be read again, by minute, and not for ever.

use store::{Location, Options};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const FROM: Timestamp = Timestamp(0);
const TO: Timestamp = Timestamp(i64::MAX);

fn metrics() -> (Metrics, Time) {
    let store = Store::open(&Options { location: Location::Ephemeral }).unwrap();
    let time = Time::virtual_at(Timestamp(600_000));
    (Metrics::start(store, time.clone()), time)
}

fn series(metric: &str, function: &str) -> Series {
    Series {
        scope: domain::Scope::default(),
        namespace: "AWS/Lambda".into(),
        metric: metric.into(),
        dimensions: [("FunctionName".to_owned(), function.to_owned())].into(),
    }
}

fn observe(metrics: &Metrics, function: &str, value: f64) {
    let series = series("Duration", function);
    metrics.observe(move |recorder| recorder.add(series, value));
}

#[tokio::test]
async fn values_of_a_minute_are_one_point() {
    let (metrics, time) = metrics();
    for value in [5.0, 1.0, 3.0] {
        observe(&metrics, "f", value);
        // Stored in parts or at once: it comes to the same.
        metrics.flush().await.unwrap();
    }
    observe(&metrics, "other", 100.0);
    time.advance(Duration::from_secs(60), PATIENCE).await.unwrap();
    observe(&metrics, "f", 7.0);
    let points = metrics.points(&series("Duration", "f"), FROM, TO).await.unwrap();
    let expected = [
        Point { at: Timestamp(600_000), statistics: Statistics { count: 3, sum: 9.0, min: 1.0, max: 5.0 } },
        Point { at: Timestamp(660_000), statistics: Statistics { count: 1, sum: 7.0, min: 7.0, max: 7.0 } },
    ];
    assert_eq!(points, expected);
    let later = metrics.points(&series("Duration", "f"), Timestamp(600_001), TO).await.unwrap();
    assert_eq!(later, expected[1..]);
    let first = metrics.points(&series("Duration", "f"), FROM, Timestamp(660_000)).await.unwrap();
    assert_eq!(first, expected[..1]);
}

#[tokio::test]
async fn more_than_the_queue_holds_is_added_up_all_the_same() {
    let (metrics, _) = metrics();
    let count = 2 * OBSERVATIONS_MAX + 7;
    for _ in 0..count {
        observe(&metrics, "f", 1.0);
    }
    assert!(lock(&metrics.0.observed).len() < OBSERVATIONS_MAX);
    let points = metrics.points(&series("Duration", "f"), FROM, TO).await.unwrap();
    assert_eq!(points[0].statistics.count, count as u64);
}

#[tokio::test]
async fn series_can_be_listed_and_go_when_their_last_point_has() {
    let (metrics, time) = metrics();
    observe(&metrics, "old", 1.0);
    let scope = domain::Scope::default();
    assert_eq!(metrics.series(&scope, "AWS/Lambda").await.unwrap(), [series("Duration", "old")]);
    time.advance(RETENTION + Duration::from_secs(24 * 3600), PATIENCE).await.unwrap();
    observe(&metrics, "new", 1.0);
    assert_eq!(metrics.series(&scope, "AWS/Lambda").await.unwrap(), [series("Duration", "new")]);
    assert_eq!(metrics.points(&series("Duration", "old"), FROM, TO).await.unwrap(), []);
}
