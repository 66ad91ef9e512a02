//! Tags of buses and rules.

use std::collections::BTreeMap;

use domain::{Scope, limits::TAGS};
use store::Tx;
use wire::{Context, Error};

use crate::arn::{BusRef, split};
use crate::error::{Refusal, no_rule, not_found, validation};
use crate::record::{BUSES, DEFAULT_BUS, RULES};
use crate::{Events, buses, shapes};

type Tags = BTreeMap<String, String>;

/// The tags of something in the making.
pub(crate) fn of_new(given: Option<Vec<shapes::Tag>>) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    add(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

fn add(tags: &mut Tags, given: Vec<shapes::Tag>) -> Result<(), Error> {
    if given.iter().any(|tag| tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
        return Err(validation("Tag keys that start with aws: are reserved."));
    }
    tags.extend(given.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.len() > TAGS {
        return Err(validation(format!("A resource can have no more than {TAGS} tags.")));
    }
    Ok(())
}

/// `TagResource`
pub(crate) async fn tag(
    events: Events,
    _: Context,
    input: shapes::TagResourceRequest,
) -> Result<shapes::TagResourceResponse, Error> {
    change(events, &input.resource_arn, move |tags| add(tags, input.tags)).await?;
    Ok(shapes::TagResourceResponse::default())
}

/// `UntagResource`
pub(crate) async fn untag(
    events: Events,
    _: Context,
    input: shapes::UntagResourceRequest,
) -> Result<shapes::UntagResourceResponse, Error> {
    change(events, &input.resource_arn, move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(shapes::UntagResourceResponse::default())
}

/// `ListTagsForResource`
pub(crate) async fn list(
    events: Events,
    _: Context,
    input: shapes::ListTagsForResourceRequest,
) -> Result<shapes::ListTagsForResourceResponse, Error> {
    let tags = events.read(|snapshot| match tagged(&input.resource_arn)? {
        Tagged::Bus(bus) => Ok(buses::expect(snapshot, &bus)?.tags),
        Tagged::Rule(scope, bus, rule) => {
            let found = snapshot.get(&RULES, (&scope, bus.as_str(), rule.as_str()))?;
            Ok(found.ok_or_else(|| no_rule(&rule, &bus))?.tags)
        }
    })?;
    let shown = |(key, value)| shapes::Tag { key, value };
    Ok(shapes::ListTagsForResourceResponse { tags: Some(tags.into_iter().map(shown).collect()) })
}

enum Tagged {
    Bus(BusRef),
    Rule(Scope, String, String),
}

fn tagged(arn: &str) -> Result<Tagged, Error> {
    let unknown = || not_found(format!("{arn} is not the ARN of an event bus or a rule."));
    let (scope, resource) = split(arn).ok_or_else(unknown)?;
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["event-bus", name] => Ok(Tagged::Bus(BusRef { scope, name: (*name).to_owned() })),
        ["rule", rule] => Ok(Tagged::Rule(scope, DEFAULT_BUS.to_owned(), (*rule).to_owned())),
        ["rule", bus, rule] => Ok(Tagged::Rule(scope, (*bus).to_owned(), (*rule).to_owned())),
        _ => Err(unknown()),
    }
}

async fn change(
    events: Events,
    arn: &str,
    change: impl FnOnce(&mut Tags) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let tagged = tagged(arn)?;
    events.write(move |tx| store(tx, tagged, change)).await
}

fn store(
    tx: &mut Tx<'_>,
    tagged: Tagged,
    change: impl FnOnce(&mut Tags) -> Result<(), Error>,
) -> Result<(), Refusal> {
    match tagged {
        Tagged::Bus(bus) => {
            let mut record = buses::expect(tx, &bus)?;
            change(&mut record.tags)?;
            tx.put(&BUSES, (&bus.scope, bus.name.as_str()), &record)?;
        }
        Tagged::Rule(scope, bus, rule) => {
            let key = (&scope, bus.as_str(), rule.as_str());
            let mut record = tx.get(&RULES, key)?.ok_or_else(|| no_rule(&rule, &bus))?;
            change(&mut record.tags)?;
            tx.put(&RULES, key, &record)?;
        }
    }
    Ok(())
}
