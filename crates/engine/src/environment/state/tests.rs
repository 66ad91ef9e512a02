use proptest::prelude::*;

use super::*;

const ID: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

fn phases() -> Vec<Phase> {
    let mut phases = vec![Phase::Vacant, Phase::Stopped];
    for boot in [Boot::Extensions, Boot::Runtime, Boot::Ready] {
        phases.push(Phase::Starting { boot });
        phases.push(Phase::Awaiting { id: ID, boot });
    }
    for flag in [false, true] {
        phases.push(Phase::Idle { parked: true, frozen: flag });
        phases.push(Phase::Running { id: ID, streaming: flag });
        phases.push(Phase::Responded { id: ID, parked: flag });
    }
    for stage in [Stage::ShuttingDown(ShutdownReason::Timeout), Stage::Ending] {
        phases.push(Phase::Stopping { stage });
        for offered in [false, true] {
            phases.push(Phase::Resetting { pending: None, offered, stage });
        }
    }
    phases.extend([
        Phase::Awaiting { id: ID, boot: Boot::Done },
        Phase::Idle { parked: false, frozen: false },
        Phase::Resetting { pending: Some(ID), offered: true, stage: Stage::Ending },
        Phase::Stopping { stage: Stage::Terminating },
    ]);
    phases
}

/// An external extension that wants everything, and an internal one, in every combination of how they can stand.
fn extensions() -> Vec<Extensions> {
    let (external, internal) = (ExtensionSet::only(0), ExtensionSet::only(1));
    let both = external.or(internal);
    let none = ExtensionSet::default();
    let registered = Extensions {
        external,
        registered: both,
        invoke: both,
        shutdown: external,
        polled: both,
        ..Extensions::default()
    };
    vec![
        Extensions::default(),
        Extensions { external, ..Extensions::default() },
        Extensions { polled: none, ..registered },
        Extensions { registered: internal, invoke: none, external: none, shutdown: none, ..registered },
        registered,
        Extensions { owed: both, ..registered },
        Extensions { done: both, parked: both, ..registered },
        Extensions { done: external, parked: external, owed: internal, ..registered },
        Extensions { done: both, parked: internal, ..registered },
        Extensions { done: both, parked: internal, exited: external, ..registered },
        Extensions { registered: external, shutdown: none, done: external, parked: external, ..registered },
    ]
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::StartFailed(StartFailure::Entrypoint),
        Event::StartFailed(StartFailure::Machine),
        Event::Exited(Death::Exit),
        Event::Exited(Death::OutOfMemory),
        Event::Killed,
        Event::Broken,
        Event::Destroyed,
        Event::Next,
        Event::NextDropped,
        Event::InitError,
        Event::Assigned(ID),
        Event::Assigned(OTHER),
        Event::Retire,
        Event::Abort,
        Event::InitTimedOut,
        Event::TimedOut(ID),
        Event::TimedOut(OTHER),
        Event::Overdue,
        Event::Rested,
        Event::Subscribe,
        Event::ShutdownDue,
        Event::Acquired(ExtensionSet::default()),
        Event::Acquired(ExtensionSet::only(0)),
    ];
    for number in [0, 1, 2] {
        events.extend([
            Event::ExtensionRegistered(number, Subscriptions { invoke: true, shutdown: number == 0 }),
            Event::ExtensionRegistered(number, Subscriptions::default()),
            Event::ExtensionNext(number),
            Event::ExtensionNextDropped(number),
            Event::ExtensionInitError(number),
            Event::ExtensionExitError(number),
        ]);
    }
    events.extend([Event::ExtensionExited(0), Event::ExtensionLaunchFailed(0)]);
    for answer in [Answer::Success, Answer::Error, Answer::TooLarge, Answer::InvalidMode] {
        events.extend([None, Some(ID), Some(OTHER)].map(|id| Event::Response(id, answer)));
        events.push(Event::StreamEnded(answer));
    }
    events.push(Event::StreamEnded(Answer::Truncated));
    events.extend([None, Some(ID), Some(OTHER)].map(Event::StreamBegun));
    events
}

/// The invocation that an environment owes an answer.
fn owed(phase: Phase) -> Option<Uuid> {
    match phase {
        Phase::Awaiting { id, .. }
        | Phase::Running { id, .. }
        | Phase::Resetting { pending: Some(id), .. } => Some(id),
        _ => None,
    }
}

fn answers(actions: &[Action]) -> Vec<Uuid> {
    actions
        .iter()
        .filter_map(|action| if let Action::Answer(id, _) = action { Some(*id) } else { None })
        .collect()
}

fn every_transition(check: impl Fn(State, Event, State, &[Action])) {
    for (phase, extensions) in
        phases().into_iter().flat_map(|phase| extensions().into_iter().map(move |e| (phase, e)))
    {
        // While there is no invocation, everybody has asked for the next one.
        if matches!(phase, Phase::Idle { .. }) && !(extensions.are_done() && extensions.owed.is_empty()) {
            continue;
        }
        for retiring in [false, true] {
            for event in events() {
                let before = State { phase, retiring, extensions };
                let (after, actions) = before.on(event);
                check(before, event, after, &actions);
            }
        }
    }
}

#[test]
fn every_call_gets_exactly_one_reply_and_nothing_else_does() {
    every_transition(|before, event, _, actions| {
        let replies = actions
            .iter()
            .filter(|action| {
                matches!(
                    action,
                    Action::Park
                        | Action::ParkExtension(_)
                        | Action::Stream
                        | Action::Accept
                        | Action::Refuse(_)
                )
            })
            .count();
        let call = matches!(
            event,
            Event::Next
                | Event::Response(..)
                | Event::StreamBegun(_)
                | Event::StreamEnded(_)
                | Event::InitError
                | Event::ExtensionRegistered(..)
                | Event::ExtensionNext(_)
                | Event::ExtensionInitError(_)
                | Event::ExtensionExitError(_)
                | Event::Subscribe
        );
        assert_eq!(replies, usize::from(call), "{before:?} on {event:?}: {actions:?}");
    });
}

#[test]
fn no_invocation_is_lost_or_answered_twice_in_any_transition() {
    every_transition(|before, event, after, actions| {
        let mut owed_before: Vec<_> = owed(before.phase).into_iter().collect();
        if let Event::Assigned(id) = event {
            owed_before.push(id);
        }
        let mut settled = answers(actions);
        settled.extend(owed(after.phase));
        owed_before.sort();
        settled.sort();
        assert_eq!(settled, owed_before, "{before:?} on {event:?}: {after:?} {actions:?}");
    });
}

#[test]
fn a_stopped_environment_only_refuses() {
    every_transition(|before, event, after, actions| {
        if before.phase == Phase::Stopped {
            assert_eq!(after.phase, before.phase);
            let harmless =
                |action: &Action| matches!(action, Action::Refuse(_) | Action::Answer(_, Verdict::Broken));
            assert!(actions.iter().all(harmless), "{event:?}: {actions:?}");
        }
    });
}

#[test]
fn the_cell_is_destroyed_exactly_once_and_placement_told_when_stopping_begins() {
    let ending = |phase| phase == Phase::Stopping { stage: Stage::Ending };
    let stopping = |phase| matches!(phase, Phase::Stopping { .. });
    every_transition(|before, event, after, actions| {
        let begins = stopping(after.phase) && !stopping(before.phase);
        let ends = ending(after.phase) && !ending(before.phase);
        let destroys = actions.iter().filter(|action| **action == Action::Destroy).count();
        let leaves =
            actions.iter().filter(|action| matches!(action, Action::Leave | Action::Abandon)).count();
        assert_eq!((destroys, leaves), (usize::from(ends), usize::from(begins)), "{before:?} on {event:?}");
    });
}

#[test]
fn processes_are_killed_when_the_last_stage_of_a_reset_begins_and_not_while_frozen() {
    let ending = |phase| matches!(phase, Phase::Resetting { stage: Stage::Ending, .. });
    every_transition(|before, event, after, actions| {
        let kills = actions.iter().filter(|action| **action == Action::Kill).count();
        let begins = ending(after.phase) && !ending(before.phase);
        assert_eq!(kills, usize::from(begins), "{before:?} on {event:?}: {actions:?}");
        let touched = actions.iter().position(|action| {
            matches!(
                action,
                Action::Kill
                    | Action::KillRuntime
                    | Action::Terminate(_)
                    | Action::Announce(_)
                    | Action::Shutdown(..)
            )
        });
        if let (Some(at), Phase::Idle { frozen: true, .. }) = (touched, before.phase) {
            assert!(actions[..at].contains(&Action::Thaw), "{before:?} on {event:?}: {actions:?}");
        }
    });
}

#[test]
fn an_extension_hears_only_what_it_asked_for_and_only_while_its_call_waits() {
    every_transition(|before, event, _, actions| {
        for (at, action) in actions.iter().enumerate() {
            let (to, wanted) = match action {
                Action::Announce(to) => (to, before.extensions.invoke),
                Action::Shutdown(to, _) => (to, before.extensions.shutdown),
                _ => continue,
            };
            for number in to.iter() {
                let waits = before.extensions.parked.contains(number)
                    || actions[..at].contains(&Action::ParkExtension(number));
                assert!(waits && wanted.contains(number), "{before:?} on {event:?}: {actions:?}");
                assert!(!before.extensions.exited.contains(number), "{before:?} on {event:?}: {actions:?}");
            }
        }
    });
}

#[test]
fn an_environment_is_free_only_when_every_extension_has_asked_for_the_next_event() {
    every_transition(|before, event, after, actions| {
        if actions.contains(&Action::Offer) && matches!(after.phase, Phase::Idle { .. }) {
            assert!(after.extensions.are_done(), "{before:?} on {event:?}: {actions:?}");
        }
    });
}

#[test]
fn an_event_is_delivered_only_to_a_waiting_call_that_is_not_frozen() {
    every_transition(|before, event, _, actions| {
        if let Some(at) = actions.iter().position(|action| matches!(action, Action::Deliver(_))) {
            let parked = actions[..at].contains(&Action::Park)
                || matches!(before.phase, Phase::Awaiting { boot: Boot::Ready, .. })
                || matches!(before.phase, Phase::Idle { parked: true, frozen: false })
                || (matches!(before.phase, Phase::Idle { parked: true, frozen: true })
                    && actions[..at].contains(&Action::Thaw));
            assert!(parked, "{before:?} on {event:?}: {actions:?}");
        }
    });
}

#[test]
fn a_retiring_environment_is_never_offered() {
    every_transition(|before, event, _, actions| {
        assert!(
            !before.retiring || !actions.contains(&Action::Offer),
            "{before:?} on {event:?}: {actions:?}"
        );
    });
}

/// What the world around an environment does: it hands over an invocation only to an environment that is on offer,
/// and performs kills and destroys.
#[derive(Default)]
struct World {
    offered: bool,
    left: bool,
    permits: Vec<Uuid>,
    settled: u128,
    kills: usize,
    named: u128,
    assigned: u128,
}

impl World {
    fn legal(&self, event: Event) -> bool {
        match event {
            Event::Killed => self.kills > 0,
            Event::Retire | Event::Abort => !self.left,
            Event::Assigned(_) => self.offered,
            Event::Acquired(_) => false,
            _ => true,
        }
    }

    fn observe(&mut self, event: Event, actions: &[Action]) {
        match event {
            Event::Assigned(id) => {
                self.permits.push(id);
                self.assigned += 1;
                self.offered = false;
            }
            Event::Retire => self.offered = false,
            Event::Killed => self.kills -= 1,
            _ => {}
        }
        for action in actions {
            match action {
                Action::Offer => {
                    assert!(!self.offered && !self.left, "offered twice");
                    assert!(self.permits.is_empty(), "offered while busy");
                    self.offered = true;
                }
                Action::Leave | Action::Abandon => {
                    assert!(!self.left, "left twice");
                    (self.left, self.offered) = (true, false);
                }
                Action::Answer(id, _) => {
                    let at = self.permits.iter().position(|permit| permit == id).expect("answered twice");
                    self.permits.remove(at);
                }
                Action::Settle => self.settled += 1,
                Action::Kill => self.kills += 1,
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_life_answers_each_invocation_once_and_returns_every_permit(
        choices in proptest::collection::vec(0..events().len(), 1..200),
        external in any::<bool>(),
    ) {
        let events = events();
        let external = if external { ExtensionSet::only(0) } else { ExtensionSet::default() };
        let (mut state, mut world) = (State::new().on(Event::Acquired(external)).0, World::default());
        for choice in choices {
            let event = match events[choice] {
                Event::Assigned(_) => {
                    world.named += 1;
                    Event::Assigned(Uuid::from_u128(world.named))
                }
                // An id that means the invocation at hand, so that random lives get anywhere.
                Event::Response(Some(ID), answer) => Event::Response(owed(state.phase), answer),
                Event::TimedOut(ID) => Event::TimedOut(owed(state.phase).unwrap_or(OTHER)),
                event => event,
            };
            if !world.legal(event) {
                continue;
            }
            let (after, actions) = state.on(event);
            world.observe(event, &actions);
            state = after;
            prop_assert!(world.permits.len() <= 1);
            prop_assert_eq!(world.permits.first().copied(), owed(state.phase));
        }
        let (state, actions) = state.on(Event::Abort);
        world.observe(Event::Abort, &actions);
        let (state, _) = state.on(Event::ShutdownDue);
        prop_assert!(world.permits.is_empty());
        prop_assert!(world.left);
        prop_assert_eq!(state.on(Event::Destroyed).0.phase, Phase::Stopped);
        prop_assert_eq!(world.settled, world.assigned);
    }
}
