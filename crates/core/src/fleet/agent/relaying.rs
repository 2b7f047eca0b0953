//! Passing requests on ([001]): to the best of one's share, at once, and what is done about those who can't be reached.

use super::Agent;
use super::contract::{AgentOutput, JobState, PostAnswer, PostId, TicketId};
use super::ms;
use crate::fleet::shares::{deal, promote};
use crate::ids::{AgentId, RequestId};
use crate::time::Time;
use crate::wire::fleet::request::{OpenRequest, Signed, Target, Terms, TransportRequest};
use crate::wire::fleet::{FromAgent, UNREACHED_MAX};

/// Most requests on their way to others. Of those beyond the tracker is told at once.
const POSTS_MAX: usize = 256;
/// So many relays try to reach a target; then the tracker does.
const TRIES_MAX: u8 = 2;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Post {
    request: RequestId,
    terms: Signed<Terms>,
    to: Target,
    share: Vec<Target>,
}

impl Agent {
    /// Another agent sent something. It is believed for what the tracker signed, once, and until its time is over.
    pub(super) fn posted(&mut self, ticket: TicketId, text: &str, now: Time) {
        let answer = match self.believe(text, now) {
            Ok(open) => {
                let known = self.jobs.get(&open.terms.id);
                match known.map(|job| (job.state, job.terms.round >= open.terms.round)) {
                    // A copy: nobody is told or asked anything because of it.
                    Some((JobState::Done, _)) | Some((_, true)) => PostAnswer::Known,
                    _ => {
                        self.take(open, now);
                        PostAnswer::Taken
                    }
                }
            }
            Err(reason) => PostAnswer::Refused(reason),
        };
        self.outputs.push_back(AgentOutput::Answer { ticket, answer });
    }

    fn believe(&self, text: &str, now: Time) -> Result<OpenRequest, String> {
        let key = self.tracker.ok_or("no tracker has let this machine in yet")?;
        let open = TransportRequest::decode(text).and_then(|request| request.open(&key));
        let open = open.map_err(|error| error.to_string())?;
        match () {
            () if open.to.agent != self.id() => Err("the request is for another machine".to_owned()),
            () if open.terms.active_until_ms <= ms(now) => Err("the time of the request is over".to_owned()),
            () => Ok(open),
        }
    }

    /// Tells the best of a share, each with its share of it.
    pub(super) fn pass_on(&mut self, terms: &Terms, signed: &Signed<Terms>, targets: Vec<Target>) {
        let own = self.id();
        let targets = targets.into_iter().filter(|target| target.entry.agent != own).collect();
        let mut unreached = Vec::new();
        for (to, share) in deal(targets, terms.fan_out) {
            unreached.extend(self.post(Post { request: terms.id, terms: signed.clone(), to, share }));
        }
        self.tell_unreached(terms.id, &unreached);
    }

    /// Sends a request, to the first of the share whom there is a way to. Gives back whom the tracker must tell.
    fn post(&mut self, mut post: Post) -> Vec<AgentId> {
        let mut unreached = Vec::new();
        loop {
            let is_reachable = post.to.signed.tried < TRIES_MAX && self.posts.len() < POSTS_MAX;
            if let Some(address) = post.to.entry.address.filter(|_| is_reachable) {
                let id = PostId(self.posts_named);
                self.posts_named += 1;
                let targets = post.share.iter().map(|target| target.signed.clone()).collect();
                let request = TransportRequest { terms: post.terms.clone(), to: post.to.signed.clone(), targets };
                self.outputs.push_back(AgentOutput::Post { post: id, address, text: request.encode() });
                self.posts.insert(id, post);
                return unreached;
            }
            unreached.push(post.to.entry.agent);
            if post.share.is_empty() {
                return unreached;
            }
            post.to = post.share.remove(0);
        }
    }

    /// A target that was not reached is moved down, and the next best of its share promoted; one that was tried twice, or
    /// has nobody below it, is the tracker's affair.
    pub(super) fn post_ended(&mut self, id: PostId, is_there: bool) {
        let Some(Post { request, terms, mut to, share }) = self.posts.remove(&id) else { return };
        if is_there {
            return;
        }
        to.signed.tried = to.signed.tried.saturating_add(1);
        let is_given_up = to.signed.tried >= TRIES_MAX;
        let unreached = match if is_given_up { Ok((to, share)) } else { promote(to, share) } {
            Ok((to, share)) => self.post(Post { request, terms, to, share }),
            Err(alone) => vec![alone.entry.agent],
        };
        self.tell_unreached(request, &unreached);
    }

    fn tell_unreached(&mut self, request: RequestId, unreached: &[AgentId]) {
        for agents in unreached.chunks(UNREACHED_MAX) {
            self.say(&FromAgent::Unreached { request, agents: agents.to_vec() });
        }
    }
}
