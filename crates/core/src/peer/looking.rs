//! Looking others up ([003] claims 4 to 8), and answering who does.
//!
//! While the tracker is away, or has nobody for it, a peer that lacks neighbours looks into its own list first, and then
//! asks. It tells what it asks by an id that it draws; whoever hears of it answers with whom it knows, and passes it on
//! while that is few. Answers go back the way the ask came, and all on that way learn from them.
//!
//! Engines of several packages in one process are neighbours of each other ([`Way::Beside`]): what one is asked about
//! the package of another it passes on to it, and what that one asks goes along its links. So two that met through one
//! package find others by what they know.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | messages by one link | [`LINK_PER_S`] a second, [`LINK_AT_ONCE`] at once; an ask costs [`ASK_COSTS`] | dropped |
//! | asks passed on | [`PASSED_PER_S`] a second, [`PASSED_AT_ONCE`] at once, of all links together | answered, not passed on |
//! | links begun because others ask | [`SERVED_PER_S`] a second, [`SERVED_AT_ONCE`] at once | 'busy' |
//! | own asks | one in 0.5 to 1.5 s, then half as often each time, down to one in [`RETRY_MAX_MS`] | |
//! | holders in one answer | [`HOLDERS_MAX`] | the others are not told |
//! | hands through which a word goes | [`HANDS_MAX`] | dropped |

use core::time::Duration;

use bytes::Bytes;
use rand::{Rng, RngCore};

use super::carrying::Allowance;
use super::{Life, Output, Peer, Reason};
use crate::ids::{AskId, ContentId, LinkId};
use crate::lookup::{Asks, Directory, IS_BUILT, Policy, Relays, Way, Word};
use crate::time::Time;
use crate::wire::lookup::{Answer, Ask, HOLDERS_MAX, HOPS_MAX, Holder, LookupMessage, MESSAGE_BYTES_MAX, Reach};

/// Neighbours that have something to give, below which others are looked up while the tracker is away.
const USEFUL_WANTED: usize = 4;
/// So long nobody must have had anything to give before others are looked up although the tracker is there.
const TRACKER_HAS_NOBODY: Duration = Duration::from_secs(10);
/// Wait before the second ask; doubled each time, and drawn between half and one and a half of it.
const RETRY_MS: u64 = 1_000;
const RETRY_MAX_MS: u64 = 60_000;
/// The first ask comes within so long, so that not all ask at once.
const FIRST_MS: u64 = 500;
/// Messages by one link: so many more each second, and so many at once.
const LINK_PER_S: u32 = 16;
const LINK_AT_ONCE: u32 = 128;
/// An ask counts as much as so many messages: it may make others work.
const ASK_COSTS: u32 = 4;
/// Asks passed on.
const PASSED_PER_S: u32 = 8;
const PASSED_AT_ONCE: u32 = 64;
/// Links begun because others ask: each costs far more than the offer that asks for it.
const SERVED_PER_S: u32 = 1;
const SERVED_AT_ONCE: u32 = 8;
/// Whoever knows of so many does not pass an ask on that goes to all. One that goes to few is to come far.
const ENOUGH: usize = 4;
/// This peer and its neighbours in an answer; the rest of it is from the list.
const NEIGHBOURS_TOLD_MAX: usize = 5;
/// A word goes through no more hands than an ask and its answers can.
const HANDS_MAX: u8 = 2 * HOPS_MAX;

/// What is known of others, and what was asked.
#[derive(Debug)]
pub(super) struct Looking {
    pub(super) directory: Directory,
    pub(super) asks: Asks,
    pub(super) relays: Relays,
    allowances: Vec<(Way, Allowance)>,
    passed: Allowance,
    pub(super) served: Allowance,
    /// Asks since there was enough.
    attempts: u32,
    next_at: Time,
    /// Whether neighbours were lacking at the last look.
    is_lacking: bool,
}

impl Looking {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            directory: Directory::new(policy),
            asks: Asks::default(),
            relays: Relays::default(),
            allowances: Vec::new(),
            passed: Allowance::new(PASSED_AT_ONCE),
            served: Allowance::new(SERVED_AT_ONCE),
            attempts: 0,
            next_at: Time::ZERO,
            is_lacking: false,
        }
    }

    /// Whether so much more may come this way.
    pub(super) fn take(&mut self, way: Way, cost: u32) -> bool {
        if let Some((_, allowance)) = self.allowances.iter_mut().find(|(of, _)| *of == way) {
            return allowance.take(cost);
        }
        let mut allowance = Allowance::new(LINK_AT_ONCE);
        let is_enough = allowance.take(cost);
        self.allowances.push((way, allowance));
        is_enough
    }

    fn refill(&mut self) {
        self.allowances.iter_mut().for_each(|(_, allowance)| allowance.refill(LINK_PER_S, LINK_AT_ONCE));
        self.passed.refill(PASSED_PER_S, PASSED_AT_ONCE);
        self.served.refill(SERVED_PER_S, SERVED_AT_ONCE);
    }
}

impl Peer {
    /// What this peer gets and gives.
    pub(super) fn package(&self) -> ContentId {
        self.config.manifest.id()
    }

    /// Once a second.
    pub(super) fn look_after_lookup(&mut self, now: Time) {
        if !IS_BUILT {
            return;
        }
        self.looking.refill();
        self.look_over_found(now);
        self.look_up(now);
    }

    /// A link is gone, or the tracker: whoever lacks neighbours now looks for others soon.
    pub(super) fn look_up_soon(&mut self, now: Time) {
        if IS_BUILT && self.config.lookup.is_on && self.may_look_up() && self.is_tracker_away() {
            self.looking.is_lacking = true;
            self.looking.attempts = 0;
            self.looking.next_at = now + Duration::from_millis(self.rng.random_range(0..FIRST_MS));
            self.timers.set_if_sooner(Reason::LookUp, self.looking.next_at);
        }
    }

    /// Looks others up, if that is due: first in the list, then by asking.
    pub(super) fn look_up(&mut self, now: Time) {
        let lacking = if IS_BUILT { self.lacking(now) } else { 0 };
        if lacking == 0 {
            (self.looking.attempts, self.looking.is_lacking) = (0, false);
            return;
        }
        if !self.looking.is_lacking {
            self.looking.is_lacking = true;
            let patience = if self.is_tracker_away() { Duration::ZERO } else { TRACKER_HAS_NOBODY };
            self.looking.next_at = now + patience + Duration::from_millis(self.rng.random_range(0..FIRST_MS));
        }
        if self.looking.next_at > now {
            return self.timers.set_if_sooner(Reason::LookUp, self.looking.next_at);
        }
        if self.meet_found(lacking, now) < lacking {
            self.ask_others(now);
        }
    }

    fn may_look_up(&self) -> bool {
        self.life == Life::Running && !self.holdings.has_all_groups()
    }

    /// How many neighbours more there should be, those that are being met left aside.
    fn lacking(&self, now: Time) -> usize {
        if !self.config.lookup.is_on || !self.may_look_up() {
            return 0;
        }
        let is_away = self.is_tracker_away();
        let wanted = if is_away { USEFUL_WANTED } else { 1 };
        if !is_away && self.payload_at.is_some_and(|at| now - at < TRACKER_HAS_NOBODY) {
            return 0;
        }
        let useful = self.links.keys().filter(|id| self.is_useful(**id)).take(wanted).count();
        wanted.saturating_sub(useful)
    }

    fn is_tracker_away(&self) -> bool {
        !self.config.has_tracker || self.session.is_out_of_reach()
    }

    /// Whether the far end has something that is missing here.
    fn is_useful(&self, id: LinkId) -> bool {
        let Some(link) = self.links.get(&id).filter(|link| link.is_open() && link.close_by.is_none()) else {
            return false;
        };
        let held = self.holdings.log().len();
        link.has.count() as usize > held || link.has.iter().any(|packet| !self.holdings.has_packet(packet))
    }

    fn ask_others(&mut self, now: Time) {
        let reaches = &self.config.lookup.reaches;
        let Some(reach) = reaches.get(self.looking.attempts as usize % reaches.len().max(1)).copied() else { return };
        let wait_ms = (RETRY_MS << self.looking.attempts.min(10)).min(RETRY_MAX_MS);
        let wait_ms = wait_ms / 2 + self.rng.random_range(0..=wait_ms);
        self.looking.next_at = now + Duration::from_millis(wait_ms);
        self.timers.set_if_sooner(Reason::LookUp, self.looking.next_at);
        self.looking.attempts = self.looking.attempts.saturating_add(1);
        let ask = Ask { id: AskId(self.rng.next_u64()), package: self.package(), reach };
        self.looking.asks.begin(ask.id, ask.package, None, now);
        self.pass_ask(&ask, None);
    }

    /// Sends an ask along all ways that it is to go. Within a process it goes no farther: there it has one hop more left.
    fn pass_ask(&mut self, ask: &Ask, from: Option<Way>) {
        let Ask { reach, package, .. } = *ask;
        let onward = if from.is_none() { Some(reach.hops) } else { reach.hops.checked_sub(1) };
        let is_own = package == self.package();
        let mut ways = Vec::new();
        if onward.is_some() && (is_own || !reach.in_group) {
            ways.extend(self.links.iter().filter(|(_, link)| link.is_open()).map(|(id, _)| Way::Link(*id)));
        }
        if !reach.in_group {
            ways.push(Way::Beside);
        }
        ways.retain(|way| Some(*way) != from);
        let width = if reach.width > 0 { usize::from(reach.width) } else { ways.len() };
        for _ in 0..width.min(ways.len()) {
            let way = ways.swap_remove(self.rng.random_range(0..ways.len() as u32) as usize);
            let hops = match way {
                Way::Link(_) => onward.unwrap_or(0),
                Way::Beside => onward.map_or(0, |hops| (hops + 1).min(HOPS_MAX)),
            };
            self.tell_way(way, &LookupMessage::Ask(Ask { reach: Reach { hops, ..reach }, ..*ask }));
        }
    }

    /// Somebody in this process said something.
    pub(super) fn told_beside(&mut self, message: &Bytes, now: Time) {
        if !IS_BUILT {
            return;
        }
        // What goes beside comes from outside in the end, and may be anything.
        if let Ok(message) = LookupMessage::decode(message) {
            self.far_looks_up(Way::Beside, message, now);
        }
    }

    pub(super) fn far_looks_up(&mut self, way: Way, message: LookupMessage, now: Time) {
        if !IS_BUILT {
            return;
        }
        let cost = if matches!(message, LookupMessage::Ask(_)) { ASK_COSTS } else { 1 };
        if self.life != Life::Running || !self.looking.take(way, cost) {
            return;
        }
        match message {
            LookupMessage::Ask(ask) => self.far_asks(way, &ask, now),
            LookupMessage::Answer(answer) => self.far_answers(way, answer, now),
            LookupMessage::Busy { meeting, after_ms } => self.far_is_busy(way, meeting, after_ms, now),
            LookupMessage::Signal { meeting, to_holder, session, signal } => {
                self.far_signals(way, meeting, to_holder, session, signal, now);
            }
        }
    }

    fn far_asks(&mut self, way: Way, ask: &Ask, now: Time) {
        if !self.looking.asks.begin(ask.id, ask.package, Some(way), now) {
            return;
        }
        let holders = self.holders_of(ask.package, way, now);
        let free = holders.iter().filter(|holder| holder.busy_s == 0).count();
        if !holders.is_empty() {
            self.tell_way(way, &LookupMessage::Answer(Answer { id: ask.id, holders }));
        }
        let goes_on = free < ENOUGH || ask.reach.width > 0;
        if goes_on && self.looking.passed.take(1) {
            self.pass_ask(ask, Some(way));
        }
    }

    /// Who has a package, as far as is known here: this peer, its neighbours, and what the list says. None to which signals
    /// would have to go back where they came from.
    fn holders_of(&mut self, package: ContentId, asker: Way, now: Time) -> Vec<Holder> {
        let mut holders = Vec::new();
        if package == self.package() {
            if self.config.slots > 0 && !self.holdings.log().is_empty() && !self.uplink.limit.is_off() {
                holders.push(Holder { peer: self.id, hands: 0, age_s: 0, busy_s: self.busy_s() });
            }
            let mut neighbours: Vec<LinkId> = self.links.keys().copied().collect();
            while holders.len() < NEIGHBOURS_TOLD_MAX && !neighbours.is_empty() {
                let id = neighbours.swap_remove(self.rng.random_range(0..neighbours.len() as u32) as usize);
                let Some(link) = self.links.get(&id).filter(|_| Way::Link(id) != asker) else { continue };
                if link.is_open() && link.close_by.is_none() && link.has.count() > 0 {
                    holders.push(Holder { peer: link.peer, hands: 1, age_s: age_s(link.heard, now), busy_s: 0 });
                }
            }
        }
        let is_new = |word: &Word| word.way != asker && !holders.iter().any(|holder| holder.peer == word.peer);
        let words = self.looking.directory.tell(package, now, HOLDERS_MAX - holders.len(), is_new);
        for word in &words {
            holders.push(holder_of(word, now));
        }
        holders
    }

    fn far_answers(&mut self, way: Way, answer: Answer, now: Time) {
        let Some((package, back)) = self.looking.asks.answered(answer.id, way) else { return };
        let mut onward = Vec::new();
        for holder in answer.holders {
            if (package == self.package() && holder.peer == self.id) || holder.hands >= HANDS_MAX {
                continue;
            }
            let word = word_of(&holder, way, now);
            self.looking.directory.learn(package, word, now, &mut self.rng);
            onward.push(Holder { hands: holder.hands + 1, ..holder });
        }
        match back {
            Some(_) if onward.is_empty() => {}
            Some(back) => self.tell_way(back, &LookupMessage::Answer(Answer { holders: onward, ..answer })),
            None => {
                let lacking = self.lacking(now);
                self.meet_found(lacking, now);
            }
        }
    }

    /// Says something along a way, if it is there.
    pub(super) fn tell_way(&mut self, way: Way, message: &LookupMessage) {
        let bytes = message.encode();
        if bytes.len() > MESSAGE_BYTES_MAX {
            return;
        }
        match way {
            Way::Beside => self.outputs.push_back(Output::Beside(bytes)),
            Way::Link(id) if self.links.get(&id).is_some_and(super::Link::is_open) => {
                self.totals.control_bytes += bytes.len() as u64;
                self.send_link(id, bytes);
            }
            Way::Link(_) => {}
        }
    }

    /// A link is gone, and with it all that it led to.
    pub(super) fn forget_way(&mut self, id: LinkId, now: Time) {
        if !IS_BUILT {
            return;
        }
        let way = Way::Link(id);
        self.looking.allowances.retain(|(of, _)| *of != way);
        self.looking.asks.forget_way(way);
        self.looking.relays.forget_way(way);
        self.looking.directory.forget_way(way);
        self.give_up_meetings(way, now);
    }
}

fn age_s(heard: Time, now: Time) -> u16 {
    u16::try_from((now - heard).as_secs()).unwrap_or(u16::MAX)
}

fn holder_of(word: &Word, now: Time) -> Holder {
    Holder { peer: word.peer, hands: word.hands + 1, age_s: age_s(word.heard, now), busy_s: 0 }
}

fn word_of(holder: &Holder, way: Way, now: Time) -> Word {
    let heard = Time::from_micros(now.as_micros().saturating_sub(u64::from(holder.age_s) * 1_000_000));
    let busy_until = (holder.busy_s > 0).then(|| now + Duration::from_secs(u64::from(holder.busy_s)));
    Word { peer: holder.peer, way, hands: holder.hands, heard, busy_until }
}
