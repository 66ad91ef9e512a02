//! `CreateFunctionUrlConfig`, `GetFunctionUrlConfig`, `ListFunctionUrlConfigs`, `UpdateFunctionUrlConfig` and
//! `DeleteFunctionUrlConfig`

use domain::Qualifier;
use store::Scan;
use wire::{Context, Error};

use super::cors::Cors;
use super::record::{URLS, UrlRecord, new_id};
use super::{no_function, no_url, url_exists, view};
use crate::error::{Refusal, invalid_parameter};
use crate::functions::Target;
use crate::pages::Page;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// Gives a function or an alias an address, which never changes.
pub async fn create(
    lambda: Lambda,
    cx: Context,
    input: shapes::CreateFunctionUrlConfigRequest,
) -> Result<shapes::CreateFunctionUrlConfigResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let now = lambda.now();
    let url = UrlRecord {
        scope: target.scope.clone(),
        function: target.name.clone(),
        alias: match &target.qualifier {
            Some(Qualifier::Alias(alias)) => Some(alias.clone()),
            // The model lets no version through.
            None | Some(Qualifier::Latest | Qualifier::Version(_)) => None,
        },
        id: new_id(),
        auth: view::auth(input.auth_type),
        cors: input.cors.map(Cors::parse).transpose()?,
        mode: input.invoke_mode.map(view::mode).unwrap_or_default(),
        created: now,
        modified: now,
    };
    let created = lambda
        .store
        .write(move |tx| {
            let resolved = target.resolve(tx).map_err(in_own_words)?;
            // A request to a URL cannot say whom it is for.
            if resolved.record.per_tenant {
                return Err(invalid_parameter(
                    "Function URLs are not supported for functions with tenancy configuration.",
                )
                .into());
            }
            if !tx.insert(&URLS, url.key(), &url)? {
                return Err(Refusal::from(url_exists(&url.target().arn())));
            }
            Ok(url)
        })
        .await?;
    lambda.show(&created.scope, &created.function);
    let shown = view::configuration(&cx, &created);
    Ok(shapes::CreateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        invoke_mode: shown.invoke_mode,
    })
}

/// One URL.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionUrlConfigRequest,
) -> Result<shapes::GetFunctionUrlConfigResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let found = lambda.store.read(|snapshot| snapshot.get(&URLS, target.qualified_key()));
    let url = found.map_err(crate::error::service)?.ok_or_else(no_url)?;
    let shown = view::configuration(&cx, &url);
    Ok(shapes::GetFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

/// The URLs of a function and its aliases.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListFunctionUrlConfigsRequest,
) -> Result<shapes::ListFunctionUrlConfigsResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, None)?;
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let urls = lambda.store.read(|snapshot| {
        if snapshot.get(&FUNCTIONS, target.key())?.is_none() {
            return Err(Refusal::from(no_function()));
        }
        let scan = Scan::prefix((&target.scope, &target.name)).limit(page.limit());
        let scan = match &page.after {
            Some(qualifier) => scan.after((&target.scope, &target.name, qualifier)),
            None => scan,
        };
        Ok(snapshot.scan(&URLS, &scan)?)
    })?;
    let (urls, next_marker) = page.cut(urls, |((_, _, qualifier), _)| qualifier.clone());
    Ok(shapes::ListFunctionUrlConfigsResponse {
        function_url_configs: urls.iter().map(|(_, url)| view::configuration(&cx, url)).collect(),
        next_marker,
    })
}

/// Changes what is said; `Cors` as a whole.
pub async fn update(
    lambda: Lambda,
    cx: Context,
    input: shapes::UpdateFunctionUrlConfigRequest,
) -> Result<shapes::UpdateFunctionUrlConfigResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let cors = input.cors.map(Cors::parse).transpose()?;
    let now = lambda.now();
    let updated = lambda
        .store
        .write(move |tx| {
            target.resolve(tx).map_err(in_own_words)?;
            let before = tx.get(&URLS, target.qualified_key())?.ok_or_else(no_url)?;
            let url = UrlRecord {
                auth: input.auth_type.map_or(before.auth, view::auth),
                cors: cors.or(before.cors),
                mode: input.invoke_mode.map_or(before.mode, view::mode),
                modified: now,
                ..before
            };
            tx.put(&URLS, url.key(), &url)?;
            Ok::<_, Refusal>(url)
        })
        .await?;
    lambda.show(&updated.scope, &updated.function);
    let shown = view::configuration(&cx, &updated);
    Ok(shapes::UpdateFunctionUrlConfigResponse {
        function_url: shown.function_url,
        function_arn: shown.function_arn,
        auth_type: shown.auth_type,
        cors: shown.cors,
        creation_time: shown.creation_time,
        last_modified_time: shown.last_modified_time,
        invoke_mode: shown.invoke_mode,
    })
}

/// Takes the address away, for good.
pub async fn delete(
    lambda: Lambda,
    cx: Context,
    input: shapes::DeleteFunctionUrlConfigRequest,
) -> Result<wire::Unit, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let (scope, function) = target.key();
    lambda
        .store
        .write(move |tx| match tx.delete(&URLS, target.qualified_key())? {
            true => Ok(()),
            false => Err(Refusal::from(no_url())),
        })
        .await?;
    lambda.show(&scope, &function);
    Ok(wire::Unit::default())
}

/// The operations on URLs have words of their own for a function or an alias that is not there.
fn in_own_words(refusal: Refusal) -> Error {
    let error = Error::from(refusal);
    if error.code == "ResourceNotFoundException" { no_function() } else { error }
}
