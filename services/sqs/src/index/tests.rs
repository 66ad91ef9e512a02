use proptest::prelude::*;

use super::*;

const HOURS_12: Millis = 43_200_000;
const NOTHING: [Sequence; 0] = [];

fn arrival(sent: Millis, group: Option<&str>) -> Arrival<'_> {
    Arrival { sent, visible_at: sent, group, received: None }
}

fn with(fifo: bool, messages: &[(Sequence, Option<&str>)]) -> Index {
    let mut index = Index::new(fifo);
    for (sequence, group) in messages {
        index.reserve(*sequence, arrival(0, *group));
        index.settle(*sequence, 0);
    }
    index
}

fn want(max: usize, until: Millis) -> Want {
    Want { max, until, receives_max: None, in_flight_max: 100 }
}

fn take(index: &mut Index, now: Millis, want: Want) -> Vec<Sequence> {
    index.tick(now);
    index.take(now, want).leases.iter().map(|lease| lease.sequence).collect()
}

#[test]
fn a_message_is_received_once_it_is_on_the_disk_and_again_when_its_timeout_is_over() {
    let mut index = Index::new(false);
    index.reserve(1, arrival(0, None));
    assert_eq!(take(&mut index, 0, want(10, 30)), NOTHING);
    index.settle(1, 0);
    assert_eq!(take(&mut index, 0, want(10, 30)), [1]);
    assert_eq!(take(&mut index, 29, want(10, 60)), NOTHING);
    assert_eq!(index.next_due(), Some(30));
    assert_eq!(take(&mut index, 30, want(10, 60)), [1]);
}

#[test]
fn a_delay_counts_as_delayed_until_it_is_over() {
    let mut index = Index::new(false);
    index.reserve(1, Arrival { visible_at: 10, ..arrival(0, None) });
    index.settle(1, 0);
    assert_eq!(index.counts(), Counts { delayed: 1, ..Counts::default() });
    index.tick(10);
    assert_eq!(index.counts(), Counts { visible: 1, ..Counts::default() });
}

#[test]
fn a_fifo_group_waits_for_what_is_out_and_others_go_on() {
    let mut index = with(true, &[(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, Some("a"))]);
    assert_eq!(take(&mut index, 0, want(2, 30)), [1, 2]);
    assert_eq!(take(&mut index, 1, want(10, 30)), [3]);
    assert!(index.remove(1));
    assert_eq!(take(&mut index, 2, want(10, 30)), NOTHING);
    assert!(index.remove(2));
    assert_eq!(take(&mut index, 3, want(10, 40)), [4]);
}

#[test]
fn a_fifo_group_never_overtakes_a_message_that_is_on_its_way_to_the_disk() {
    let mut index = Index::new(true);
    for sequence in [1, 2] {
        index.reserve(sequence, arrival(0, Some("a")));
    }
    index.settle(2, 0);
    assert_eq!(take(&mut index, 0, want(10, 30)), NOTHING);
    index.settle(1, 0);
    assert_eq!(take(&mut index, 0, want(10, 30)), [1, 2]);
}

#[test]
fn what_becomes_visible_again_keeps_its_place_in_its_group() {
    let mut index = with(true, &[(1, Some("a")), (2, Some("a")), (3, Some("a"))]);
    assert_eq!(take(&mut index, 0, want(2, 30)), [1, 2]);
    assert_eq!(index.change_visibility(1, 1, 5, 5, HOURS_12), Change::Done);
    assert_eq!(take(&mut index, 5, want(10, 30)), NOTHING, "2 is still out");
    assert_eq!(index.change_visibility(2, 1, 5, 5, HOURS_12), Change::Done);
    assert_eq!(take(&mut index, 5, want(10, 30)), [1, 2, 3]);
}

#[test]
fn a_flood_of_one_tenant_does_not_delay_the_others() {
    let mut index = Index::new(false);
    for sequence in 0..50 {
        index.restore(sequence, arrival(0, Some("loud")), 0);
    }
    assert_eq!(take(&mut index, 0, want(10, 30)).len(), 10);
    index.restore(50, arrival(1, Some("quiet")), 1);
    assert_eq!(take(&mut index, 1, want(1, 30)), [50]);
}

#[test]
fn too_many_receives_make_a_message_leave() {
    let mut index = with(false, &[(1, None), (2, None)]);
    let twice = |until| Want { receives_max: Some(1), ..want(1, until) };
    assert_eq!(index.take(0, twice(0)).leases.len(), 1);
    let taken = index.take(0, twice(30));
    assert_eq!((taken.dead, taken.leases[0].sequence), (vec![1], 2));
    index.stay(1, State::Visible);
    assert_eq!(index.counts(), Counts { visible: 1, in_flight: 1, delayed: 0 });
}

#[test]
fn no_more_than_the_limit_are_in_flight() {
    let mut index = with(false, &[(1, None), (2, None)]);
    let taken = index.take(0, Want { in_flight_max: 1, ..want(10, 30) });
    assert!(taken.over_limit && taken.leases.len() == 1);
}

#[test]
fn a_receipt_holds_for_the_last_receive_and_for_twelve_hours() {
    let mut index = with(false, &[(1, None)]);
    assert_eq!(take(&mut index, 0, want(1, 30)), [1]);
    assert_eq!(index.change_visibility(1, 1, 10, HOURS_12 + 1, HOURS_12), Change::TooLong);
    assert_eq!(take(&mut index, 30, want(1, 60)), [1]);
    assert_eq!(index.change_visibility(1, 1, 31, 99, HOURS_12), Change::NotInFlight);
    assert!(index.holds(1, 2) && !index.holds(1, 1));
    index.remove(1);
    assert_eq!(index.change_visibility(1, 2, 31, 99, HOURS_12), Change::Gone);
}

#[test]
fn a_moved_message_expires_by_its_own_age() {
    let mut index = with(false, &[]);
    index.restore(1, arrival(100, None), 100);
    index.restore(2, arrival(50, None), 100);
    assert_eq!(index.oldest_sent(), Some(50));
    assert_eq!(index.expire(60, 10), [2]);
    assert_eq!(index.expire(60, 10), NOTHING);
    assert_eq!(index.expire(100, 10), [1]);
}

#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Take(usize, Millis),
    Delete(usize),
    Release(usize),
    Wait(Millis),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8).prop_map(Step::Send),
        (1..4usize, 0..20i64).prop_map(|(max, span)| Step::Take(max, span)),
        (0..8usize).prop_map(Step::Delete),
        (0..8usize).prop_map(Step::Release),
        (0..15i64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happens: counts add up, a FIFO group's messages are received in order and never two batches at once,
    /// and nothing is received after it was deleted.
    #[test]
    fn order_and_counts_hold(fifo in any::<bool>(), steps in proptest::collection::vec(step(), 1..120)) {
        let mut index = Index::new(fifo);
        let (mut now, mut next) = (0, 0);
        let mut groups: BTreeMap<Sequence, u8> = BTreeMap::new();
        let mut out: BTreeMap<Sequence, (u32, Millis)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Send(group) => {
                    let name = group.to_string();
                    let name = (fifo || group > 0).then_some(name.as_str());
                    index.reserve(next, arrival(now, name));
                    index.settle(next, now);
                    groups.insert(next, group);
                    next += 1;
                }
                Step::Take(max, span) => {
                    index.tick(now);
                    out.retain(|_, (_, until)| *until > now);
                    let busy: BTreeSet<u8> = out.keys().map(|at| groups[at]).collect();
                    let mut last: BTreeMap<u8, Sequence> = BTreeMap::new();
                    for lease in index.take(now, want(max, now + span)).leases {
                        let group = *groups.get(&lease.sequence).expect("it was deleted before");
                        if fifo {
                            prop_assert!(!busy.contains(&group));
                            let before = last.insert(group, lease.sequence);
                            let first = groups.iter().filter(|(_, of)| **of == group)
                                .map(|(at, _)| *at).find(|at| before.is_none_or(|before| *at > before));
                            prop_assert_eq!(Some(lease.sequence), first);
                        }
                        if span > 0 {
                            out.insert(lease.sequence, (lease.received.count, now + span));
                        }
                    }
                }
                Step::Delete(which) => {
                    if let Some(at) = out.keys().nth(which).copied() {
                        out.remove(&at);
                        groups.remove(&at);
                        prop_assert!(index.begin_leaving(at).is_some());
                        prop_assert!(index.remove(at));
                    }
                }
                Step::Release(which) => {
                    if let Some((at, (count, until))) = out.iter().nth(which).map(|(at, out)| (*at, *out)) {
                        let changed = index.change_visibility(at, count, now, now, HOURS_12);
                        prop_assert_eq!(changed, Change::Done, "until {}", until);
                        out.remove(&at);
                    }
                }
                Step::Wait(span) => {
                    now += span;
                    index.tick(now);
                    out.retain(|_, (_, until)| *until > now);
                }
            }
            let counts = index.counts();
            prop_assert_eq!(counts.visible + counts.in_flight + counts.delayed, index.len());
            prop_assert_eq!(counts.in_flight, out.len());
        }
    }
}
