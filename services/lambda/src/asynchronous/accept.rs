//! `Invoke` with `InvocationType=Event`, and `InvokeAsync`: the event is on the disk before the caller hears of it.

use deliveries::{AcceptError, Delivery, Event, Policy, Sender};
use engine::Invocation;
use store::Domain;
use wire::{Context, Error};

use crate::invoke::{self, Asked, Kind};
use crate::{Lambda, measures, shapes};

/// Keeps an event for a function, and returns when it will run whatever happens.
pub async fn accept(lambda: &Lambda, invocation: Invocation) -> Result<(), Error> {
    let details = Event {
        trace_header: invocation.trace_header,
        tenant_id: invocation.tenant_id.map(|tenant| tenant.to_string()),
    };
    let sender = Sender::Authorised { source_arn: invocation.invoked_arn.clone() };
    let delivery = Delivery {
        id: invocation.request_id,
        policy: Policy::FUNCTIONS_OWN,
        ..Delivery::new(invocation.invoked_arn, invocation.payload, sender).with(&details)
    };
    let deliveries = lambda.deliveries.clone();
    let arn = delivery.target.clone();
    lambda.store.write_in(Domain::Events, move |tx| deliveries.accept(tx, delivery)).await.map_err(refuse)?;
    measures::record(&lambda.metrics, &arn, "AsyncEventsReceived", 1.0);
    Ok(())
}

fn refuse(error: AcceptError) -> Error {
    match error {
        AcceptError::Full { .. } => {
            Error::new("TooManyRequestsException", format!("Rate Exceeded. {error}."))
                .with_field("Reason", "CallerRateLimitExceeded")
                .with_field("retryAfterSeconds", "1")
        }
        AcceptError::Store(error) => crate::error::service(error),
    }
}

/// `InvokeAsync`: the same, by its old name.
pub async fn invoke_async(
    lambda: Lambda,
    cx: Context,
    input: shapes::InvokeAsyncRequest,
) -> Result<shapes::InvokeAsyncResponse, Error> {
    let asked = Asked {
        // An action of its own, although it does what the other one allows.
        action: "lambda:InvokeAsync",
        kind: Kind::Event,
        function_name: &input.function_name,
        qualifier: None,
        payload: Some(input.invoke_args),
        client_context: None,
        tenant_id: None,
        tail: false,
    };
    accept(&lambda, invoke::check(&lambda, &cx, asked)?).await?;
    Ok(shapes::InvokeAsyncResponse { status: Some(202) })
}
