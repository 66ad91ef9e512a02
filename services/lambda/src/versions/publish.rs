//! `PublishVersion`, and `Publish` of other operations.

use domain::{Timestamp, Version, limits};
use store::{Scan, Tx};
use uuid::Uuid;
use wire::{Context, Error};

use super::{NUMBERS, VERSIONS};
use crate::error::{Refusal, check_can_change, invalid_parameter, not_supported};
use crate::functions::{Target, code_sha256, configuration};
use crate::record::{FUNCTIONS, FunctionRecord, State, UpdateStatus};
use crate::{Lambda, account, shapes};

/// Keeps `$LATEST` as a version, unless it is as it was when the last version was published: then that is the answer.
pub async fn publish(
    lambda: Lambda,
    cx: Context,
    input: shapes::PublishVersionRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    refuse_publish_to(input.publish_to.as_ref())?;
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let published = lambda
        .store
        .write(move |tx| {
            let latest = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
            check_can_change(&latest, input.revision_id.as_deref())?;
            check_code(&latest, input.code_sha256.as_deref())?;
            publish_in(tx, &latest, input.description)
        })
        .await?;
    let shown = configuration(&published, Some(&domain::Qualifier::from(published.version)));
    lambda.show(&published.scope, &published.name);
    if published.is_in_transition() {
        // Its first environment is being initialised.
        lambda.settle_soon(published);
    } else {
        lambda.engine.expect(&published.function_version());
    }
    Ok(shown)
}

/// Publishes what `$LATEST` is, or will be when its update is in effect: then the version is still to be settled. To be
/// shown by the caller.
pub fn publish_in(
    tx: &mut Tx<'_>,
    latest: &FunctionRecord,
    description: Option<String>,
) -> Result<FunctionRecord, Refusal> {
    if let Some(folder) = latest.code.sha256.folder() {
        // A version never changes, and the folder does.
        return Err(Refusal::from(invalid_parameter(format!(
            "The function runs from the folder {}. Deploy it as a package before you publish a version of it.",
            folder.display()
        ))));
    }
    let last = tx.scan(&VERSIONS, &Scan::prefix((&latest.scope, &latest.name)).reverse().limit(1))?;
    if let Some((_, last)) = last.into_iter().next()
        && is_unchanged(&last, latest)
    {
        return Ok(last);
    }
    let is_in_effect = !latest.is_in_transition() && !latest.snap_start;
    let number = tx.get(&NUMBERS, latest.key())?.unwrap_or_default() + 1;
    tx.put(&NUMBERS, latest.key(), &number)?;
    let version = FunctionRecord {
        version: Version::Number(number),
        described: Some(latest.description.clone()),
        description: description.unwrap_or_else(|| latest.description.clone()),
        tags: Default::default(),
        revision_id: Uuid::new_v4(),
        // Environments of a version are its own.
        revision: Uuid::new_v4(),
        state: if is_in_effect { State::Active } else { State::Pending },
        last_update: is_in_effect.then_some(UpdateStatus::Successful),
        before_update: None,
        ..latest.clone()
    };
    account::check_room(tx, &latest.scope, latest.code.size, 0, limits::CODE_STORAGE_BYTES)?;
    version.write(tx)?;
    // Publishing changes the revision id of what was published, too.
    FunctionRecord { revision_id: Uuid::new_v4(), ..latest.clone() }.write(tx)?;
    Ok(version)
}

/// Only Managed Instances have `$LATEST.PUBLISHED`.
pub fn refuse_publish_to(to: Option<&shapes::FunctionVersionLatestPublished>) -> Result<(), Error> {
    match to {
        Some(_) => Err(not_supported("PublishTo (Lambda Managed Instances)")),
        None => Ok(()),
    }
}

fn check_code(latest: &FunctionRecord, asked: Option<&str>) -> Result<(), Error> {
    let current = code_sha256(&latest.code);
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) if asked != current => Err(invalid_parameter(format!(
            "CodeSHA256 ({asked}) is different from current CodeSHA256 in $LATEST ({current}). Please try again with \
             the CodeSHA256 in $LATEST."
        ))),
        _ => Ok(()),
    }
}

/// Whether code and configuration are the same. A member that is added to the record counts unless it is named here.
fn is_unchanged(version: &FunctionRecord, latest: &FunctionRecord) -> bool {
    let content = |record: &FunctionRecord| FunctionRecord {
        version: Version::Latest,
        // A version may have been published with a description of its own.
        description: record.described.clone().unwrap_or_else(|| record.description.clone()),
        described: None,
        tags: Default::default(),
        last_modified: Timestamp(0),
        revision_id: Uuid::nil(),
        revision: Uuid::nil(),
        state: State::Active,
        last_update: None,
        before_update: None,
        ..record.clone()
    };
    content(version) == content(latest)
}
