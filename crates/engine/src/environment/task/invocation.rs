//! One invocation in its environment: taken, delivered, answered, settled.

use std::sync::atomic::Ordering;

use domain::{Timestamp, limits};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Current, Environment, Settlement};
use crate::environment::deadlines::Due;
use crate::environment::outcome::{self, Circumstances};
use crate::environment::state::{Event, Phase, Verdict};
use crate::isolation::Usage;
use crate::logs::{Phase as InitPhase, Report, Status};
use crate::placement::{Held, Job, Offered};
use crate::{Outcome, Start, runtime_api};

impl Environment {
    pub(super) fn take(&mut self, job: Box<Job>) -> Uuid {
        let id = job.invocation.request_id;
        if job.invocation.tail {
            self.journal.start_tail();
        }
        self.deadlines.set(Due::Invocation, Instant::now() + self.pool.version.timeout);
        self.deadlines.clear(Due::Rest);
        self.deadlines.clear(Due::Expiry);
        self.job = Some(Current { job, begun: None, deadline: Timestamp::default(), streamed_bytes: None });
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
        current.deadline = now.plus(self.pool.version.timeout);
        if let Some(line) = self.platform.start(now, current.job.invocation.request_id) {
            self.journal.write(line);
        }
    }

    pub(super) fn deliver(&mut self) {
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
            trace_id: invocation
                .trace_header
                .take()
                .unwrap_or_else(|| runtime_api::untraced(invocation.request_id, self.journal.now())),
            client_context: invocation.client_context.take(),
            cognito_identity: invocation.cognito_identity.take(),
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
    }

    /// Tells the caller. Whatever else there is to do comes after that, except for what the tail must hold.
    pub(super) fn answer(&mut self, id: Uuid, verdict: Verdict) {
        let Some(Current { job, begun, streamed_bytes, .. }) = self.job.take() else { return };
        let Job { invocation, permit, reply, stream: _ } = *job;
        self.stream_end = None;
        self.deadlines.clear(Due::Truncation);
        let duration = match verdict {
            Verdict::TimedOut => self.pool.version.timeout,
            _ => begun.map(|begun| begun.elapsed()).unwrap_or_default(),
        };
        let ruling = outcome::rule(
            verdict,
            Circumstances {
                request_id: id,
                version: &self.pool.version,
                posted: self.posted.take(),
                exit: self.exited,
                fault: self.fault.as_deref(),
                bytes_max: match streamed_bytes {
                    Some(_) => self.engine.options.limits.stream_bytes_max,
                    None => limits::SYNC_RESPONSE_BYTES,
                },
            },
        );
        self.report_failed_init(&ruling.as_ref().map_or(Status::Success, |ruling| ruling.status.clone()));
        let init = self.unreported_init.take();
        let status = match &ruling {
            Ok(ruling) => ruling.status.clone(),
            Err(_) => Status::Error("Sandbox.Failure".to_owned()),
        };
        self.unsettled = Some(Settlement {
            request_id: id,
            duration,
            init,
            produced_bytes: match streamed_bytes {
                Some(bytes) => bytes.load(Ordering::Relaxed),
                None => ruling.as_ref().map_or(0, |ruling| ruling.payload.len()),
            },
            status,
        });
        let mut log_tail = None;
        if invocation.tail {
            self.measure();
            self.settle();
            log_tail = self.journal.take_tail();
        }
        // Before the caller can send another request, which may count on the permit and on this environment.
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
        });
        // A caller that has gone does not matter: the invocation is over all the same.
        let _ = reply.send(outcome);
        if !invocation.tail {
            self.measure();
        }
    }

    /// Everything the function has printed for this invocation, then END and REPORT.
    pub(super) fn settle(&mut self) {
        let Some(settlement) = self.unsettled.take() else { return };
        // A child that was killed for its memory is the function's affair once the function has answered.
        self.oom_kills_seen = self.usage.oom_kills;
        self.drain();
        let report = Report {
            request_id: settlement.request_id,
            duration: settlement.duration,
            init: settlement.init,
            memory_bytes_max: self.usage.memory_bytes_max,
            produced_bytes: settlement.produced_bytes,
            status: &settlement.status,
        };
        let at = self.journal.now();
        let lines = [self.platform.end(at, &report), self.platform.report(at, &report)];
        lines.into_iter().flatten().for_each(|line| self.journal.write(line));
    }

    pub(super) fn offer(&mut self) {
        for due in [Due::Init, Due::Invocation, Due::Release] {
            self.deadlines.clear(due);
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
                self.deadlines.set(Due::Expiry, Instant::now() + self.engine.options.limits.idle_age);
            }
            Offered::Stop => self.follow_ups.push_back(Event::Retire),
        }
    }
}
