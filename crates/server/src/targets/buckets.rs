//! Buckets: what they tell of their objects' changes to, and what is read and written in them for other services.

use std::sync::{Arc, OnceLock};

use deliveries::{Answer, Deliveries, Parcel};
use lambda::{CodeObject, CodeObjectError, Lambda, ReadObject};
use s3::{Destinations, S3, Unfit};
use sns::Sns;
use sqs::Sqs;

use super::roles::{RoleMay, is_denied};

/// How S3 signs what it does for a bucket.
const PRINCIPAL: &str = "s3.amazonaws.com";

/// Whether S3 may notify a function, a queue or a topic for a bucket of an account.
pub fn destinations(lambda: &Lambda, sqs: &Sqs, sns: &Sns) -> Destinations {
    let (lambda, sqs, sns) = (lambda.clone(), sqs.clone(), sns.clone());
    Box::new(move |target, bucket, account| {
        let may = match target.split(':').nth(2) {
            Some("lambda") => {
                let exists = lambda.has(target);
                exists.then(|| lambda.may_invoke(target, PRINCIPAL, bucket, account))
            }
            Some("sqs") => sqs.queue(target).map(|_| sqs.may_send(target, PRINCIPAL, bucket, account)),
            Some("sns") => sns.may_publish(target, PRINCIPAL, bucket, account),
            _ => None,
        };
        match may {
            None => Err(Unfit::Absent),
            Some(false) => Err(Unfit::Forbidden),
            Some(true) => Ok(()),
        }
    })
}

/// Records that one bucket takes at once: they share flushes.
const AT_ONCE: usize = 16;

/// Says how buckets are delivered to.
pub fn register(deliveries: &Deliveries, s3: &S3, role_may: &RoleMay) {
    let (s3, role_may) = (s3.clone(), Arc::clone(role_may));
    deliveries.on("s3", AT_ONCE, move |parcel| {
        let (s3, role_may) = (s3.clone(), Arc::clone(&role_may));
        async move { to_bucket(&s3, &role_may, parcel).await }
    });
}

/// Writes the record of an asynchronous invocation. Another attempt writes the same object again.
async fn to_bucket(s3: &S3, role_may: &RoleMay, parcel: Parcel) -> Answer {
    let Some(bucket) = parcel.target.strip_prefix("arn:aws:s3:::").map(str::to_owned) else {
        return Answer::failed("this is not the ARN of a bucket");
    };
    // `arn:aws:lambda:<region>:<account>:function:<name>:<qualifier>`
    let function = parcel.sender.source_arn().split(':').nth(6).unwrap_or_default();
    let key = key(function, parcel.accepted, parcel.id);
    let trace = parcel.details::<deliveries::Message>().ok().and_then(|details| details.trace_header);
    let parcel = Parcel { target: format!("{}/{key}", parcel.target), ..parcel };
    if is_denied(role_may, &parcel, "s3:PutObject") {
        return Answer::failed("the function's role may not put objects into this bucket");
    }
    let written = s3.write_object(&bucket, &key, "application/json", parcel.payload, trace.as_deref()).await;
    match written {
        Ok(()) => Answer::delivered(),
        Err(error) if error.temporary => Answer::retry(error.message),
        Err(error) => Answer::failed(format!("{}: {}", error.code, error.message)),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn key(function: &str, at: domain::Timestamp, id: uuid::Uuid) -> String {
    let at = jiff::Timestamp::from_millisecond(at.epoch_ms()).unwrap_or_default();
    let day = at.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S");
    format!("aws/lambda/async/{function}/{day}-{id}")
}

/// Reads functions' code, for callers who may read it themselves.
pub fn read_object(s3: Arc<OnceLock<S3>>) -> ReadObject {
    Box::new(move |cx, object| {
        let CodeObject { bucket, key, version, bytes_max } = object;
        let failed = |code: &str, message: String| CodeObjectError { code: code.to_owned(), message };
        let (s3, cx) = (s3.get().cloned(), cx.clone());
        Box::pin(async move {
            let s3 = s3.ok_or_else(|| failed("SlowDown", "S3 is starting; please try again.".to_owned()))?;
            let read = s3.read_object(&cx, &bucket, &key, version.as_deref(), bytes_max).await;
            read.map_err(|error| match error.code.as_str() {
                // To other services S3 does not say which policy it was.
                "AccessDenied" => failed("AccessDenied", "Access Denied".to_owned()),
                code => failed(code, error.message),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_lies_where_aws_puts_it() {
        let at = domain::Timestamp(1_700_000_000_000);
        assert_eq!(
            key("f", at, uuid::Uuid::nil()),
            "aws/lambda/async/f/2023/11/14/2023-11-14T22.13.20-00000000-0000-0000-0000-000000000000"
        );
    }
}
