//! `ListVersionsByFunction`

use domain::Qualifier;
use store::Scan;
use wire::{Context, Error};

use super::VERSIONS;
use crate::functions::{Target, summary};
use crate::pages::Page;
use crate::record::{FUNCTIONS, FunctionRecord};
use crate::{Lambda, shapes};

/// `$LATEST`, then the published versions by their numbers.
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListVersionsByFunctionRequest,
) -> Result<shapes::ListVersionsByFunctionResponse, Error> {
    let target = Target::parse_any(&cx, &input.function_name, None)?.without_qualifier()?;
    let page = Page::<u64>::parse(input.marker.as_deref(), input.max_items)?;
    let read = lambda.store.read(|snapshot| {
        let latest = snapshot.get(&FUNCTIONS, target.key())?;
        let scan = Scan::prefix((&target.scope, &target.name)).limit(page.limit());
        let scan = match &page.after {
            Some(number) => scan.after((&target.scope, &target.name, number)),
            None => scan,
        };
        Ok::<_, store::Error>((latest, snapshot.scan(&VERSIONS, &scan)?))
    });
    let (latest, versions) = read.map_err(crate::error::service)?;
    let latest = target.expect(latest)?;
    let first = page.after.is_none().then_some((0, latest));
    let listed =
        first.into_iter().chain(versions.into_iter().map(|((_, _, number), record)| (number, record)));
    let (versions, next_marker) = page.cut(listed.collect(), |(number, _)| *number);
    Ok(shapes::ListVersionsByFunctionResponse {
        versions: Some(versions.iter().map(|(_, record)| qualified(record)).collect()),
        next_marker,
    })
}

/// Versions are listed by their qualified ARNs.
pub fn qualified(record: &FunctionRecord) -> shapes::FunctionConfiguration {
    let arn = format!("{}:{}", record.arn(), Qualifier::from(record.version));
    shapes::FunctionConfiguration { function_arn: Some(arn), ..summary(record) }
}
