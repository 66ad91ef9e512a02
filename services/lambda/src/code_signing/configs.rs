//! `CreateCodeSigningConfig` and what else is about the configurations themselves.

use store::Scan;
use wire::{Context, Error};

use super::record::{ATTACHED, CODE_SIGNING_CONFIGS, CodeSigningConfigRecord, find};
use crate::error::{Refusal, invalid_parameter};
use crate::functions::validate_tags;
use crate::pages::Page;
use crate::{Lambda, shapes};

/// `CreateCodeSigningConfig`
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateCodeSigningConfigRequest,
) -> Result<shapes::CreateCodeSigningConfigResponse, Error> {
    let tags = input.tags.unwrap_or_default();
    validate_tags(&tags)?;
    let record = CodeSigningConfigRecord {
        scope: cx.scope,
        id: CodeSigningConfigRecord::new_id(),
        description: input.description,
        signing_profile_version_arns: publishers(input.allowed_publishers)?,
        enforces: enforces(input.code_signing_policies.as_ref()).unwrap_or_default(),
        last_modified: lambda.now(),
        tags,
    };
    let code_signing_config = record.shown();
    lambda
        .store
        .write(move |tx| tx.put(&CODE_SIGNING_CONFIGS, record.key(), &record))
        .await
        .map_err(crate::error::service)?;
    Ok(shapes::CreateCodeSigningConfigResponse { code_signing_config })
}

/// `GetCodeSigningConfig`
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetCodeSigningConfigRequest,
) -> Result<shapes::GetCodeSigningConfigResponse, Error> {
    let record = lambda.store.read(|snapshot| find(snapshot, &cx.scope, &input.code_signing_config_arn))?;
    Ok(shapes::GetCodeSigningConfigResponse { code_signing_config: record.shown() })
}

/// `UpdateCodeSigningConfig`: replaces what was sent and keeps the rest. Packages are measured by it when they come.
pub async fn update(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateCodeSigningConfigRequest,
) -> Result<shapes::UpdateCodeSigningConfigResponse, Error> {
    let publishers = input.allowed_publishers.map(publishers).transpose()?;
    let last_modified = lambda.now();
    let record = lambda
        .store
        .write(move |tx| {
            let before = find(tx, &cx.scope, &input.code_signing_config_arn)?;
            let record = CodeSigningConfigRecord {
                description: input.description.or(before.description),
                signing_profile_version_arns: publishers.unwrap_or(before.signing_profile_version_arns),
                enforces: enforces(input.code_signing_policies.as_ref()).unwrap_or(before.enforces),
                last_modified,
                ..before
            };
            tx.put(&CODE_SIGNING_CONFIGS, record.key(), &record)?;
            Ok::<_, Refusal>(record)
        })
        .await?;
    Ok(shapes::UpdateCodeSigningConfigResponse { code_signing_config: record.shown() })
}

/// `DeleteCodeSigningConfig`: only one that no function has.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteCodeSigningConfigRequest,
) -> Result<shapes::DeleteCodeSigningConfigResponse, Error> {
    lambda
        .store
        .write(move |tx| {
            let record = find(tx, &cx.scope, &input.code_signing_config_arn)?;
            let attached = tx.scan(&ATTACHED, &Scan::prefix((&cx.scope,)))?;
            let used = attached.iter().filter(|(_, id)| *id == record.id).count();
            if used > 0 {
                return Err(Error::new(
                    "ResourceConflictException",
                    format!(
                        "The code signing configuration {} cannot be deleted: {used} function(s) use it.",
                        record.arn()
                    ),
                )
                .into());
            }
            tx.delete(&CODE_SIGNING_CONFIGS, record.key())?;
            Ok::<_, Refusal>(())
        })
        .await?;
    Ok(shapes::DeleteCodeSigningConfigResponse::default())
}

/// `ListCodeSigningConfigs`
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListCodeSigningConfigsRequest,
) -> Result<shapes::ListCodeSigningConfigsResponse, Error> {
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let found = lambda.store.read(|snapshot| {
        let scan = Scan::prefix((&cx.scope,)).limit(page.limit());
        let scan = match &page.after {
            Some(id) => scan.after((&cx.scope, id)),
            None => scan,
        };
        snapshot.scan(&CODE_SIGNING_CONFIGS, &scan)
    });
    let (found, next_marker) = page.cut(found.map_err(crate::error::service)?, |((_, id), _)| id.clone());
    Ok(shapes::ListCodeSigningConfigsResponse {
        next_marker,
        code_signing_configs: Some(found.iter().map(|(_, record)| record.shown()).collect()),
    })
}

fn enforces(policies: Option<&shapes::CodeSigningPolicies>) -> Option<bool> {
    let policy = policies?.untrusted_artifact_on_deployment.as_ref()?;
    Some(*policy == shapes::CodeSigningPolicy::Enforce)
}

/// `arn:aws:signer:<region>:<account>:/signing-profiles/<name>/<version>`
fn publishers(allowed: shapes::AllowedPublishers) -> Result<Vec<String>, Error> {
    let arns = allowed.signing_profile_version_arns;
    let is_profile_version = |arn: &str| {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "signer", _, _, path] = parts[..] else { return false };
        let steps: Vec<&str> = path.split('/').collect();
        matches!(steps[..], ["", "signing-profiles", name, version] if !name.is_empty() && !version.is_empty())
    };
    match arns.iter().find(|arn| !is_profile_version(arn)) {
        Some(other) => Err(invalid_parameter(format!(
            "{other} is not the ARN of a version of a signing profile: \
             arn:aws:signer:<region>:<account>:/signing-profiles/<name>/<version>."
        ))),
        None => Ok(arns),
    }
}
