//! `ListTopics`

use store::Scan;
use wire::{Context, Error};

use crate::arn::TopicArn;
use crate::limits::PAGE;
use crate::record::TOPICS;
use crate::{Sns, page, shapes};

/// A page of topics, in the order of their names.
pub(crate) async fn list(
    sns: Sns,
    cx: Context,
    input: shapes::ListTopicsInput,
) -> Result<shapes::ListTopicsResponse, Error> {
    let after = page::read_token(input.next_token.as_deref())?;
    let keys = sns.read(|snapshot| {
        let scan = Scan::prefix((&cx.scope,)).limit(PAGE + 1);
        let scan = match &after {
            Some(name) => scan.after((&cx.scope, name.as_str())),
            None => scan,
        };
        Ok(snapshot.keys(&TOPICS, &scan)?)
    })?;
    let (keys, next_token) = page::cut(keys, |(_, name)| name.clone());
    let topic = |(scope, name)| shapes::Topic { topic_arn: Some(TopicArn { scope, name }.to_string()) };
    Ok(shapes::ListTopicsResponse { topics: Some(keys.into_iter().map(topic).collect()), next_token })
}
