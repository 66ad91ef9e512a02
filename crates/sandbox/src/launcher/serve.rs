//! The launcher's loop: requests in, one at a time by urgency, replies out.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};

use super::create::{self, Made, Making, Means};
use super::users::User;
use super::volumes::Volumes;
use super::{Prepared, mounts, sys, template};
use crate::cgroup::Group;
use crate::channel;
use crate::message::{self, Fd, Location, Reply, Request};
use crate::spec::{Limits, TemplateSpec};

/// How soon to look again at groups that still have dying processes.
const REMOVE_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
/// A template for each runtime is enough; each keeps mounts, which no limit of the server's counts.
const TEMPLATES_MAX: u32 = 1024;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

pub(super) struct Server {
    socket: OwnedFd,
    ended: OwnedFd,
    means: Prepared,
    templates: Vec<OwnedFd>,
    sandboxes: HashMap<u64, Sandbox>,
    next_sandbox: u64,
    queue: Queue,
}

struct Sandbox {
    user: User,
    group: Group,
    state: State,
}

enum State {
    /// Its init sets itself up; the creation's request waits.
    Making {
        making: Making,
        request: u64,
    },
    Made(Made),
    /// Killed; these requests wait for its end.
    Dying {
        child: sys::Child,
        requests: Vec<u64>,
        reaped: bool,
    },
}

/// Requests by urgency: a request waits for a specialisation, nobody waits for a destruction.
#[derive(Default)]
struct Queue {
    specialise: VecDeque<(u64, Request)>,
    make: VecDeque<(u64, Request)>,
    destroy: VecDeque<(u64, Request)>,
}

impl Queue {
    fn push(&mut self, id: u64, request: Request) {
        match request {
            Request::Specialise { .. } => self.specialise.push_back((id, request)),
            Request::Template(_) | Request::Create { .. } => self.make.push_back((id, request)),
            Request::Destroy { .. } => self.destroy.push_back((id, request)),
        }
    }

    fn pop(&mut self) -> Option<(u64, Request)> {
        self.specialise.pop_front().or_else(|| self.make.pop_front()).or_else(|| self.destroy.pop_front())
    }
}

impl Server {
    pub(super) fn new(socket: OwnedFd, ended: OwnedFd, means: Prepared) -> Self {
        Self {
            socket,
            ended,
            means,
            templates: Vec::new(),
            sandboxes: HashMap::new(),
            next_sandbox: 1,
            queue: Queue::default(),
        }
    }

    /// Until the server is gone; then everything made here goes too.
    pub(super) fn run(mut self) -> Result<(), String> {
        while self.receive() {
            let busy = match self.queue.pop() {
                Some((id, request)) => {
                    self.perform(id, request);
                    true
                }
                // One at a time, so that a request that arrives meanwhile waits no longer than that.
                None => self.means.users.prepare_one() || self.prepare_volume(),
            };
            if !self.attend(busy)? {
                break;
            }
        }
        self.end();
        Ok(())
    }

    fn prepare_volume(&mut self) -> bool {
        self.means.volumes.as_mut().is_some_and(Volumes::prepare_one)
    }

    /// Queues every request that has arrived; false when the server has closed the socket.
    fn receive(&mut self) -> bool {
        loop {
            let packet = match channel::receive(&self.socket, RecvFlags::DONTWAIT) {
                Ok(Some(packet)) => packet,
                Ok(None) => return false,
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            };
            match message::decode::<Request>(&packet.bytes) {
                Ok((id, request)) => match request.check() {
                    Ok(()) => self.queue.push(id, request),
                    Err(error) => self.reply(id, &Reply::Failed(error), &[]),
                },
                // Whoever sent it cannot be told: its id is not known.
                Err(error) => self.reply(0, &Reply::Failed(error.to_string()), &[]),
            }
        }
    }

    fn perform(&mut self, id: u64, request: Request) {
        let result = match request {
            Request::Template(spec) => self.template(&spec).map(Some),
            Request::Create { template, limits, tmp_mib } => {
                self.create(id, template, limits, tmp_mib).map(|()| None)
            }
            Request::Specialise { sandbox, task, opt, tmp_mib } => {
                self.specialise(sandbox, &task, opt.as_ref(), tmp_mib).map(Some)
            }
            Request::Destroy { sandbox } => Ok(self.destroy(id, sandbox)),
        };
        match result {
            Ok(Some(reply)) => self.reply(id, &reply, &[]),
            // Its reply follows when it is done.
            Ok(None) => {}
            Err(error) => self.reply(id, &Reply::Failed(error), &[]),
        }
    }

    fn template(&mut self, spec: &TemplateSpec) -> Result<Reply, String> {
        let template = u32::try_from(self.templates.len()).ok().filter(|count| *count < TEMPLATES_MAX);
        let template = template.ok_or("too many templates")?;
        self.templates.push(template::build(spec, self.means.users.files.as_ref(), self.means.nested)?);
        Ok(Reply::Template { template })
    }

    fn create(&mut self, request: u64, template: u32, limits: Limits, tmp_mib: u32) -> Result<(), String> {
        let volume = self.means.volumes.as_mut().map(|volumes| volumes.take(tmp_mib)).transpose()?;
        let template = usize::try_from(template).ok().and_then(|index| self.templates.get(index));
        let means = Means {
            rights: self.means.rights,
            home: &self.means.home,
            template: template.ok_or("no such template")?,
            filter: &self.means.filter,
            net: self.means.net,
            limit_processes: self.means.limit_processes,
            limits,
            tmp_mib,
            volume,
        };
        let id = self.next_sandbox;
        self.next_sandbox += 1;
        let user = self.means.users.take()?;
        let (mut group, controls) = match self.means.groups.create(&format!("s{id}")) {
            Ok(created) => created,
            Err(error) => {
                self.means.users.give_back(user);
                return Err(error);
            }
        };
        let started = controls.set_limits(&limits).map_err(|error| format!("limit a sandbox: {error}"));
        match started.and_then(|()| Making::start(means, &user, &group, controls)) {
            Ok(making) => {
                group.joined();
                self.sandboxes.insert(id, Sandbox { user, group, state: State::Making { making, request } });
                Ok(())
            }
            Err(error) => {
                group.remove();
                self.means.users.give_back(user);
                Err(error)
            }
        }
    }

    fn specialise(
        &mut self,
        sandbox: u64,
        task: &Location,
        opt: Option<&Location>,
        tmp_mib: u32,
    ) -> Result<Reply, String> {
        let Some(Sandbox { state: State::Made(made), .. }) = self.sandboxes.get_mut(&sandbox) else {
            return Err("no such sandbox".into());
        };
        let roots = &self.means.roots;
        let open = |location: &Location| {
            let root = roots.get(location.root).ok_or("no such root")?;
            mounts::open_below(root, &location.path)
                .map_err(|error| format!("open {:?}: {error}", location.path))
        };
        let (task, opt) = (open(task)?, opt.map(open).transpose()?);
        let volumes = self.means.volumes.as_mut();
        made.specialise(
            &self.means.home,
            self.means.users.files.as_ref(),
            &task,
            opt.as_ref(),
            tmp_mib,
            volumes,
        )?;
        Ok(Reply::Specialised)
    }

    /// Kills it; the reply comes at once only when there is nothing to wait for.
    fn destroy(&mut self, request: u64, id: u64) -> Option<Reply> {
        let Some(mut sandbox) = self.sandboxes.remove(&id) else { return Some(Reply::Destroyed) };
        let (child, mut requests, reaped) = match sandbox.state {
            State::Making { making, request } => {
                self.reply(request, &Reply::Failed("the sandbox was destroyed".into()), &[]);
                (making.into_child(), Vec::new(), false)
            }
            State::Made(made) => (made.end(&self.means.home), Vec::new(), false),
            State::Dying { child, requests, reaped } => (child, requests, reaped),
        };
        create::kill(&child, &sandbox.group);
        requests.push(request);
        sandbox.state = State::Dying { child, requests, reaped };
        self.sandboxes.insert(id, sandbox);
        None
    }

    /// Finishes what others have done, unless `busy` waiting until there is something; false when the server has
    /// died.
    fn attend(&mut self, busy: bool) -> Result<bool, String> {
        let mut waits =
            vec![PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.ended, PollFlags::IN)];
        let (mut waiting, mut again) = (Vec::new(), false);
        for (id, sandbox) in &self.sandboxes {
            match &sandbox.state {
                State::Making { making, .. } => waits.push(PollFd::new(&making.set_up, PollFlags::IN)),
                State::Dying { child, reaped: false, .. } => {
                    waits.push(PollFd::new(&child.pidfd, PollFlags::IN))
                }
                State::Dying { reaped: true, .. } => {
                    again = true;
                    continue;
                }
                State::Made(_) => continue,
            }
            waiting.push(*id);
        }
        let timeout = match (busy, again) {
            (true, _) => Some(&AT_ONCE),
            (false, true) => Some(&REMOVE_AGAIN),
            (false, false) => None,
        };
        match poll(&mut waits, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("poll: {error}")),
        }
        if !waits[1].revents().is_empty() {
            return Ok(false);
        }
        let ready: Vec<_> = waits[2..].iter().map(|wait| !wait.revents().is_empty()).collect();
        for (id, _) in waiting.into_iter().zip(ready).filter(|(_, ready)| *ready) {
            self.advance(id);
        }
        if again {
            self.remove_again();
        }
        Ok(true)
    }

    /// Takes the next step of a sandbox that was waited for.
    fn advance(&mut self, id: u64) {
        let Some(mut sandbox) = self.sandboxes.remove(&id) else { return };
        match sandbox.state {
            State::Making { making, request } => {
                sandbox.state = match making.finish() {
                    Ok((made, fds)) => {
                        let (kinds, fds): (Vec<Fd>, Vec<OwnedFd>) = fds.into_iter().unzip();
                        self.reply(request, &Reply::Created { sandbox: id, fds: kinds }, &fds);
                        State::Made(made)
                    }
                    Err(create::Failed { child, error }) => {
                        create::kill(&child, &sandbox.group);
                        self.reply(request, &Reply::Failed(error), &[]);
                        State::Dying { child, requests: Vec::new(), reaped: false }
                    }
                };
                self.sandboxes.insert(id, sandbox);
            }
            State::Dying { child, requests, .. } => {
                // It fails only if someone else reaped it, which nobody does.
                let _ = sys::reap(&child);
                sandbox.state = State::Dying { child, requests, reaped: true };
                self.sandboxes.insert(id, sandbox);
                self.bury(id);
            }
            State::Made(_) => {
                self.sandboxes.insert(id, sandbox);
            }
        }
    }

    /// Removes the groups of a sandbox whose processes are gone, and frees its slot.
    fn bury(&mut self, id: u64) {
        let Some(sandbox) = self.sandboxes.get_mut(&id) else { return };
        if !sandbox.group.remove() {
            return;
        }
        let Some(Sandbox { user, state: State::Dying { requests, .. }, .. }) = self.sandboxes.remove(&id)
        else {
            return;
        };
        self.means.users.give_back(user);
        for request in requests {
            self.reply(request, &Reply::Destroyed, &[]);
        }
    }

    fn remove_again(&mut self) {
        let reaped = |sandbox: &Sandbox| matches!(sandbox.state, State::Dying { reaped: true, .. });
        let ids: Vec<u64> =
            self.sandboxes.iter().filter(|(_, sandbox)| reaped(sandbox)).map(|(id, _)| *id).collect();
        for id in ids {
            self.bury(id);
        }
    }

    /// A reply that cannot be sent has nobody to read it: the loop then sees the end of the socket.
    fn reply(&self, id: u64, reply: &Reply, fds: &[OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let _ = channel::send(&self.socket, &message::encode(id, reply), &fds, SendFlags::empty());
    }

    /// Kills and removes everything.
    fn end(mut self) {
        let ids: Vec<u64> = self.sandboxes.keys().copied().collect();
        for id in &ids {
            self.destroy(0, *id);
        }
        for mut sandbox in self.sandboxes.into_values() {
            if let State::Dying { child, reaped: false, .. } = &sandbox.state {
                let _ = sys::reap(child);
            }
            // What stays is swept at the next start.
            sandbox.group.remove();
        }
        self.means.groups.remove();
    }
}
