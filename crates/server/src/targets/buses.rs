//! Event buses.

use std::sync::Arc;

use deliveries::{Answer, Deliveries};
use events::Events;

use super::roles::{RoleMay, is_denied};

/// Events that one bus takes at once.
const AT_ONCE: usize = 64;

/// Says how buses are delivered to.
pub fn register(deliveries: &Deliveries, events: &Events, role_may: &RoleMay) {
    let (events, role_may) = (events.clone(), Arc::clone(role_may));
    deliveries.on("events", AT_ONCE, move |parcel| {
        let (events, role_may) = (events.clone(), Arc::clone(&role_may));
        async move {
            if is_denied(&role_may, &parcel, "events:PutEvents") {
                return Answer::failed("the sender's role may not put events on this bus")
                    .coded("NO_PERMISSIONS");
            }
            events.attempt(parcel).await
        }
    });
}
