use super::*;
use crate::{Capacity, ThrottleReason};

fn admission(concurrency: u32) -> (Admission, Arc<Slots>) {
    (Admission::new(&Limits { concurrency, ..Limits::default() }), Arc::default())
}

fn function(name: &str) -> FunctionKey {
    FunctionKey::of(&crate::isolation::fake::version(name))
}

/// Permits until one is refused, and why.
fn fill(gate: &Arc<Gate>, slots: &Arc<Slots>) -> (Vec<Permit>, ThrottleReason) {
    let mut permits = Vec::new();
    loop {
        match gate.admit(slots, None) {
            Ok(permit) => permits.push(permit),
            Err(reason) => return (permits, reason),
        }
    }
}

#[test]
fn functions_without_a_reservation_share_what_is_left() {
    let (admission, slots) = admission(10);
    let (a, b, c) = (function("a"), function("b"), function("c"));
    admission.set_reserved(&c, Some(3));
    let first = admission.gate(&a).admit(&slots, None).unwrap();
    let (rest, reason) = fill(&admission.gate(&b), &slots);
    assert_eq!((rest.len(), reason), (6, ThrottleReason::ConcurrentInvocationLimitExceeded));
    drop(first);
    assert!(admission.gate(&a).admit(&slots, None).is_ok());
}

#[test]
fn a_reservation_is_a_floor_and_a_ceiling() {
    let (admission, slots) = admission(10);
    let (a, b) = (function("a"), function("b"));
    admission.set_reserved(&a, Some(4));
    let (_others, _) = fill(&admission.gate(&b), &slots);
    let (permits, reason) = fill(&admission.gate(&a), &slots);
    assert_eq!(
        (permits.len(), reason),
        (4, ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    );
    drop(permits);
    assert_eq!(fill(&admission.gate(&a), &slots).0.len(), 4);
}

#[test]
fn nothing_reserved_is_not_the_same_as_no_reservation() {
    let (admission, slots) = admission(10);
    let a = function("a");
    admission.set_reserved(&a, Some(0));
    let refused = admission.gate(&a).admit(&slots, None).unwrap_err();
    assert_eq!(refused, ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded);
    admission.set_reserved(&a, None);
    assert!(admission.gate(&a).admit(&slots, None).is_ok());
}

#[test]
fn permits_go_back_to_where_they_came_from_when_the_limits_have_changed_meanwhile() {
    let (admission, slots) = admission(10);
    let (a, b) = (function("a"), function("b"));
    let before = admission.gate(&a).admit(&slots, None).unwrap();
    admission.set_reserved(&a, Some(2));
    let reserved = admission.gate(&a).admit(&slots, None).unwrap();
    admission.set_reserved(&a, None);
    drop((before, reserved));
    assert_eq!(fill(&admission.gate(&b), &slots).0.len(), 10);
    assert_eq!(admission.running(&a.scope), 0);
}

#[test]
fn provisioned_concurrency_comes_first_and_the_rest_spills_over() {
    let (admission, slots) = admission(10);
    let (a, b) = (function("a"), function("b"));
    admission.set_provisioned(&a, 3);
    // Until it is all there, everything runs on demand.
    assert_eq!(admission.gate(&a).admit(&slots, None).unwrap().capacity(), Capacity::OnDemand);
    slots.open(3);
    let (permits, reason) = fill(&admission.gate(&a), &slots);
    let of = |capacity| permits.iter().filter(|permit| permit.capacity() == capacity).count();
    assert_eq!((of(Capacity::Provisioned), of(Capacity::Spillover)), (3, 7));
    assert_eq!(reason, ThrottleReason::ConcurrentInvocationLimitExceeded);
    drop(permits);
    assert_eq!(slots.taken(), 0);
    assert_eq!(fill(&admission.gate(&b), &Arc::default()).0.len(), 7);
}

#[test]
fn what_is_provisioned_serves_only_so_many_requests_in_a_second() {
    let (admission, slots) = admission(10);
    let a = function("a");
    admission.set_provisioned(&a, 2);
    slots.open(2);
    let now = std::time::Instant::now() + std::time::Duration::from_secs(60);
    // One after the other: never more than one runs.
    let capacities = |count: usize, at: Option<std::time::Instant>| {
        let gate = admission.gate(&a);
        let run = |_| gate.admit(&slots, at).unwrap().capacity();
        let provisioned = (0..count).map(run).filter(|capacity| *capacity == Capacity::Provisioned);
        provisioned.count()
    };
    assert_eq!(capacities(30, Some(now)), 20);
    assert_eq!(capacities(30, Some(now + std::time::Duration::from_millis(500))), 10);
    // Events have no rate.
    assert_eq!(capacities(30, None), 30);
    assert_eq!(slots.taken(), 0);
}

#[test]
fn provisioned_concurrency_is_a_part_of_what_is_reserved() {
    let (admission, slots) = admission(10);
    let (a, b) = (function("a"), function("b"));
    admission.set_reserved(&a, Some(5));
    admission.set_provisioned(&a, 3);
    slots.open(3);
    // Another version of the function has what is reserved and not provisioned.
    let (other, _) = fill(&admission.gate(&a), &Arc::default());
    assert_eq!(other.len(), 2);
    let (permits, reason) = fill(&admission.gate(&a), &slots);
    assert_eq!(
        (permits.len(), reason),
        (3, ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    );
    assert_eq!(fill(&admission.gate(&b), &Arc::default()).0.len(), 5);
}

#[test]
fn a_forgotten_function_leaves_its_reservation_to_the_others() {
    let (admission, slots) = admission(10);
    let (a, b) = (function("a"), function("b"));
    admission.set_reserved(&a, Some(4));
    let running = admission.gate(&a).admit(&slots, None).unwrap();
    admission.forget(&a);
    assert_eq!(fill(&admission.gate(&b), &slots).0.len(), 10);
    drop(running);
    assert_eq!(admission.gate(&a).admit(&slots, None).unwrap().capacity(), Capacity::OnDemand);
}

#[test]
fn requests_have_a_rate_for_each_unit_of_concurrency() {
    let (admission, _) = admission(5);
    let (a, b) = (function("a"), function("b"));
    let now = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let rate = |function: &FunctionKey| {
        let gate = admission.gate(function);
        let mut count = 0;
        loop {
            match gate.admit_request(now) {
                Ok(()) => count += 1,
                Err(reason) => return (count, reason),
            }
        }
    };
    admission.set_reserved(&a, Some(2));
    assert_eq!(rate(&a), (20, ThrottleReason::ReservedFunctionInvocationRateLimitExceeded));
    assert_eq!(rate(&b), (50, ThrottleReason::FunctionInvocationRateLimitExceeded));
    admission.set_reserved(&a, Some(0));
    // It is told about its concurrency.
    assert_eq!(admission.gate(&a).admit_request(now), Ok(()));
}
