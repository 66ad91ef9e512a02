//! `GetFunction` and `GetFunctionConfiguration`

use wire::{Context, Error};

use super::target::Resolved;
use super::{Target, view};
use crate::{Lambda, concurrency, shapes};

/// Configuration, tags, and a link that downloads the package.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionRequest,
) -> Result<shapes::GetFunctionResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let Resolved { latest, record, .. } = lambda.store.read(|snapshot| target.resolve(snapshot))?;
    let code = &record.code.sha256;
    let location = match code.folder() {
        Some(folder) => format!("file://{}", folder.display()),
        None => lambda.code_links.link(&cx.base_url, code, lambda.now()),
    };
    // Versions have none of their own. Whoever may not list tags gets the rest all the same.
    let function = Target { qualifier: None, ..target.clone() };
    let (tags, tags_error) = match lambda.authorise(&cx, "lambda:ListTags", &function) {
        Ok(()) => ((!latest.tags.is_empty()).then_some(latest.tags), None),
        Err(Error { code, message, .. }) => {
            (None, Some(shapes::TagsError { error_code: code.to_string(), message }))
        }
    };
    Ok(shapes::GetFunctionResponse {
        configuration: Some(view::configuration(&record, target.qualifier.as_ref())),
        code: Some(shapes::FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(location),
            ..Default::default()
        }),
        concurrency: concurrency::shown(&lambda, &target)?,
        tags,
        tags_error,
    })
}

/// The configuration alone.
pub async fn get_configuration(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionConfigurationRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    let target = Target::parse_any(&cx, &input.function_name, input.qualifier.as_deref())?;
    let resolved = lambda.store.read(|snapshot| target.resolve(snapshot))?;
    Ok(view::configuration(&resolved.record, target.qualifier.as_ref()))
}
