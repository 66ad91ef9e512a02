//! Does what is due, and waits for what will be.

use std::ops::ControlFlow;
use std::time::Duration;

use domain::Timestamp;
use s3s::dto::BucketLifecycleConfiguration;
use store::{Scan, Snapshot, Tx};

use super::configure::KIND;
use super::rules::{self, Act, Found, midnight_after};
use crate::call::Call;
use crate::error::Refusal;
use crate::objects::change;
use crate::record::{BUCKETS, CONFIGURATIONS, UPLOADS, Upload, VERSIONS, Version};
use crate::{S3, configuration, multipart};

/// Keys and uploads of one transaction: others' writes need not wait for all of a bucket.
const AT_ONCE: usize = 100;
/// After the store failed.
const RETRY: Duration = Duration::from_secs(60);

/// What an alarm of a bucket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// Rules were set: what they say of what is there already.
    Now,
    /// Something changed: what it means is found at the next midnight.
    Midnight,
    /// Something is known to be due.
    Later,
}

/// Sets the alarms of all buckets with rules, and waits for them.
pub(crate) fn start(s3: &S3) {
    let configured = s3.read(|snapshot| {
        let mut names = Vec::new();
        for name in snapshot.keys(&BUCKETS, &Scan::all())? {
            if snapshot.get(&CONFIGURATIONS, (name.as_str(), KIND))?.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    });
    // What became due while nobody ran goes now.
    for name in configured.unwrap_or_default() {
        s3.alarms.set((name, Due::Now), Some(s3.now()));
    }
    let s3 = s3.clone();
    tokio::spawn(async move {
        loop {
            let ((bucket, _), _, due) = s3.alarms.next().await;
            match run(&s3, &bucket).await {
                Ok(next) => s3.alarms.set((bucket, Due::Later), next),
                Err(_) => {
                    tracing::warn!(bucket, "lifecycle rules were not followed; they will be tried again");
                    s3.alarms.set((bucket, Due::Now), Some(s3.now().plus(RETRY)));
                }
            }
            drop(due);
        }
    });
}

/// Something changed in a bucket: if it has rules, they are looked at at the next midnight.
pub(crate) fn stir(s3: &S3, tx: &mut Tx<'_>, bucket: &str) -> Result<(), Refusal> {
    if tx.get(&CONFIGURATIONS, (bucket, KIND))?.is_some() {
        let (state, bucket) = (s3.clone(), bucket.to_owned());
        let next = midnight_after(s3.now());
        tx.after_commit(move || state.alarms.set((bucket, Due::Midnight), Some(next)));
    }
    Ok(())
}

/// Does everything that is due in a bucket, and says when something will be again.
async fn run(s3: &S3, bucket: &str) -> Result<Option<Timestamp>, Refusal> {
    loop {
        let now = s3.now();
        let Some(looked) = s3.read(|snapshot| look(snapshot, bucket, now))? else { return Ok(None) };
        if looked.keys.is_empty() && looked.uploads.is_empty() {
            return Ok(looked.next);
        }
        let (state, name) = (s3.clone(), bucket.to_owned());
        s3.write(move |tx| act(&state, tx, &name, &looked, now)).await?;
    }
}

/// What a walk over a bucket found.
#[derive(Default)]
struct Looked {
    keys: Vec<String>,
    /// By key and id.
    uploads: Vec<(String, String)>,
    next: Option<Timestamp>,
}

/// Looks through a bucket; nothing if it is gone or has no rules.
fn look(snapshot: &Snapshot<'_>, bucket: &str, now: Timestamp) -> Result<Option<Looked>, Refusal> {
    let Some(configured) = rules_of(snapshot, bucket)? else { return Ok(None) };
    let mut looked = Looked::default();
    let mut next = Found::default();
    let mut group: (String, Vec<Version>) = Default::default();
    let close = |looked: &mut Looked, next: &mut Found, (key, versions): (String, Vec<Version>)| {
        let found = rules::of_key(&configured, &key, &versions, now);
        if !found.acts.is_empty() {
            looked.keys.push(key);
        }
        if let Some(moment) = found.next {
            next.wait(moment);
        }
    };
    snapshot.visit(&VERSIONS, &Scan::prefix((bucket,)), |(_, key, _), version: Version| {
        if key != group.0 {
            let whole = std::mem::replace(&mut group, (key, Vec::new()));
            close(&mut looked, &mut next, whole);
        }
        group.1.push(version);
        if looked.keys.len() >= AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if looked.keys.len() < AT_ONCE {
        close(&mut looked, &mut next, group);
    }
    snapshot.visit(&UPLOADS, &Scan::prefix((bucket,)), |(_, key, id), upload: Upload| {
        match rules::of_upload(&configured, &key, &upload) {
            Some(due) if due <= now => looked.uploads.push((key, id)),
            Some(due) => next.wait(due),
            None => {}
        }
        if looked.uploads.len() >= AT_ONCE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    looked.next = next.next;
    Ok(Some(looked))
}

/// Does it, as the rules and the versions are by now.
fn act(s3: &S3, tx: &mut Tx<'_>, name: &str, looked: &Looked, now: Timestamp) -> Result<(), Refusal> {
    let (Some(bucket), Some(configured)) = (tx.get(&BUCKETS, name)?, rules_of(tx, name)?) else {
        return Ok(());
    };
    let call = Call::of_service(&bucket.owner, &bucket.region, &s3.base_url, http::HeaderMap::new());
    for key in &looked.keys {
        let versions = tx.scan(&VERSIONS, &Scan::prefix((name, key.as_str())))?;
        let (ranks, versions): (Vec<u64>, Vec<Version>) =
            versions.into_iter().map(|((_, _, rank), version)| (rank, version)).unzip();
        for act in rules::of_key(&configured, key, &versions, now).acts {
            match act {
                Act::Expire => change::expire(s3, tx, &call, &bucket, key)?,
                Act::Remove(at) => {
                    change::expire_version(s3, tx, &call, &bucket, key, ranks[at], &versions[at])?;
                }
            }
        }
    }
    for (key, id) in &looked.uploads {
        if tx.get(&UPLOADS, (name, key.as_str(), id.as_str()))?.is_some() {
            multipart::discard(s3, tx, name, key, id)?;
        }
    }
    Ok(())
}

fn rules_of(snapshot: &Snapshot<'_>, bucket: &str) -> Result<Option<BucketLifecycleConfiguration>, Refusal> {
    configuration::read(snapshot, bucket, KIND)
}
