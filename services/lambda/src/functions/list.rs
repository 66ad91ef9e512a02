//! `ListFunctions`

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::FunctionName;
use store::Scan;
use wire::{Context, Error};

use super::view;
use crate::error::invalid_parameter;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// How many functions a page holds at most, whatever the caller asks for.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE_MAX: usize = 50;

/// A page of functions, in the order of their names.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListFunctionsRequest,
) -> Result<shapes::ListFunctionsResponse, Error> {
    if input
        .master_region
        .as_deref()
        .is_some_and(|region| region != "ALL" && region != cx.scope.region.as_str())
    {
        // Replicas of Lambda@Edge functions are the only ones with another master region; there are none here.
        return Ok(shapes::ListFunctionsResponse { functions: Some(Vec::new()), ..Default::default() });
    }
    let after = input.marker.as_deref().filter(|marker| !marker.is_empty()).map(decode_marker).transpose()?;
    let wanted =
        input.max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let mut records = lambda
        .store
        .read(|snapshot| {
            let page = Scan::prefix((&cx.scope,)).limit(wanted + 1);
            let page = match &after {
                Some(name) => page.after((&cx.scope, name)),
                None => page,
            };
            snapshot.scan(&FUNCTIONS, &page)
        })
        .map_err(crate::error::service)?;
    let more = records.len() > wanted;
    records.truncate(wanted);
    Ok(shapes::ListFunctionsResponse {
        next_marker: records
            .last()
            .filter(|_| more)
            .map(|(_, record)| URL_SAFE_NO_PAD.encode(record.name.as_str())),
        functions: Some(records.iter().map(|(_, record)| view::summary(record)).collect()),
    })
}

fn decode_marker(marker: &str) -> Result<FunctionName, Error> {
    let name = URL_SAFE_NO_PAD
        .decode(marker)
        .ok()
        .and_then(|bytes| FunctionName::parse(std::str::from_utf8(&bytes).ok()?));
    name.ok_or_else(|| {
        invalid_parameter("The pagination marker is invalid. Use the NextMarker of the previous page.")
    })
}
