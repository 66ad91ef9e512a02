//! `ListLayers` and `ListLayerVersions`

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::Scan;
use wire::{Context, Error};

use super::record::{LAYER_VERSIONS, LayerVersionRecord};
use super::target::LayerTarget;
use super::view::{Filter, item};
use crate::error::{Refusal, invalid_parameter};
use crate::{Lambda, shapes};

/// How many entries a page holds, unless the caller wants fewer.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListLayers.html>
const PAGE_MAX: usize = 50;

/// A page of layers in the order of their names, each with its newest version that the filter wants.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListLayersRequest,
) -> Result<shapes::ListLayersResponse, Error> {
    let filter = Filter::new(input.compatible_runtime, input.compatible_architecture)?;
    let after: Option<String> = read_marker(input.marker.as_deref())?;
    let mut newest = BTreeMap::new();
    lambda.store.read(|snapshot| {
        let scan = Scan::prefix((&cx.scope,));
        snapshot.visit(&LAYER_VERSIONS, &scan, |(_, name, _), version| {
            // Versions come in the order of their numbers: a later one takes the place of an earlier one.
            if after.as_ref().is_none_or(|after| name > *after) && filter.wants(&version) {
                newest.insert(name, version);
            }
            ControlFlow::Continue(())
        })?;
        Ok::<_, Refusal>(())
    })?;
    let wanted = page_size(input.max_items);
    let more = newest.len() > wanted;
    let page: Vec<(String, LayerVersionRecord)> = newest.into_iter().take(wanted).collect();
    Ok(shapes::ListLayersResponse {
        next_marker: page.last().filter(|_| more).map(|(name, _)| URL_SAFE_NO_PAD.encode(name)),
        layers: Some(page.into_iter().map(layer).collect()),
    })
}

/// A page of a layer's versions, the newest first. A layer that is not there has none.
pub async fn list_versions(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListLayerVersionsRequest,
) -> Result<shapes::ListLayerVersionsResponse, Error> {
    let filter = Filter::new(input.compatible_runtime, input.compatible_architecture)?;
    let target = LayerTarget::parse(&cx, &input.layer_name)?;
    target.check_own(&cx, "lambda:ListLayerVersions")?;
    let after: Option<u64> = read_marker(input.marker.as_deref())?;
    let wanted = page_size(input.max_items);
    let mut page = Vec::new();
    lambda.store.read(|snapshot| {
        let scan = Scan::prefix((&target.scope, &target.name)).reverse();
        let scan = match after {
            Some(version) => scan.after((&target.scope, &target.name, version)),
            None => scan,
        };
        snapshot.visit(&LAYER_VERSIONS, &scan, |_, version| {
            if filter.wants(&version) {
                page.push(version);
            }
            // One more than wanted tells that there is a next page.
            if page.len() > wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok::<_, Refusal>(())
    })?;
    let more = page.len() > wanted;
    page.truncate(wanted);
    let marker = |last: &LayerVersionRecord| URL_SAFE_NO_PAD.encode(last.version.to_string());
    Ok(shapes::ListLayerVersionsResponse {
        next_marker: page.last().filter(|_| more).map(marker),
        layer_versions: Some(page.into_iter().map(item).collect()),
    })
}

fn layer((name, newest): (String, LayerVersionRecord)) -> shapes::LayersListItem {
    shapes::LayersListItem {
        layer_name: Some(name),
        layer_arn: Some(newest.layer_arn()),
        latest_matching_version: Some(item(newest)),
    }
}

fn page_size(max_items: Option<i32>) -> usize {
    max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(PAGE_MAX).min(PAGE_MAX)
}

fn read_marker<T: FromStr>(marker: Option<&str>) -> Result<Option<T>, Error> {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let read = bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok());
    read.map(Some).ok_or_else(|| {
        invalid_parameter("The pagination marker is invalid. Use the NextMarker of the previous page.")
    })
}
