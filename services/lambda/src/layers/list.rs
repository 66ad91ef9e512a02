//! `ListLayers` and `ListLayerVersions`

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use store::Scan;
use wire::{Context, Error};

use super::record::{LAYER_VERSIONS, LayerVersionRecord};
use super::target::LayerTarget;
use super::view::{Filter, item};
use crate::error::Refusal;
use crate::pages::Page;
use crate::{Lambda, shapes};

/// A page of layers in the order of their names, each with its newest version that the filter wants.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListLayersRequest,
) -> Result<shapes::ListLayersResponse, Error> {
    let filter = Filter::new(input.compatible_runtime, input.compatible_architecture)?;
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let mut newest = BTreeMap::new();
    lambda.store.read(|snapshot| {
        let scan = Scan::prefix((&cx.scope,));
        snapshot.visit(&LAYER_VERSIONS, &scan, |(_, name, _), version| {
            // Versions come in the order of their numbers: a later one takes the place of an earlier one.
            if page.after.as_ref().is_none_or(|after| name > *after) && filter.wants(&version) {
                newest.insert(name, version);
            }
            ControlFlow::Continue(())
        })?;
        Ok::<_, Refusal>(())
    })?;
    let (layers, next_marker) = page.cut(newest.into_iter().collect(), |(name, _)| name.clone());
    Ok(shapes::ListLayersResponse { next_marker, layers: Some(layers.into_iter().map(layer).collect()) })
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
    let page = Page::<u64>::parse(input.marker.as_deref(), input.max_items)?;
    let mut versions = Vec::new();
    lambda.store.read(|snapshot| {
        let scan = Scan::prefix((&target.scope, &target.name)).reverse();
        let scan = match page.after {
            Some(version) => scan.after((&target.scope, &target.name, version)),
            None => scan,
        };
        snapshot.visit(&LAYER_VERSIONS, &scan, |_, version| {
            if filter.wants(&version) {
                versions.push(version);
            }
            if versions.len() < page.limit() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok::<_, Refusal>(())
    })?;
    let (versions, next_marker) = page.cut(versions, |last: &LayerVersionRecord| last.version);
    Ok(shapes::ListLayerVersionsResponse {
        next_marker,
        layer_versions: Some(versions.into_iter().map(item).collect()),
    })
}

fn layer((name, newest): (String, LayerVersionRecord)) -> shapes::LayersListItem {
    shapes::LayersListItem {
        layer_name: Some(name),
        layer_arn: Some(newest.layer_arn()),
        latest_matching_version: Some(item(newest)),
    }
}
