//! One invocation in its environment: taken, delivered, answered, settled.

use std::sync::atomic::Ordering;

use domain::{Clock as _, SystemClock, Timestamp, TracingMode, limits};
use tokio::time::Instant;
use uuid::Uuid;

use std::time::Duration;

use super::{Current, Environment, Settlement};
use crate::environment::deadlines::Due;
use crate::environment::outcome::{self, Circumstances};
use crate::environment::state::{Event, Phase, Verdict};
use crate::isolation::Usage;
use crate::logs::{Phase as InitPhase, Report, Said, Span, Status};
use crate::observation::Observed;
use crate::placement::{Held, Job, Offered};
use crate::{Initialization, Outcome, Start, runtime_api, trace};

impl Environment {
    pub(super) fn take(&mut self, job: Box<Job>) -> Uuid {
        let id = job.invocation.request_id;
        if job.invocation.tail {
            self.journal.start_tail();
        }
        self.deadlines.set(Due::Invocation, Instant::now() + self.pool.version.timeout);
        self.deadlines.clear(Due::Rest);
        self.deadlines.clear(Due::Expiry);
        // What it was held ready for has come.
        self.ahead &= self.initialization == Initialization::Provisioned;
        if let Some(extensions) = &mut self.extensions {
            extensions.stay_awake();
        }
        self.job = Some(Current {
            job,
            begun: None,
            deadline: Timestamp::default(),
            streamed_bytes: None,
            streaming_since: None,
            trace: None,
        });
        id
    }

    /// The invocation's time and log begin, once.
    pub(super) fn begin_invocation(&mut self) {
        let Some(current) = &mut self.job else { return };
        if current.begun.is_some() {
            return;
        }
        let now = self.journal.now();
        current.begun = Some(Instant::now());
        // Functions compare it with the machine's clock, even where Hearth's is another.
        current.deadline = SystemClock.now().plus(self.pool.version.timeout);
        let invocation = &mut current.job.invocation;
        let (id, mode) = (invocation.request_id, self.pool.version.tracing);
        let header = trace::outgoing(invocation.trace_header.take(), mode, id, now);
        if self.extensions.is_some() || (mode == TracingMode::Active && trace::sampled(&header).is_some()) {
            current.trace = Some(header.clone());
        }
        if let Some(extensions) = &mut self.extensions {
            extensions.prepare(invocation, &header, current.deadline);
        }
        invocation.trace_header = Some(header);
        let (trace, tenant) = (current.trace.take(), invocation.tenant_id.clone());
        self.say(Said::Start { request_id: id, tenant: tenant.as_deref(), trace: trace.as_deref() });
        if let Some(current) = &mut self.job {
            current.trace = trace;
        }
    }

    pub(super) fn deliver(&mut self) {
        if self.restore_first() {
            return;
        }
        self.begin_invocation();
        if self.starting_since.is_some() {
            self.init_ended(InitPhase::Invoke, &Status::Success);
        }
        let (Some(current), Some(parked)) = (&mut self.job, self.parked.take()) else { return };
        let invocation = &mut current.job.invocation;
        let event = runtime_api::Event {
            request_id: invocation.request_id,
            deadline_epoch_ms: current.deadline.epoch_ms(),
            invoked_arn: std::mem::take(&mut invocation.invoked_arn),
            trace_id: invocation.trace_header.take().unwrap_or_default(),
            client_context: invocation.client_context.take(),
            cognito_identity: invocation.cognito_identity.take(),
            tenant_id: invocation.tenant_id.clone(),
            payload: std::mem::take(&mut invocation.payload),
        };
        if let Err(Ok(event)) = parked.send(Ok(event)) {
            // The connection closed in this moment. The runtime will ask again, or die.
            invocation.invoked_arn = event.invoked_arn;
            invocation.trace_header = Some(event.trace_id);
            invocation.client_context = event.client_context;
            invocation.cognito_identity = event.cognito_identity;
            invocation.payload = event.payload;
            self.follow_ups.push_back(Event::NextDropped);
        }
        self.announce_restored();
    }

    /// Tells the caller. Whatever else there is to do comes after that, except for what the tail must hold.
    pub(super) fn answer(&mut self, id: Uuid, verdict: Verdict) {
        let Some(Current { job, begun, streamed_bytes, streaming_since, trace, .. }) = self.job.take() else {
            return;
        };
        let not_restored = self.take_restore_failure(verdict);
        let Job { invocation, permit, reply, stream: _ } = *job;
        self.stream_end = None;
        self.deadlines.clear(Due::Truncation);
        let duration = match verdict {
            Verdict::TimedOut => self.pool.version.timeout,
            _ => begun.map(|begun| begun.elapsed()).unwrap_or_default(),
        };
        let circumstances = Circumstances {
            request_id: id,
            version: &self.pool.version,
            posted: self.posted.take(),
            exit: self.exited,
            fault: self.fault.as_deref(),
            extension: self.extensions.as_ref().and_then(|extensions| extensions.how_it_ended()),
            bytes_max: match streamed_bytes {
                Some(_) => self.engine.options.limits.stream_bytes_max,
                None => limits::SYNC_RESPONSE_BYTES,
            },
        };
        // Where nothing began, there is no REPORT.
        let is_reported = begun.is_some() || not_restored.is_none();
        let ruling = match not_restored {
            Some(error) => Err(error),
            None => outcome::rule(verdict, circumstances),
        };
        self.report_failed_init(&ruling.as_ref().map_or(Status::Success, |ruling| ruling.status.clone()));
        let init = self.unreported_init.take();
        let restore = self.restore.as_mut().and_then(|restore| restore.unreported.take());
        let status = match &ruling {
            Ok(ruling) => ruling.status.clone(),
            Err(_) => Status::Error("Sandbox.Failure".to_owned()),
        };
        self.unsettled = is_reported.then(|| Settlement {
            request_id: id,
            tenant: invocation.tenant_id,
            begun,
            streaming_since,
            answered: Instant::now(),
            runtime_done: None,
            trace,
            duration,
            init,
            restore,
            produced_bytes: match streamed_bytes {
                Some(bytes) => bytes.load(Ordering::Relaxed),
                None => ruling.as_ref().map_or(0, |ruling| ruling.payload.len()),
            },
            status,
            witness: match self.state.has_invoke_extensions() {
                true => reply.witness.clone(),
                false => None,
            },
        });
        let mut log_tail = None;
        if invocation.tail {
            self.settle();
            log_tail = self.journal.take_tail();
        }
        // Before the caller can send another request, which may count on the permit and on this environment.
        let capacity = permit.capacity();
        drop(permit);
        if !matches!(verdict, Verdict::Broken | Verdict::Aborted) {
            self.pool.releasing(self.id);
        }
        if matches!(self.state.phase(), Phase::Responded { .. }) {
            self.deadlines.set(Due::Release, Instant::now() + self.engine.options.limits.release_grace);
        }
        let outcome = ruling.map(|ruling| Outcome {
            payload: ruling.payload,
            function_error: ruling.function_error,
            log_tail,
            start: init.map_or(Start::Warm, |init| Start::Cold { init }),
            duration,
            capacity,
        });
        reply.send(outcome);
    }

    /// Everything the function has printed for this invocation, then END and REPORT.
    pub(super) fn settle(&mut self) {
        self.runtime_done();
        let Some(mut settlement) = self.unsettled.take() else { return };
        // Extensions are the function's time, too.
        if self.state.has_invoke_extensions()
            && settlement.status != Status::Timeout
            && let Some(begun) = settlement.begun
        {
            settlement.duration = begun.elapsed();
        }
        if let (Some(witness), Some(done)) = (&settlement.witness, settlement.runtime_done) {
            witness.tell(Observed::ExtensionsDone(done.elapsed()));
        }
        self.say_of(&settlement, true);
    }

    /// The runtime has done its part, whether extensions have or not. Said once.
    pub(super) fn runtime_done(&mut self) {
        let Some(mut settlement) = self.unsettled.take() else { return };
        if settlement.runtime_done.is_none() {
            // Not with the answer, which would leave only after the kernel has told all this.
            self.measure();
            // A child that was killed for its memory is the function's affair once the function has answered.
            self.oom_kills_seen = self.usage.oom_kills;
            self.drain();
            self.say_of(&settlement, false);
            settlement.runtime_done = Some(Instant::now());
        }
        self.unsettled = Some(settlement);
    }

    /// What an invocation came to: of the runtime's part, or of the whole.
    fn say_of(&mut self, settlement: &Settlement, whole: bool) {
        let now = Now { at: self.journal.now(), instant: Instant::now() };
        let spans = match &self.extensions {
            Some(_) if whole => settlement.spans_of_extensions(now),
            Some(_) => settlement.spans_of_runtime(now),
            None => Vec::new(),
        };
        let report = Report {
            request_id: settlement.request_id,
            duration: settlement.duration,
            init: settlement.init,
            restore: settlement.restore,
            memory_bytes_max: self.usage.memory_bytes_max,
            produced_bytes: settlement.produced_bytes,
            status: &settlement.status,
            trace: settlement.trace.as_deref(),
            spans: &spans,
            tenant: settlement.tenant.as_deref(),
        };
        self.say(if whole { Said::Report(&report) } else { Said::RuntimeDone(&report) });
    }

    /// The invocation that was answered ended otherwise all the same.
    pub(super) fn amend(&mut self, verdict: Verdict) {
        let Some(settlement) = &mut self.unsettled else { return };
        match verdict {
            Verdict::TimedOut => {
                settlement.status = Status::Timeout;
                settlement.duration = self.pool.version.timeout;
            }
            Verdict::Extension(failure) => {
                settlement.status = Status::Error(outcome::extension_failure_type(failure).to_owned());
            }
            _ => {}
        }
    }

    pub(super) fn offer(&mut self) {
        for due in [Due::Init, Due::Invocation, Due::Release] {
            self.deadlines.clear(due);
        }
        if self.state.phase() == Phase::Vacant && self.is_ahead() {
            self.follow_ups.push_back(Event::Retire);
            return;
        }
        if self.usage == Usage::default() {
            self.measure();
        }
        let held = Held { memory_bytes: self.usage.memory_bytes, init: self.init };
        match self.pool.offer(self.id, held) {
            Offered::Job(job) => {
                let id = self.take(job);
                self.follow_ups.push_back(Event::Assigned(id));
            }
            Offered::Wait => {
                let limits = &self.engine.options.limits;
                self.deadlines.set(Due::Expiry, Instant::now() + limits.idle_age);
                self.deadlines.set(Due::Rest, Instant::now() + limits.freeze_after);
            }
            Offered::Keep => {
                self.deadlines.set(Due::Rest, Instant::now() + self.engine.options.limits.freeze_after);
            }
            Offered::Stop => self.follow_ups.push_back(Event::Retire),
        }
    }
}

impl Settlement {
    fn spans_of_runtime(&self, now: Now) -> Vec<Span> {
        let Some(begun) = self.begun else { return Vec::new() };
        let first = self.streaming_since.unwrap_or(self.answered);
        vec![
            now.span("responseLatency", begun, first),
            now.span("responseDuration", first, self.answered),
            now.span("runtimeOverhead", self.answered, now.instant),
        ]
    }

    fn spans_of_extensions(&self, now: Now) -> Vec<Span> {
        let done = self.runtime_done.map(|done| now.span("extensionOverhead", done, now.instant));
        done.into_iter().collect()
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy)]
struct Now {
    at: Timestamp,
    instant: Instant,
}

impl Now {
    fn span(self, name: &'static str, start: Instant, end: Instant) -> Span {
        let ago = self.instant.saturating_duration_since(start);
        let ago_ms = i64::try_from(ago.as_millis()).unwrap_or_default();
        let duration: Duration = end.saturating_duration_since(start);
        Span { name, start: Timestamp(self.at.epoch_ms() - ago_ms), duration }
    }
}
