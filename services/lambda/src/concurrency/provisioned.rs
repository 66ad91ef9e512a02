//! `PutProvisionedConcurrencyConfig`, and its get, list and delete.

use domain::{FunctionName, Qualifier, Scope, Timestamp, Version};
use engine::{Allocation, AllocationStatus, FunctionKey};
use store::{Scan, Snapshot};
use wire::{Context, Error};

use super::claims::Claims;
use super::kept::shares;
use super::{PROVISIONED, Provisioned, is_published};
use crate::aliases::{ALIASES, Routing};
use crate::error::{Refusal, conflict, invalid_parameter, no_such_alias, service};
use crate::functions::Target;
use crate::pages::Page;
use crate::record::{FUNCTIONS, arn};
use crate::shapes::ProvisionedConcurrencyStatusEnum as Status;
use crate::{Lambda, shapes};

/// From now on so many environments of a version, or of what an alias points to, are initialised before requests come.
pub async fn put(
    lambda: Lambda,
    cx: Context,
    input: shapes::PutProvisionedConcurrencyConfigRequest,
) -> Result<shapes::PutProvisionedConcurrencyConfigResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, Some(&input.qualifier))?;
    if !is_published(target.qualifier.as_ref()) {
        return Err(invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    let wanted = u32::try_from(input.provisioned_concurrent_executions).unwrap_or_default();
    let (account, last_modified) = (lambda.concurrency, lambda.now());
    // Before anything has changed: what is there already still is, and the rest is on its way.
    let before = allocation(&lambda, &target)?;
    lambda
        .store
        .write({
            let target = target.clone();
            move |tx| {
                let routing = routing(tx, &target)?;
                let version = target.resolve(tx)?.record;
                let refused = [
                    (version.per_tenant, "for functions with tenancy configuration"),
                    (version.snap_start, "for SnapStart enabled functions"),
                ];
                if let Some((_, what)) = refused.into_iter().find(|(is_so, _)| *is_so) {
                    let message = format!("Provisioned Concurrency is not supported {what}.");
                    return Err(invalid_parameter(message).into());
                }
                check_versions(tx, &target, &routing)?;
                let qualifier = target.qualified_key().2;
                let claims = Claims::read(tx, &target.scope, &target.name, Some(&qualifier))?;
                claims.check_provisioned(wanted, account)?;
                let record = Provisioned { concurrency: wanted, last_modified };
                tx.put(&PROVISIONED, target.qualified_key(), &record)?;
                Ok::<_, Refusal>(())
            }
        })
        .await?;
    lambda.show(&target.scope, &target.name);
    Ok(shapes::PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(wanted.cast_signed()),
        allocated_provisioned_concurrent_executions: Some(before.allocated.cast_signed()),
        available_provisioned_concurrent_executions: Some(before.available.cast_signed()),
        status: Some(Status::InProgress),
        status_reason: None,
        last_modified: Some(timestamp(last_modified)),
    })
}

/// How far it is.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetProvisionedConcurrencyConfigRequest,
) -> Result<shapes::GetProvisionedConcurrencyConfigResponse, Error> {
    let target = published(&cx, &input.function_name, &input.qualifier)?;
    let found = lambda.store.read(|snapshot| {
        routing(snapshot, &target)?;
        Ok::<_, Refusal>(snapshot.get(&PROVISIONED, target.qualified_key())?)
    })?;
    let found = found.ok_or_else(|| {
        Error::new(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
    })?;
    let (status, reason, allocation) = state(&lambda, &target)?;
    Ok(shapes::GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(found.concurrency.cast_signed()),
        allocated_provisioned_concurrent_executions: Some(allocation.allocated.cast_signed()),
        available_provisioned_concurrent_executions: Some(allocation.available.cast_signed()),
        status: Some(status),
        status_reason: reason,
        last_modified: Some(timestamp(found.last_modified)),
    })
}

/// Every configuration of a function.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListProvisionedConcurrencyConfigsRequest,
) -> Result<shapes::ListProvisionedConcurrencyConfigsResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?.without_qualifier()?;
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let found = lambda.store.read(|snapshot| {
        target.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        let scan = Scan::prefix((&target.scope, &target.name)).limit(page.limit());
        let scan = match &page.after {
            Some(qualifier) => scan.after((&target.scope, &target.name, qualifier)),
            None => scan,
        };
        Ok::<_, Refusal>(snapshot.scan(&PROVISIONED, &scan)?)
    })?;
    let (found, next_marker) = page.cut(found, |((_, _, qualifier), _)| qualifier.clone());
    let item = |(key, record): ((Scope, FunctionName, String), Provisioned)| {
        let (scope, name, text) = key;
        let qualified = Target { scope, name, qualifier: Qualifier::parse(&text) };
        let (status, reason, allocation) = state(&lambda, &qualified)?;
        Ok(shapes::ProvisionedConcurrencyConfigListItem {
            function_arn: Some(format!("{}:{text}", arn(&qualified.scope, &qualified.name))),
            requested_provisioned_concurrent_executions: Some(record.concurrency.cast_signed()),
            allocated_provisioned_concurrent_executions: Some(allocation.allocated.cast_signed()),
            available_provisioned_concurrent_executions: Some(allocation.available.cast_signed()),
            status: Some(status),
            status_reason: reason,
            last_modified: Some(timestamp(record.last_modified)),
        })
    };
    Ok(shapes::ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(found.into_iter().map(item).collect::<Result<_, Error>>()?),
        next_marker,
    })
}

/// Stops what was initialised ahead, or finds that there is nothing. Running invocations finish.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteProvisionedConcurrencyConfigRequest,
) -> Result<wire::Unit, Error> {
    let target = published(&cx, &input.function_name, &input.qualifier)?;
    lambda
        .store
        .write({
            let target = target.clone();
            move |tx| {
                routing(tx, &target)?;
                tx.delete(&PROVISIONED, target.qualified_key())?;
                Ok::<_, Refusal>(())
            }
        })
        .await?;
    lambda.show(&target.scope, &target.name);
    Ok(wire::Unit::default())
}

/// Whether an alias may point there: two configurations for one version would be one too many.
pub fn check_alias(
    snapshot: &Snapshot<'_>,
    scope: &Scope,
    name: &FunctionName,
    alias: &str,
    routing: &Routing,
) -> Result<(), Refusal> {
    let target = Target {
        scope: scope.clone(),
        name: name.clone(),
        qualifier: Some(Qualifier::Alias(alias.to_owned())),
    };
    if snapshot.get(&PROVISIONED, target.qualified_key())?.is_some() {
        check_versions(snapshot, &target, routing)?;
    }
    Ok(())
}

fn published(cx: &Context, function: &str, qualifier: &str) -> Result<Target, Error> {
    let target = Target::parse(cx, function, Some(qualifier))?;
    match is_published(target.qualifier.as_ref()) {
        true => Ok(target),
        false => {
            Err(invalid_parameter("The function resource provided must be an alias or a published version."))
        }
    }
}

/// The versions that a version or an alias stands for; or that there is no such thing.
fn routing(snapshot: &Snapshot<'_>, target: &Target) -> Result<Routing, Refusal> {
    if let Some(Qualifier::Alias(name)) = &target.qualifier {
        target.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        let alias = snapshot.get(&ALIASES, (&target.scope, &target.name, name))?;
        return match alias {
            Some(alias) => Ok(alias.routing),
            None => Err(no_such_alias(&target.scope, &target.name, name).into()),
        };
    }
    Ok(Routing { version: target.resolve(snapshot)?.record.version, additional: None })
}

/// Each version has one configuration at most: its own, or that of an alias that points to it.
fn check_versions(snapshot: &Snapshot<'_>, target: &Target, routing: &Routing) -> Result<(), Refusal> {
    if routing.version == Version::Latest {
        return Err(invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )
        .into());
    }
    let is_alias = matches!(target.qualifier, Some(Qualifier::Alias(_)));
    let own = target.qualified_key().2;
    for ((_, _, qualifier), _) in snapshot.scan(&PROVISIONED, &Scan::prefix((&target.scope, &target.name)))? {
        if qualifier == own {
            continue;
        }
        let other = Target { qualifier: Qualifier::parse(&qualifier), ..target.clone() };
        let other = self::routing(snapshot, &other)?;
        let shared =
            [other.version, other.additional.map_or(other.version, |second| Version::Number(second.version))]
                .into_iter()
                .any(|version| matches!(version, Version::Number(number) if routing.names(number)));
        if shared {
            return Err(conflict(if is_alias {
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            } else {
                "Version is pointed by a Provisioned Concurrency alias"
            })
            .into());
        }
    }
    Ok(())
}

/// What the engine has of a version, or of the versions of an alias.
fn allocation(lambda: &Lambda, target: &Target) -> Result<Allocation, Error> {
    let (_, _, allocation) = state(lambda, target)?;
    Ok(allocation)
}

fn state(lambda: &Lambda, target: &Target) -> Result<(Status, Option<String>, Allocation), Error> {
    let function = FunctionKey { scope: target.scope.clone(), name: target.name.clone() };
    let read = lambda.store.read(|snapshot| {
        let routing = match &target.qualifier {
            Some(Qualifier::Alias(name)) => {
                snapshot.get(&ALIASES, (&target.scope, &target.name, name))?.map(|alias| alias.routing)
            }
            Some(Qualifier::Version(number)) => {
                Some(Routing { version: Version::Number(*number), additional: None })
            }
            Some(Qualifier::Latest) | None => None,
        };
        let wanted = snapshot.get(&PROVISIONED, target.qualified_key())?;
        Ok::<_, store::Error>(routing.zip(wanted))
    });
    let Some((routing, wanted)) = read.map_err(service)? else {
        return Ok((Status::InProgress, None, Allocation::default()));
    };
    let versions = shares(&routing, wanted.concurrency).into_iter().filter(|(_, count)| *count > 0);
    let allocations = versions.map(|(number, _)| {
        let revision = lambda.functions.revision(&target.scope, &target.name, number)?;
        lambda.engine.allocation(&function, revision)
    });
    let mut sum = Allocation { status: AllocationStatus::Ready, ..Allocation::default() };
    for allocation in allocations {
        // A version that cannot be invoked yet is on its way, too.
        let allocation = allocation.unwrap_or_default();
        sum.allocated += allocation.allocated;
        sum.available += allocation.available;
        match allocation.status {
            AllocationStatus::Ready => {}
            failed @ AllocationStatus::Failed(_) => sum.status = failed,
            AllocationStatus::InProgress if sum.status == AllocationStatus::Ready => {
                sum.status = AllocationStatus::InProgress;
            }
            AllocationStatus::InProgress => {}
        }
    }
    let (status, reason) = match &sum.status {
        AllocationStatus::InProgress => (Status::InProgress, None),
        AllocationStatus::Ready => (Status::Ready, None),
        AllocationStatus::Failed(why) => {
            tracing::info!(function = %target.name, error = %why, "provisioned concurrency cannot be initialised");
            (Status::Failed, Some("FUNCTION_ERROR_INIT_FAILURE".to_owned()))
        }
    };
    Ok((status, reason, sum))
}

/// `2019-12-31T20:29:00+0000`
fn timestamp(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(moment.epoch_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}
