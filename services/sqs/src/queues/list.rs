//! Finding queues.

use domain::{Account, Scope};
use wire::{Context, Error};

use crate::Sqs;
use crate::address::Address;
use crate::error::{invalid_parameter, invalid_value, queue_does_not_exist};
use crate::limits::{LIST_RESULTS, LIST_RESULTS_DEFAULT};
use crate::shapes::{
    GetQueueUrlRequest, GetQueueUrlResult, ListDeadLetterSourceQueuesRequest,
    ListDeadLetterSourceQueuesResult, ListQueuesRequest, ListQueuesResult,
};

/// `GetQueueUrl`
pub async fn get_url(sqs: Sqs, cx: Context, input: GetQueueUrlRequest) -> Result<GetQueueUrlResult, Error> {
    let account = match &input.queue_owner_aws_account_id {
        None => cx.scope.account.clone(),
        Some(id) => Account::parse(id).ok_or_else(queue_does_not_exist)?,
    };
    let scope = Scope { account, region: cx.scope.region.clone() };
    let queue = sqs.queue_of(&cx, &Address { scope, name: input.queue_name }, "GetQueueUrl")?;
    Ok(GetQueueUrlResult { queue_url: Some(queue.address.url(&sqs.base_url)) })
}

/// `ListQueues`
pub async fn list(sqs: Sqs, cx: Context, input: ListQueuesRequest) -> Result<ListQueuesResult, Error> {
    let prefix = input.queue_name_prefix.unwrap_or_default();
    let names = sqs.queues.of_scope(&cx.scope).into_iter().map(|queue| queue.address.name.clone());
    let names = names.filter(|name| name.starts_with(&prefix)).collect();
    let (names, next_token) = page(names, input.max_results, input.next_token.as_deref())?;
    let url = |name| Address { scope: cx.scope.clone(), name }.url(&sqs.base_url);
    let urls: Vec<String> = names.into_iter().map(url).collect();
    // AWS leaves the list out when it is empty.
    Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
}

/// `ListDeadLetterSourceQueues`
pub async fn list_dead_letter_sources(
    sqs: Sqs,
    cx: Context,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, Error> {
    let queue = sqs.queue_at(&cx, &input.queue_url, "ListDeadLetterSourceQueues")?;
    let names = sqs.dead_letter_sources(&queue.address).into_iter().map(|source| source.address.name.clone());
    let (names, next_token) = page(names.collect(), input.max_results, input.next_token.as_deref())?;
    let url = |name| Address { scope: queue.address.scope.clone(), name }.url(&sqs.base_url);
    Ok(ListDeadLetterSourceQueuesResult { queue_urls: names.into_iter().map(url).collect(), next_token })
}

impl Sqs {
    /// The queues that send their dead letters to this one, by name.
    pub(crate) fn dead_letter_sources(&self, target: &Address) -> Vec<std::sync::Arc<crate::queue::Queue>> {
        let mut sources = self.queues.of_scope(&target.scope);
        sources.retain(|queue| {
            queue.current().settings.redrive.as_ref().is_some_and(|redrive| redrive.target == *target)
        });
        sources
    }
}

/// A page of names, and the token of the next: the last name shown, in a form that nobody takes for one.
fn page(
    names: Vec<String>,
    max_results: Option<i32>,
    token: Option<&str>,
) -> Result<(Vec<String>, Option<String>), Error> {
    if token.is_some() && max_results.is_none() {
        return Err(invalid_parameter(
            "MaxResults is a mandatory parameter when you provide a value for NextToken.",
        ));
    }
    let limit = match max_results {
        None => LIST_RESULTS_DEFAULT,
        Some(count) if LIST_RESULTS.contains(&i64::from(count)) => usize::try_from(count).unwrap_or(1),
        Some(count) => {
            return Err(invalid_value(
                count,
                "MaxResults",
                "MaxResults must be an integer between 1 and 1000.",
            ));
        }
    };
    let after = token.map(read_token).transpose()?;
    let mut rest: Vec<String> = names;
    if let Some(after) = &after {
        rest.retain(|name| name > after);
    }
    let more = rest.len() > limit;
    rest.truncate(limit);
    // Without a limit of the caller's, the rest is not offered: so AWS answers.
    let next = rest.last().filter(|_| more && max_results.is_some()).map(|last| write_token(last));
    Ok((rest, next))
}

fn write_token(name: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(name)
}

fn read_token(token: &str) -> Result<String, Error> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid_parameter("Invalid or expired next token."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
        let (first, token) = page(names.clone(), Some(2), None).unwrap();
        assert_eq!(first, ["a", "b"]);
        let (second, end) = page(names.clone(), Some(2), token.as_deref()).unwrap();
        assert_eq!((second, end), (vec!["c".to_owned()], None));
        assert!(page(names.clone(), Some(0), None).is_err());
        assert!(page(names, None, Some("YQ==")).is_err());
    }
}
