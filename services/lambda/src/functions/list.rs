//! `ListFunctions`

use std::str::FromStr;

use domain::{FunctionName, Version};
use store::{Scan, Snapshot};
use wire::{Context, Error};

use super::view;
use crate::pages::Page;
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::versions::{VERSIONS, qualified};
use crate::{Lambda, shapes};

/// A page of functions in the order of their names; with `FunctionVersion=ALL` of all their versions.
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
    let page = Page::parse(input.marker.as_deref(), input.max_items)?;
    let all = input.function_version.is_some();
    let read = |snapshot: &Snapshot<'_>| {
        if all { versions(snapshot, &cx, &page) } else { functions(snapshot, &cx, &page) }
    };
    let records = lambda.store.read(read).map_err(crate::error::service)?;
    let (records, next_marker) = page.cut(records, Place::of);
    let shown = if all { qualified } else { view::summary };
    Ok(shapes::ListFunctionsResponse { functions: Some(records.iter().map(shown).collect()), next_marker })
}

fn functions(
    snapshot: &Snapshot<'_>,
    cx: &Context,
    page: &Page<Place>,
) -> Result<Vec<FunctionRecord>, store::Error> {
    let scan = Scan::prefix((&cx.scope,)).limit(page.limit());
    let scan = match &page.after {
        Some(place) => scan.after((&cx.scope, &place.name)),
        None => scan,
    };
    Ok(snapshot.scan(&FUNCTIONS, &scan)?.into_iter().map(|(_, record)| record).collect())
}

/// Each function, and then its versions.
fn versions(
    snapshot: &Snapshot<'_>,
    cx: &Context,
    page: &Page<Place>,
) -> Result<Vec<FunctionRecord>, store::Error> {
    let mut records = Vec::new();
    // One more than a page: the first one may have been on the page before, with all its versions.
    let scan = Scan::prefix((&cx.scope,)).limit(page.limit() + 1);
    let scan = match &page.after {
        Some(place) => scan.at_least((&cx.scope, &place.name)),
        None => scan,
    };
    for ((_, name), latest) in snapshot.scan(&FUNCTIONS, &scan)? {
        let scan = Scan::prefix((&cx.scope, &name)).limit(page.limit());
        let scan = match page.after.as_ref().filter(|place| place.name == name) {
            Some(Place { version: Version::Number(number), .. }) => scan.after((&cx.scope, &name, number)),
            Some(Place { version: Version::Latest, .. }) => scan,
            None => {
                records.push(latest);
                scan
            }
        };
        records.extend(snapshot.scan(&VERSIONS, &scan)?.into_iter().map(|(_, record)| record));
        if records.len() >= page.limit() {
            break;
        }
    }
    Ok(records)
}

/// Where a page ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    name: FunctionName,
    version: Version,
}

impl Place {
    fn of(record: &FunctionRecord) -> Self {
        Self { name: record.name.clone(), version: record.version }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, version) = text.split_once(':').ok_or(())?;
        let version = match version {
            "$LATEST" => Version::Latest,
            number => Version::Number(number.parse().map_err(drop)?),
        };
        Ok(Self { name: FunctionName::parse(name).ok_or(())?, version })
    }
}
