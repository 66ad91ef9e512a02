//! `GetFunction` and `GetFunctionConfiguration`

use wire::{Context, Error};

use super::{Target, view};
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::{Lambda, shapes};

/// Configuration, tags, and a link that downloads the package.
pub async fn get(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionRequest,
) -> Result<shapes::GetFunctionResponse, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let record = find(&lambda, &target)?;
    let location = lambda.code_links.link(&cx.base_url, &record.code.sha256, lambda.now());
    Ok(shapes::GetFunctionResponse {
        configuration: Some(view::configuration(&record, target.qualifier.as_ref())),
        code: Some(shapes::FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(location),
            ..Default::default()
        }),
        tags: (!record.tags.is_empty()).then_some(record.tags),
        ..Default::default()
    })
}

/// The configuration alone.
pub async fn get_configuration(
    lambda: Lambda,
    cx: Context,
    input: shapes::GetFunctionConfigurationRequest,
) -> Result<shapes::FunctionConfiguration, Error> {
    let target = Target::parse(&cx, &input.function_name, input.qualifier.as_deref())?;
    let record = find(&lambda, &target)?;
    Ok(view::configuration(&record, target.qualifier.as_ref()))
}

fn find(lambda: &Lambda, target: &Target) -> Result<FunctionRecord, Error> {
    target.check_qualifier()?;
    let found = lambda.store.read(|snapshot| snapshot.get(&FUNCTIONS, target.key()));
    target.expect(found.map_err(crate::error::service)?)
}
