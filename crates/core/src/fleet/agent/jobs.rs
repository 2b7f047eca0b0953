//! What is to be got: begun in time and in turn, acknowledged, remembered, and not done twice.

use super::contract::{AgentEvent, AgentOutput, Finish, JobState, SavedJob};
use super::{Agent, ms};
use crate::ids::RequestId;
use crate::time::Time;
use crate::wire::fleet::request::{OpenRequest, Signed, Terms};
use crate::wire::fleet::{FromAgent, cut_reason};

/// A delivery at this machine.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) terms: Terms,
    pub(super) state: JobState,
    told_ms: u64,
}

impl Agent {
    /// Takes up what an earlier process kept. What it was getting is begun again, before the tracker is even reached.
    pub(super) fn restore(&mut self, kept: Vec<SavedJob>, now: Time) {
        for SavedJob { terms, state } in kept {
            if terms.active_until_ms <= ms(now) {
                self.outputs.push_back(AgentOutput::Forget(terms.id));
                continue;
            }
            let state = if state == JobState::Running { JobState::Queued } else { state };
            self.jobs.insert(terms.id, Job { terms, state, told_ms: 0 });
        }
        self.start_due(now);
    }

    /// Takes a request that is believed: passes it on, acknowledges it, and begins, in this order.
    pub(super) fn take(&mut self, open: OpenRequest, now: Time) {
        let OpenRequest { terms, signed_terms, targets, .. } = open;
        let passed_on = targets.len();
        self.pass_on(&terms, &signed_terms, targets);
        let (request, round) = (terms.id, terms.round);
        let known = self.jobs.get(&request).map(|job| job.state);
        if known.is_none() && !self.make_room() {
            let reason = "this machine remembers as many deliveries as it can".to_owned();
            return self.say(&FromAgent::Failed { request, round, reason });
        }
        self.say(&FromAgent::Got { request, round });
        match known {
            // The tracker has forgotten, or did not hear.
            Some(JobState::Done) => self.say(&FromAgent::Done { request, received_bytes: 0, time_ms: 0 }),
            Some(JobState::Queued | JobState::Running) => {
                if let Some(job) = self.jobs.get_mut(&request) {
                    job.terms.round = job.terms.round.max(round);
                }
            }
            Some(JobState::Failed) | None => {
                self.jobs.insert(request, Job { terms: terms.clone(), state: JobState::Queued, told_ms: 0 });
                self.save(request);
                self.outputs.push_back(AgentOutput::Event(AgentEvent::Requested { terms, passed_on }));
                self.start_due(now);
            }
        }
    }

    /// Forgets what is over, and if need be what is done and ends first; false if there is no room all the same.
    fn make_room(&mut self) -> bool {
        if self.jobs.len() < self.config.remembered_max {
            return true;
        }
        let settled = self.jobs.values().filter(|job| matches!(job.state, JobState::Done | JobState::Failed));
        let Some(first) = settled.min_by_key(|job| job.terms.active_until_ms).map(|job| job.terms.id) else {
            return false;
        };
        self.jobs.remove(&first);
        self.outputs.push_back(AgentOutput::Forget(first));
        true
    }

    /// The tracker asks to give what is here to others again.
    pub(super) fn feed(&mut self, terms: &Signed<Terms>) {
        let Some(Ok(terms)) = self.tracker.map(|key| terms.open(key.as_bytes())) else { return };
        if self.jobs.get(&terms.id).is_some_and(|job| job.state == JobState::Done) {
            self.outputs.push_back(AgentOutput::Feed(terms));
        }
    }

    pub(super) fn progress(&mut self, request: RequestId, have_bytes: u64, now: Time) {
        let Some(job) = self.jobs.get_mut(&request) else { return };
        let now_ms = ms(now);
        if now_ms.saturating_sub(job.told_ms) >= u64::from(job.terms.progress_ms) {
            job.told_ms = now_ms;
            self.say(&FromAgent::Progress { request, have_bytes });
        }
    }

    pub(super) fn finished(&mut self, request: RequestId, result: Result<Finish, String>, now: Time) {
        let Some(job) = self.jobs.get_mut(&request) else { return };
        job.state = if result.is_ok() { JobState::Done } else { JobState::Failed };
        let round = job.terms.round;
        self.save(request);
        match result {
            Ok(Finish { received_bytes, time_ms }) => {
                self.say(&FromAgent::Done { request, received_bytes, time_ms });
            }
            Err(reason) => self.say(&FromAgent::Failed { request, round, reason: cut_reason(&reason) }),
        }
        self.start_due(now);
    }

    /// Begins what may begin, and forgets what is over.
    pub(super) fn look_at_jobs(&mut self, now: Time) {
        let over = self.jobs.values().filter(|job| {
            // What is being got ends itself, and says so.
            job.state != JobState::Running && job.terms.active_until_ms <= ms(now)
        });
        for request in over.map(|job| job.terms.id).collect::<Vec<_>>() {
            self.jobs.remove(&request);
            self.outputs.push_back(AgentOutput::Forget(request));
        }
        self.start_due(now);
    }

    /// When a delivery may begin or is over.
    pub(super) fn next_job(&self) -> Option<Time> {
        let moments = self.jobs.values().filter(|job| job.state != JobState::Running).map(|job| {
            let from_ms = job.terms.active_from_ms.filter(|_| job.state == JobState::Queued && !self.is_full());
            from_ms.unwrap_or(job.terms.active_until_ms)
        });
        moments.min().map(Time::from_millis)
    }

    fn is_full(&self) -> bool {
        self.jobs.values().filter(|job| job.state == JobState::Running).count() >= self.config.jobs_max
    }

    fn start_due(&mut self, now: Time) {
        while !self.is_full() {
            let is_due = |job: &&mut Job| {
                job.state == JobState::Queued && job.terms.active_from_ms.is_none_or(|from_ms| from_ms <= ms(now))
            };
            let Some(job) = self.jobs.values_mut().find(is_due) else { return };
            job.state = JobState::Running;
            self.outputs.push_back(AgentOutput::Start(job.terms.clone()));
        }
    }

    fn save(&mut self, request: RequestId) {
        if let Some(job) = self.jobs.get(&request) {
            self.outputs.push_back(AgentOutput::Save(SavedJob { terms: job.terms.clone(), state: job.state }));
        }
    }
}
