//! `ListAliases`

use std::ops::ControlFlow;

use store::Scan;
use wire::{Context, Error};

use super::record::ALIASES;
use super::{validate, view};
use crate::error::Refusal;
use crate::functions::Target;
use crate::pages::Page;
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// A page of a function's aliases by name, or of those that point to one version.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListAliasesRequest,
) -> Result<shapes::ListAliasesResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let version = input.function_version.as_deref().map(validate::version).transpose()?;
    let page = Page::<String>::parse(input.marker.as_deref(), input.max_items)?;
    let mut aliases = Vec::new();
    lambda.store.read(|snapshot| {
        target.expect(snapshot.get(&FUNCTIONS, target.key())?)?;
        let scan = Scan::prefix((&target.scope, &target.name));
        let scan = match &page.after {
            Some(name) => scan.after((&target.scope, &target.name, name)),
            None => scan,
        };
        snapshot.visit(&ALIASES, &scan, |_, record| {
            // The filter is about the version an alias is made for, not about a second one with a weight.
            if version.is_none_or(|version| record.routing.version == version) {
                aliases.push(record);
            }
            if aliases.len() < page.limit() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok::<_, Refusal>(())
    })?;
    let (aliases, next_marker) = page.cut(aliases, |last| last.name.clone());
    Ok(shapes::ListAliasesResponse {
        aliases: Some(aliases.iter().map(view::configuration).collect()),
        next_marker,
    })
}
