//! The books against every order of what can happen: random events, and after each of them the invariants.

use std::collections::HashSet;

use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::*;
use crate::admission::Admission;
use crate::isolation::fake::version;
use crate::{AllocationStatus, Limits, Outcome};

/// What can happen to a pool. Numbers choose among the environments at hand.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Request,
    /// An environment that starts or works offers itself.
    Offers(usize),
    /// One that works answers, and will offer itself.
    Answers(usize),
    /// One that has answered takes its time.
    Lingers(usize),
    /// One ends, whatever it was doing.
    Ends(usize),
    /// One that starts does not come to be.
    Abandons(usize),
    /// There is no room for one that was to be started.
    Refused(usize),
    /// One that waits has waited too long.
    Expires(usize),
    Evicted(usize),
    Keeps(Initialization, u32),
    StartsAhead,
    FailsAhead,
    Retires(bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    let which = 0..32_usize;
    let kind = prop_oneof![Just(Initialization::Provisioned), Just(Initialization::SnapStart)];
    prop_oneof![
        6 => Just(Happens::Request),
        6 => which.clone().prop_map(Happens::Offers),
        4 => which.clone().prop_map(Happens::Answers),
        1 => which.clone().prop_map(Happens::Lingers),
        1 => which.clone().prop_map(Happens::Ends),
        1 => which.clone().prop_map(Happens::Abandons),
        1 => which.clone().prop_map(Happens::Refused),
        1 => which.clone().prop_map(Happens::Expires),
        1 => which.prop_map(Happens::Evicted),
        2 => (kind, 0..4_u32).prop_map(|(kind, count)| Happens::Keeps(kind, count)),
        4 => Just(Happens::StartsAhead),
        1 => Just(Happens::FailsAhead),
        1 => any::<bool>().prop_map(Happens::Retires),
    ]
}

/// A pool, and what an engine and its environments would know.
struct World {
    pool: Pool,
    gate: Arc<Gate>,
    turns: Arc<Semaphore>,
    commands: HashMap<EnvironmentId, mpsc::UnboundedReceiver<Command>>,
    requests: usize,
    answered: Vec<oneshot::Receiver<Result<Outcome, InvokeError>>>,
    /// Requests that an environment has or had.
    served: HashSet<Uuid>,
    failed: usize,
    idle_memory: Arc<IdleMemory>,
}

const TURNS: usize = 3;
const HELD: Held = Held { memory_bytes: 1 << 20, init: Duration::from_millis(5) };

impl World {
    fn new() -> Self {
        let version = Arc::new(version("f"));
        let admission = Admission::new(&Limits::default());
        let gate = admission.gate(&FunctionKey::of(&version));
        let key = PoolKey { revision: version.revision, tenant_id: None };
        let idle_memory = Arc::new(IdleMemory::new(1024));
        let pool = Pool::new(
            key,
            version,
            Arc::clone(&gate),
            Arc::default(),
            Arc::clone(&idle_memory),
            Arc::default(),
        );
        Self {
            pool,
            gate,
            turns: Arc::new(Semaphore::new(TURNS)),
            commands: HashMap::new(),
            requests: 0,
            answered: Vec::new(),
            served: HashSet::new(),
            failed: 0,
            idle_memory,
        }
    }

    fn pick(&self, number: usize, standing: impl Fn(Standing) -> bool) -> Option<EnvironmentId> {
        let books = self.pool.books();
        let mut ids: Vec<_> = books.members.iter().filter(|(_, member)| standing(member.standing)).collect();
        ids.sort_by_key(|(id, _)| **id);
        Some(*ids.get(number.checked_rem(ids.len())?)?.0)
    }

    fn started(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            self.commands.insert(ticket.id, ticket.commands);
        }
    }

    fn serve(&mut self, job: &Job) {
        assert!(self.served.insert(job.invocation.request_id), "a request was handed out twice");
    }

    /// What an environment does with what placement sends it, at once.
    fn obey(&mut self) {
        let mut gone = Vec::new();
        let mut assigned = Vec::new();
        for (id, commands) in &mut self.commands {
            while let Ok(command) = commands.try_recv() {
                match command {
                    Command::Assign(job) => assigned.push(job),
                    Command::Retire | Command::Abort => gone.push(*id),
                }
            }
        }
        for job in assigned {
            self.serve(&job);
        }
        for id in gone {
            self.commands.remove(&id);
            let tickets = self.pool.leave(id);
            self.started(tickets);
        }
    }

    fn happen(&mut self, event: Happens) {
        let works = |standing| standing == Standing::Busy;
        let waits = |standing| matches!(standing, Standing::Idle { .. });
        match event {
            Happens::Request => {
                let Ok(permit) = self.gate.admit(&self.pool.slots, None) else { return };
                let (caller, answer) = oneshot::channel();
                let reply = Reply { caller, witness: None };
                self.requests += 1;
                self.answered.push(answer);
                let invocation = Invocation {
                    version: Arc::clone(&self.pool.version),
                    request_id: Uuid::new_v4(),
                    invoked_arn: String::new(),
                    payload: bytes::Bytes::new(),
                    client_context: None,
                    cognito_identity: None,
                    trace_header: None,
                    tenant_id: None,
                    synchronous: true,
                    tail: false,
                };
                match self.pool.submit(Box::new(Job { invocation, permit, reply, stream: None })) {
                    Submitted::Assigned => {}
                    Submitted::Waiting(tickets) => self.started(tickets),
                    Submitted::Closed(_) => unreachable!("nothing closes it"),
                }
            }
            Happens::Offers(number) => {
                let Some(id) = self.pick(number, |standing| !waits(standing)) else { return };
                match self.pool.offer(id, HELD) {
                    Offered::Job(job) => self.serve(&job),
                    Offered::Wait | Offered::Keep => {}
                    Offered::Stop => {
                        self.commands.remove(&id);
                        let tickets = self.pool.leave(id);
                        self.started(tickets);
                    }
                }
            }
            Happens::Answers(number) => {
                if let Some(id) = self.pick(number, works) {
                    self.pool.releasing(id);
                }
            }
            Happens::Lingers(number) => {
                if let Some(id) = self.pick(number, |standing| standing == Standing::Releasing) {
                    let tickets = self.pool.disappoint(id);
                    self.started(tickets);
                }
            }
            Happens::Ends(number) => {
                if let Some(id) = self.pick(number, |_| true) {
                    self.commands.remove(&id);
                    let tickets = self.pool.leave(id);
                    self.started(tickets);
                }
            }
            Happens::Abandons(number) => {
                if let Some(id) = self.pick(number, |standing| standing == Standing::Starting) {
                    self.commands.remove(&id);
                    self.failed += usize::from(self.pool.abandon(id).is_some());
                    let tickets = self.pool.leave(id);
                    self.started(tickets);
                }
            }
            Happens::Refused(number) => {
                if let Some(id) = self.pick(number, |standing| standing == Standing::Starting)
                    && !self.pool.is_kept(id)
                    && let Some(commands) = self.commands.remove(&id)
                {
                    let ticket =
                        Ticket { id, initialization: Initialization::OnDemand, ahead: false, commands };
                    self.failed += usize::from(self.pool.refuse(&ticket).is_some());
                }
            }
            Happens::Expires(number) => {
                if let Some(id) = self.pick(number, waits)
                    && !self.pool.is_kept(id)
                    && self.pool.withdraw(id)
                {
                    self.commands.remove(&id);
                    let tickets = self.pool.leave(id);
                    self.started(tickets);
                }
            }
            Happens::Evicted(number) => {
                if let Some(id) = self.pick(number, waits) {
                    assert!(self.pool.evict(id));
                }
            }
            Happens::Keeps(kind, count) => assert!(self.pool.keep(kind, count)),
            Happens::StartsAhead => {
                if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned()
                    && let Some(ticket) = self.pool.begin_ahead(turn, Instant::now())
                {
                    self.started(vec![ticket]);
                }
            }
            Happens::FailsAhead => self.pool.failed_ahead("broken".to_owned()),
            Happens::Retires(retired) => self.pool.set_retired(retired),
        }
        self.obey();
    }

    fn check(&self) {
        let books = self.pool.books();
        let count = |standing: &dyn Fn(&Member) -> bool| {
            books.members.values().filter(|member| standing(member)).count()
        };
        let starting = count(&|member| member.standing == Standing::Starting);
        let releasing = count(&|member| member.standing == Standing::Releasing);
        assert_eq!((books.starting, books.releasing), (starting, releasing));
        let idle: HashSet<_> = books.idle.iter().chain(&books.ready).copied().collect();
        let waiting = count(&|member| matches!(member.standing, Standing::Idle { .. }));
        assert_eq!((idle.len(), books.idle.len() + books.ready.len()), (waiting, waiting));
        assert!(books.ready.iter().all(|id| books.members[id].kept));
        assert!(books.idle.iter().all(|id| !books.members[id].kept));
        // Nobody waits while an environment does, and everybody who waits can count on one.
        if !books.waiting.is_empty() {
            assert!(books.idle.is_empty() && (books.ready.is_empty() || books.releasing > 0));
        }
        assert!(books.waiting.len() <= books.starting + books.releasing, "a request waits for nothing");
        // Requests: each is waiting, was handed to an environment, or was refused.
        assert_eq!(self.requests, books.waiting.len() + self.served.len() + self.failed);
        // What is kept.
        let kept = count(&|member| member.kept);
        let allocation = books.keep.allocation();
        let kept_starting = count(&|member| member.kept && member.standing == Standing::Starting);
        assert_eq!(usize::try_from(allocation.allocated).unwrap(), kept - kept_starting);
        assert!(kept <= usize::try_from(allocation.requested).unwrap());
        if allocation.status == AllocationStatus::InProgress {
            assert_eq!(self.pool.slots.count(), 0);
        }
        assert!(self.pool.slots.count() <= allocation.requested);
        // Turns come back, and memory is that of those that may go.
        assert!(self.turns.available_permits() + starting >= TURNS);
        drop(books);
        let held = self.pool.idle().iter().map(|entry| entry.held.memory_bytes).sum::<u64>();
        assert_eq!(self.idle_memory.held_bytes(), held);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_books_balance_whatever_happens(events in proptest::collection::vec(happens(), 1..120)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
        }
    }
}
