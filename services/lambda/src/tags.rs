//! Tags: on functions, code signing configurations and event source mappings.

use std::collections::BTreeMap;

use domain::Scope;
use uuid::Uuid;
use wire::{Context, Error};

use crate::code_signing::{self, CODE_SIGNING_CONFIGS};
use crate::error::{Refusal, invalid_parameter, not_supported};
use crate::event_source_mappings::{self, MAPPINGS};
use crate::functions::{Target, validate_tags};
use crate::record::FUNCTIONS;
use crate::{Lambda, shapes};

/// `TagResource`
pub async fn tag(
    lambda: Lambda,
    cx: Context,
    input: shapes::TagResourceRequest,
) -> Result<wire::Unit, Error> {
    change(lambda, &cx, &input.resource, move |tags| {
        if input.tags.is_empty() {
            return Err(invalid_parameter("An error occurred and the request cannot be processed."));
        }
        tags.extend(input.tags);
        validate_tags(tags)
    })
    .await
}

/// `UntagResource`
pub async fn untag(
    lambda: Lambda,
    cx: Context,
    input: shapes::UntagResourceRequest,
) -> Result<wire::Unit, Error> {
    change(lambda, &cx, &input.resource, move |tags| {
        tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await
}

/// `ListTags`
pub async fn list(
    lambda: Lambda,
    cx: Context,
    input: shapes::ListTagsRequest,
) -> Result<shapes::ListTagsResponse, Error> {
    let tagged = Tagged::parse(&cx, &input.resource)?;
    let tags = lambda.store.read(|snapshot| match &tagged {
        Tagged::Function(target) => Ok(target.expect(snapshot.get(&FUNCTIONS, target.key())?)?.tags),
        Tagged::CodeSigningConfig(scope, arn) => {
            Ok(code_signing::find(snapshot, scope, arn).map(|record| record.tags)?)
        }
        Tagged::EventSourceMapping(scope, id) => {
            Ok(event_source_mappings::find(snapshot, scope, *id).map(|record| record.tags)?)
        }
    });
    Ok(shapes::ListTagsResponse { tags: Some(tags.map_err(|refusal: Refusal| Error::from(refusal))?) })
}

async fn change(
    lambda: Lambda,
    cx: &Context,
    resource: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Error> + Send + 'static,
) -> Result<wire::Unit, Error> {
    let tagged = Tagged::parse(cx, resource)?;
    let function = match &tagged {
        Tagged::Function(target) => Some(target.key()),
        Tagged::CodeSigningConfig(..) | Tagged::EventSourceMapping(..) => None,
    };
    lambda
        .store
        .write(move |tx| match tagged {
            Tagged::Function(target) => {
                let mut record = target.expect(tx.get(&FUNCTIONS, target.key())?)?;
                if record.last_update == Some(crate::record::UpdateStatus::InProgress) {
                    return Err(Refusal::from(crate::error::update_in_progress(&record.arn())));
                }
                change(&mut record.tags)?;
                Ok(tx.put(&FUNCTIONS, target.key(), &record)?)
            }
            Tagged::CodeSigningConfig(scope, arn) => {
                let mut record = code_signing::find(tx, &scope, &arn)?;
                change(&mut record.tags)?;
                Ok(tx.put(&CODE_SIGNING_CONFIGS, record.key(), &record)?)
            }
            Tagged::EventSourceMapping(scope, id) => {
                let mut record = event_source_mappings::find(tx, &scope, id)?;
                change(&mut record.tags)?;
                Ok(tx.put(&MAPPINGS, record.key(), &record)?)
            }
        })
        .await?;
    // Conditions on who may invoke it ask for its tags, too.
    if let Some((scope, name)) = function {
        lambda.show(&scope, &name);
    }
    Ok(wire::Unit::default())
}

/// What can have tags: never a version or an alias.
enum Tagged {
    Function(Target),
    /// By its ARN.
    CodeSigningConfig(Scope, String),
    EventSourceMapping(Scope, Uuid),
}

impl Tagged {
    fn parse(cx: &Context, resource: &str) -> Result<Self, Error> {
        let kind = resource.split(':').nth(5).unwrap_or_default();
        match kind {
            "function" => function(cx, resource).map(Self::Function),
            "code-signing-config" => Ok(Self::CodeSigningConfig(cx.scope.clone(), resource.to_owned())),
            "event-source-mapping" => {
                let id = resource.rsplit(':').next().unwrap_or_default();
                let scope = cx.scope.clone();
                if scope.arn("lambda", format_args!("{kind}:{id}")) != resource {
                    return Err(event_source_mappings::not_found());
                }
                Ok(Self::EventSourceMapping(scope, event_source_mappings::id(id)?))
            }
            _ => Err(not_supported(&format!("tags on {kind} resources"))),
        }
    }
}

fn function(cx: &Context, resource: &str) -> Result<Target, Error> {
    let target = Target::parse_any(cx, resource, None)?;
    if target.qualifier.is_some() {
        return Err(invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    Ok(target)
}
