//! `GET /_hearth/metrics`: what was measured, for `hearth metrics` and for tests, until CloudWatch answers here.

use std::time::Duration;

use bytes::Bytes;
use clock::Time;
use domain::{Account, Clock as _, Region, Scope, Timestamp};
use http::{Method, Request, Response, StatusCode};
use metrics::{Metrics, Series, Statistics};
use percent_encoding::percent_decode_str;
use wire::gateway::{Body, Origin, RequestInfo};

use crate::routes::{json, not_allowed};

/// Who may ask, and what.
pub struct Measured {
    pub metrics: Metrics,
    pub time: Time,
    /// Hearth's own paths carry no signature, so a server that demands one does not offer this.
    pub demands_signatures: bool,
}

/// What is asked for: all of a namespace's series in a scope, or those of one function.
struct Asked {
    scope: Scope,
    namespace: String,
    function: Option<String>,
    minutes: u64,
}

impl Asked {
    fn parse(query: &str) -> Option<Self> {
        let mut asked =
            Self { scope: Scope::default(), namespace: "AWS/Lambda".to_owned(), function: None, minutes: 60 };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
            match name {
                "account" => asked.scope.account = Account::parse(&value)?,
                "region" => asked.scope.region = Region::parse(&value)?,
                "namespace" => asked.namespace = value,
                "function" => asked.function = Some(value),
                "minutes" => asked.minutes = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(asked)
    }
}

/// Answers with the statistics of each series over the minutes asked for, the current one included.
pub async fn route(measured: &Measured, request: Request<Bytes>) -> Response<Body> {
    if request.method() != Method::GET {
        return not_allowed("GET");
    }
    let from_host = request.extensions().get::<RequestInfo>().is_some_and(|info| info.origin == Origin::Host);
    if !from_host || measured.demands_signatures {
        let message = "Metrics are for who started the server, and only where requests need no signature.";
        return json(StatusCode::FORBIDDEN, serde_json::json!({ "message": message }));
    }
    let Some(asked) = Asked::parse(request.uri().query().unwrap_or_default()) else {
        let message = "Ask with account, region, namespace, function and minutes.";
        return json(StatusCode::BAD_REQUEST, serde_json::json!({ "message": message }));
    };
    match summaries(measured, &asked).await {
        Ok(summaries) => json(StatusCode::OK, serde_json::json!({ "metrics": summaries })),
        Err(error) => {
            tracing::error!(%error, "metrics not readable");
            let message = "The server's log has the cause.";
            json(StatusCode::INTERNAL_SERVER_ERROR, serde_json::json!({ "message": message }))
        }
    }
}

async fn summaries(measured: &Measured, asked: &Asked) -> Result<Vec<serde_json::Value>, store::Error> {
    let now = measured.time.now();
    let back_ms = i64::try_from(Duration::from_secs(asked.minutes.saturating_mul(60)).as_millis());
    let from = Timestamp(now.0.saturating_sub(back_ms.unwrap_or(i64::MAX)).max(0));
    let to = now.plus(Duration::from_secs(60));
    let mut found = Vec::new();
    for series in measured.metrics.series(&asked.scope, &asked.namespace).await? {
        let of_function = series.dimensions.get("FunctionName");
        if asked.function.is_some() && of_function != asked.function.as_ref() {
            continue;
        }
        let mut sum = Statistics::default();
        for point in measured.metrics.points(&series, from, to).await? {
            sum.merge(&point.statistics);
        }
        if sum.count > 0 {
            found.push(shown(&series, &sum));
        }
    }
    Ok(found)
}

fn shown(series: &Series, sum: &Statistics) -> serde_json::Value {
    serde_json::json!({
        "metric": series.metric,
        "dimensions": series.dimensions,
        "count": sum.count,
        "sum": sum.sum,
        "min": sum.min,
        "max": sum.max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood_or_refused() {
        let asked = Asked::parse("function=my%2Df&minutes=5&region=eu-west-1").unwrap();
        assert_eq!((asked.function.as_deref(), asked.minutes), (Some("my-f"), 5));
        assert_eq!(asked.scope.region.as_str(), "eu-west-1");
        for wrong in ["minutes=x", "account=1", "color=red"] {
            assert!(Asked::parse(wrong).is_none(), "{wrong}");
        }
    }
}
