//! Web servers as sources: one peer fed by hand, and worlds in which a server is beside peers.

use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::peer::{SourceState, WebSource};

const PACKET: u64 = 65_536;
const URL: &str = "https://site.example/file.bin";

fn source(url: &str) -> WebSource {
    WebSource { url: url.to_owned(), bytes_per_s: None }
}

/// A peer without a tracker, whose outputs a test looks at one by one.
struct Lone {
    world: World,
    peer: Peer,
    now: Time,
}

/// A fetch that was asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    fetch: FetchId,
    url: String,
    range: ByteRange,
}

impl Lone {
    fn new(size: usize, configure: impl FnOnce(&mut PeerConfig)) -> Self {
        let world = World::new(size);
        let mut config = PeerConfig::new(world.manifest.clone(), Start::Empty);
        config.has_tracker = false;
        config.sources = vec![source(URL)];
        config.hash_lists = vec![format!("{URL}.pleach-hashes")];
        configure(&mut config);
        Self { world, peer: Peer::new(config, [3; 32], Time::ZERO), now: Time::ZERO }
    }

    /// What it asks for and gives up. Writes are done at once.
    fn drain(&mut self) -> (Vec<Asked>, Vec<FetchId>) {
        let (mut asked, mut cancelled) = (Vec::new(), Vec::new());
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Fetch { fetch, url, range, .. } => asked.push(Asked { fetch, url, range }),
                Output::CancelFetch { fetch } => cancelled.push(fetch),
                Output::Write { write, offset_bytes, bytes } => {
                    let start = offset_bytes as usize;
                    assert_eq!(&self.world.content[start..start + bytes.len()], &bytes[..], "only what is verified");
                    self.peer.handle_input(Input::Written(write), self.now);
                }
                _ => {}
            }
        }
        (asked, cancelled)
    }

    fn asked(&mut self) -> Vec<Asked> {
        self.drain().0
    }

    fn give(&mut self, fetch: FetchId, bytes: &[u8]) {
        self.peer.handle_input(Input::Fetched { fetch, bytes: Bytes::copy_from_slice(bytes) }, self.now);
    }

    fn end(&mut self, fetch: FetchId, outcome: FetchOutcome) {
        self.peer.handle_input(Input::FetchEnded { fetch, outcome }, self.now);
    }

    /// Answers a fetch of the content as it should be.
    fn answer(&mut self, asked: &Asked) {
        let bytes = self.world.content[asked.range.start as usize..asked.range.end as usize].to_vec();
        self.give(asked.fetch, &bytes);
        self.end(asked.fetch, FetchOutcome::Done);
    }

    /// Answers the first fetch, which is of the hash list; returns what is asked for next.
    fn learn_hashes(&mut self) -> Vec<Asked> {
        let asked = self.asked();
        let [list] = &asked[..] else { panic!("{asked:?}") };
        assert!(list.url.ends_with(".pleach-hashes"));
        let bytes = self.world.tree.hash_list().unwrap();
        assert_eq!(list.range, ByteRange { start: 0, end: bytes.len() as u64 });
        self.give(list.fetch, &bytes);
        self.end(list.fetch, FetchOutcome::Done);
        self.asked()
    }

    /// Lets time pass, timeout by timeout.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.peer.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.peer.handle_timeout(self.now);
            if self.peer.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                continue;
            }
            return;
        }
        self.now = end;
    }

    /// Lets time pass until something is asked for; and what is given up until then.
    fn wait_for_asked(&mut self, most: Duration) -> (Vec<Asked>, Vec<FetchId>) {
        let end = self.now + most;
        let mut all_cancelled = Vec::new();
        loop {
            let (asked, cancelled) = self.drain();
            all_cancelled.extend(cancelled);
            if !asked.is_empty() || self.now >= end {
                return (asked, all_cancelled);
            }
            self.wait(end - self.now);
        }
    }

    fn have_bytes(&self) -> u64 {
        self.peer.stats(self.now).have_bytes
    }

    fn trouble(&self) -> String {
        self.peer.stats(self.now).sources[0].trouble.clone().unwrap_or_default()
    }
}

fn range(first: u64, end: u64) -> ByteRange {
    ByteRange { start: first * PACKET, end: end * PACKET }
}

fn ranges(asked: &[Asked]) -> Vec<ByteRange> {
    asked.iter().map(|asked| asked.range).collect()
}

#[test]
fn every_size_comes_from_the_web_alone() {
    for size in [0, 1, 16_385, 65_535, 65_536, 65_537, 1_000_003, 3_000_000] {
        let mut lone = Lone::new(size, |_| {});
        let mut turns = 0;
        while lone.have_bytes() < size as u64 {
            for asked in lone.asked() {
                if asked.url == URL {
                    lone.answer(&asked);
                } else {
                    lone.give(asked.fetch, &lone.world.tree.hash_list().unwrap());
                }
            }
            turns += 1;
            assert!(turns < 100, "{size}: {:?}", lone.peer.stats(lone.now));
        }
        lone.drain();
        assert_eq!(lone.peer.stats(lone.now).phase, Phase::Seeding, "{size}");
    }
}

/// C4, of sizes: what is asked for at once grows with what has come.
#[test]
fn neighbouring_packets_are_one_range_and_two_are_under_way() {
    let mut lone = Lone::new(40 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    assert_eq!(ranges(&asked), [range(0, 4), range(4, 8)], "small at first");
    lone.answer(&asked[0]);
    let more = lone.asked();
    assert_eq!(ranges(&more), [range(8, 24)], "four packets in half a second are 16 in two");
    lone.now = lone.now + Duration::from_millis(100);
    lone.answer(&asked[1]);
    assert_eq!(ranges(&lone.asked()), [range(24, 40)], "up to the end");
}

#[test]
fn what_the_author_wants_first_comes_first() {
    let segment = |first: u64, end: u64, priority| crate::content::Segment {
        offset_bytes: first * PACKET,
        len_bytes: (end - first) * PACKET,
        priority,
    };
    let mut lone = Lone::new(40 * PACKET as usize, |config| {
        let builder = crate::content::ManifestBuilder::new(config.manifest.id()).file("file.bin", 40 * PACKET, None);
        let builder = builder.segment(segment(0, 20, 0)).segment(segment(20, 22, 9)).segment(segment(22, 40, 0));
        config.manifest = builder.build().unwrap();
    });
    assert_eq!(ranges(&lone.learn_hashes()), [range(20, 24), range(0, 4)], "and what lies right behind it");
}

#[test]
fn what_the_application_wants_comes_before_all_else() {
    let mut lone = Lone::new(40 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    let want = crate::peer::Want { range: range(30, 33), bytes_per_s: None };
    lone.peer.handle_input(Input::Want { wants: vec![want] }, lone.now);
    lone.answer(&asked[0]);
    assert_eq!(lone.asked()[0].range.start, 30 * PACKET);
}

#[test]
fn a_broken_range_goes_on_where_it_broke() {
    let mut lone = Lone::new(4 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    assert_eq!(ranges(&asked), [range(0, 4)]);
    let bytes = lone.world.content[..PACKET as usize * 2 + 1_000].to_vec();
    lone.give(asked[0].fetch, &bytes);
    lone.end(asked[0].fetch, FetchOutcome::busy("the connection broke"));
    assert_eq!((lone.asked(), lone.have_bytes()), (vec![], 2 * PACKET));
    assert_eq!(lone.peer.stats(lone.now).sources[0].state, SourceState::Resting);
    let (again, _) = lone.wait_for_asked(Duration::from_millis(750));
    assert_eq!(ranges(&again), [range(2, 4)]);
    lone.answer(&again[0]);
    assert_eq!(lone.have_bytes(), 4 * PACKET);
}

#[test]
fn a_body_that_ends_early_counts_as_broken() {
    let mut lone = Lone::new(4 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    lone.give(asked[0].fetch, &[1; 10]);
    lone.end(asked[0].fetch, FetchOutcome::Done);
    assert_eq!(lone.trouble(), "it sent less than it was asked for");
    assert_eq!(lone.wait_for_asked(Duration::from_secs(2)).0.len(), 1);
}

#[test]
fn a_busy_server_is_left_alone_longer_and_longer() {
    let mut lone = Lone::new(4 * PACKET as usize, |_| {});
    let mut asked = lone.learn_hashes();
    let mut rests = Vec::new();
    for _ in 0..8 {
        let before = lone.now;
        lone.end(asked[0].fetch, FetchOutcome::busy("it answers 503"));
        asked = lone.wait_for_asked(Duration::from_secs(100)).0;
        rests.push((lone.now - before).as_millis());
    }
    for (at, rest) in rests.iter().enumerate() {
        let base = (500 << at).min(60_000);
        assert!((base / 2..=base * 3 / 2).contains(rest), "rest {at} of about {base} ms: {rests:?}");
    }
    lone.end(
        asked[0].fetch,
        FetchOutcome::Busy { reason: "it answers 429".into(), retry_after: Some(Duration::from_secs(200)) },
    );
    assert!(lone.wait_for_asked(Duration::from_secs(199)).0.is_empty());
    assert_eq!(lone.wait_for_asked(Duration::from_secs(2)).0.len(), 1);
}

#[test]
fn a_drip_is_given_up_and_a_slow_server_is_not() {
    let mut lone = Lone::new(4 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    // 2,000 bytes a second.
    for second in 0..12_usize {
        lone.now = Time::from_millis(second as u64 * 1_000 + 500);
        let bytes = lone.world.content[second * 2_000..(second + 1) * 2_000].to_vec();
        lone.give(asked[0].fetch, &bytes);
        while lone.peer.poll_timeout().is_some_and(|(at, _)| at <= lone.now) {
            lone.peer.handle_timeout(lone.now);
        }
        assert_eq!(lone.drain(), (vec![], vec![]));
    }
    // Nothing more comes.
    let (again, cancelled) = lone.wait_for_asked(Duration::from_secs(21));
    assert_eq!((again.len(), cancelled), (1, vec![asked[0].fetch]));
    assert_eq!(lone.trouble(), "it sends next to nothing");
}

#[test]
fn another_file_is_dropped_and_nothing_of_it_is_kept() {
    let mut lone = Lone::new(12 * PACKET as usize, |config| config.sources.push(source("https://mirror.example/x")));
    let asked = lone.learn_hashes();
    let bad = asked.iter().find(|asked| asked.url == URL).unwrap().clone();
    lone.give(bad.fetch, &vec![0; PACKET as usize]);
    let (again, cancelled) = lone.drain();
    assert!(cancelled.contains(&bad.fetch));
    assert!(again.iter().any(|asked| asked.range.start == bad.range.start), "the mirror is asked: {again:?}");
    assert!(again.iter().all(|asked| asked.url != URL));
    let stats = lone.peer.stats(lone.now);
    assert_eq!((stats.sources[0].state, stats.have_bytes), (SourceState::Unfit, 0));
    assert!(lone.trouble().contains("another file"));
    let mut work: Vec<Asked> = asked.into_iter().filter(|asked| asked.url != URL).chain(again).collect();
    while let Some(asked) = work.pop() {
        lone.answer(&asked);
        work.extend(lone.asked());
    }
    assert_eq!(lone.have_bytes(), 12 * PACKET);
}

#[test]
fn more_than_was_asked_for_is_too_much() {
    let mut lone = Lone::new(2 * PACKET as usize, |_| {});
    let asked = lone.learn_hashes();
    lone.give(asked[0].fetch, &vec![0; 2 * PACKET as usize + 1]);
    assert_eq!(lone.trouble(), "it sends more than it was asked for");
    assert_eq!(lone.have_bytes(), 0);
}

#[test]
fn a_hash_list_of_another_file_is_not_believed_and_the_next_is_tried() {
    let mut lone = Lone::new(3 * PACKET as usize, |config| config.hash_lists.push("https://b.example/list".into()));
    let asked = lone.asked();
    lone.give(asked[0].fetch, &[7; 96]);
    let (again, _) = lone.drain();
    assert_eq!(again[0].url, "https://b.example/list");
    lone.end(again[0].fetch, FetchOutcome::unfit("it does not have it (404)"));
    assert!(lone.asked().is_empty());
    let stats = lone.peer.stats(lone.now);
    assert_eq!(stats.sources[0].state, SourceState::Unfit);
    assert!(lone.trouble().starts_with("its hash list is missing"), "{}", lone.trouble());
}

#[test]
fn a_limit_is_kept() {
    let rate = 4 * PACKET;
    let mut lone = Lone::new(40 * PACKET as usize, |config| config.sources[0].bytes_per_s = Some(rate));
    let mut work = lone.learn_hashes();
    while lone.now < Time::from_millis(5_000) {
        work.extend(lone.asked());
        while let Some(asked) = work.pop() {
            assert!(asked.range.len() <= rate);
            lone.answer(&asked);
            work.extend(lone.asked());
        }
        lone.wait(Duration::from_secs(1));
    }
    let have = lone.have_bytes();
    assert!((16 * PACKET..=24 * PACKET).contains(&have), "{have} bytes in 5 s at {rate} bytes/s");
}

#[test]
fn nothing_is_asked_for_while_the_store_is_behind() {
    let mut lone = Lone::new(64 * PACKET as usize, |config| config.store_backlog_bytes_max = 6 * PACKET as usize);
    let asked = lone.learn_hashes();
    // Writes that nobody does.
    let bytes = lone.world.content[..8 * PACKET as usize].to_vec();
    let mut writes = Vec::new();
    for (asked, bytes) in asked.iter().zip(bytes.chunks(4 * PACKET as usize)) {
        lone.give(asked.fetch, bytes);
        while let Some(output) = lone.peer.poll_output() {
            match output {
                Output::Write { write, .. } => writes.push(write),
                Output::Fetch { range, .. } => assert!(writes.len() < 6, "{range:?}"),
                _ => {}
            }
        }
    }
    assert_eq!(writes.len(), 8);
    for write in writes {
        lone.peer.handle_input(Input::Written(write), lone.now);
    }
    assert!(!lone.asked().is_empty());
}

/// Adds a peer that knows of the web server.
fn add_reader(world: &mut World, bytes_per_s: Option<u64>) -> usize {
    let empty = vec![0; world.content.len()];
    world.add_with(Start::Empty, 4, empty, |config| {
        config.sources = vec![WebSource { url: URL.to_owned(), bytes_per_s }];
        config.hash_lists = vec![format!("{URL}.pleach-hashes")];
    })
}

/// Bytes of the content that the server sent.
fn served_bytes(world: &World) -> u64 {
    world.web.sent_bytes
}

#[test]
fn alone_everything_comes_from_the_server() {
    let mut world = World::new(3_000_000);
    let peer = add_reader(&mut world, None);
    world.run_s(5);
    assert!(world.has_all(peer));
    assert_eq!(served_bytes(&world), 3_000_000, "and no byte twice");
    let stats = world.nodes[peer].peer.stats(world.now);
    assert_eq!((stats.sources[0].received_bytes, stats.wasted_bytes), (3_000_000, 0));
}

#[test]
fn without_the_tracker_everything_comes_from_the_server() {
    let mut world = World::new(3_000_000);
    world.tracker = None;
    let peer = add_reader(&mut world, None);
    world.run_s(5);
    assert!(world.has_all(peer));
}

#[test]
fn with_a_seeder_nothing_comes_from_the_server() {
    let mut world = World::new(6_000_000);
    world.seeder();
    let peer = add_reader(&mut world, None);
    world.run_s(5);
    assert!(world.has_all(peer));
    assert_eq!(served_bytes(&world), 0);
}

#[test]
fn without_the_server_everything_comes_from_peers() {
    let mut world = World::new(6_000_000);
    world.web.is_down = true;
    world.seeder();
    let peer = add_reader(&mut world, None);
    world.run_s(10);
    assert!(world.has_all(peer));
}

#[test]
fn a_server_of_another_file_costs_its_bytes_and_nothing_else() {
    let mut world = World::new(6_000_000);
    world.web.content.fill(9);
    let peer = add_reader(&mut world, None);
    world.run_s(2);
    assert_eq!(world.nodes[peer].peer.stats(world.now).sources[0].state, SourceState::Unfit);
    world.seeder();
    world.run_s(30);
    assert!(world.has_all(peer));
}

#[test]
fn when_the_last_peer_goes_the_server_brings_the_rest() {
    let mut world = World::new(6_000_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(1_000_000) });
    let peer = add_reader(&mut world, None);
    world.run_s(3);
    assert!(!world.has_all(peer) && served_bytes(&world) <= 8 * PACKET, "{} bytes", served_bytes(&world));
    world.kill(seeder);
    world.run_s(20);
    assert!(world.has_all(peer));
    assert!(served_bytes(&world) < 6_000_000, "what the seeder brought did not come again");
}

/// What was under way still comes from the server, and no more.
#[test]
fn a_seeder_that_comes_later_takes_over() {
    let mut world = World::new(48_000_000);
    world.web.bytes_per_tick = Some(200_000);
    let peer = add_reader(&mut world, None);
    world.run_s(2);
    let alone = served_bytes(&world);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(4_000_000) });
    world.run_s(20);
    assert!(world.has_all(peer));
    let since = served_bytes(&world) - alone;
    println!("the server sent {alone} bytes alone, {since} since");
    assert!(since < 12_000_000, "{since} bytes");
}

#[test]
fn a_seeder_that_is_much_too_slow_is_helped() {
    let mut world = World::new(6_000_000);
    let seeder = world.seeder();
    world.give(seeder, Input::UploadLimit { bytes_per_s: Some(20_000) });
    let peer = add_reader(&mut world, None);
    world.run_s(30);
    assert!(world.has_all(peer), "{:?}", world.nodes[peer].peer.stats(world.now));
}

#[test]
fn what_came_from_the_server_is_passed_on() {
    let mut world = World::new(6_000_000);
    let reader = add_reader(&mut world, Some(1_000_000));
    let other = world.add(Start::Empty, 4);
    world.run_s(30);
    assert!(world.has_all(reader) && world.has_all(other));
}

#[test]
fn what_was_fetched_is_there_after_a_restart_without_the_list() {
    let mut world = World::new(6_000_000);
    let peer = add_reader(&mut world, Some(1_000_000));
    world.run_s(3);
    let have = world.nodes[peer].peer.stats(world.now).have_bytes;
    assert!(have > 0 && !world.has_all(peer));
    world.kill(peer);
    world.web.is_down = true;
    let tree = HashTree::restore(world.tree.geometry(), world.tree.root(), &world.nodes[peer].record);
    let stored = world.nodes[peer].stored.clone();
    let again = world.add_with_store(Start::Resume(tree), 4, stored);
    world.run_s(1);
    assert!(world.nodes[again].events.contains(&Event::Resumed { bytes: have }));
}

/// Peers that know of a slow server and of each other.
fn readers(count: usize, size: usize) -> (World, Vec<usize>) {
    let mut world = World::new(size);
    world.web.bytes_per_tick = Some(20_000);
    let readers = (0..count).map(|_| add_reader(&mut world, None)).collect();
    (world, readers)
}

#[test]
fn neighbours_do_not_fetch_the_same() {
    for count in [2, 4] {
        let (mut world, readers) = readers(count, 6_000_000);
        world.run_s(60);
        for reader in readers {
            assert!(world.has_all(reader), "{:?}", world.nodes[reader].peer.stats(world.now));
        }
        let served = served_bytes(&world);
        println!("{count} peers: the server sent {served} bytes");
        assert!(served < 7_500_000, "{served} bytes for {count} peers");
    }
}

/// C4, of the schedule: by what the tracker tells of others a peer decides what it asks for and what it leaves to them.
/// Rows D3 and D4, by the tracker: each stripe is fetched by one, and all others take it from there.
#[test]
fn a_crowd_costs_the_server_little_more_than_one_copy() {
    let (mut world, readers) = readers(20, 6_000_000);
    world.run_s(60);
    for reader in readers {
        assert!(world.has_all(reader), "{:?}", world.nodes[reader].peer.stats(world.now));
    }
    let served = served_bytes(&world);
    println!("20 peers: the server sent {served} bytes");
    assert!(served < 7_200_000, "{served} bytes");
}

#[test]
fn when_the_one_that_fetches_goes_another_fetches() {
    let (mut world, readers) = readers(2, 6_000_000);
    world.run_s(4);
    assert!(readers.iter().all(|reader| !world.has_all(*reader)));
    world.kill(readers[0]);
    world.run_s(60);
    assert!(world.has_all(readers[1]));
}

#[test]
fn who_says_that_it_fetches_and_does_not_delays_and_no_more() {
    let (mut world, readers) = readers(2, 2_000_000);
    world.settle();
    let liar = readers[0];
    world.nodes[liar].alive = false;
    let link = *world.nodes[readers[1]].channels.keys().next().expect("linked");
    let packets = vec![crate::wire::link::Run { first: 0, count: world.tree.geometry().packets() }];
    let word = LinkMessage::Fetching { packets }.encode();
    for _ in 0..30 {
        world.give(readers[1], Input::LinkMessage { link, message: word.clone() });
        world.run_s(1);
    }
    assert!(world.has_all(readers[1]), "{:?}", world.nodes[readers[1]].peer.stats(world.now));
}

/// What a server does with the oldest request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Well,
    Cuts(u16),
    IsBusy,
    /// Nothing, for so many tenths of a second.
    Waits(u8),
    SendsAnother,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        3 => Just(Does::Well),
        2 => any::<u16>().prop_map(Does::Cuts),
        1 => Just(Does::IsBusy),
        2 => any::<u8>().prop_map(Does::Waits),
        1 => Just(Does::SendsAnother),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever servers do, only verified bytes are kept, no byte is under way twice, and once one of them answers well
    /// all is there.
    #[test]
    fn whatever_servers_do_the_content_comes_from_one_that_answers(
        packets in 1_u64..40,
        short_bytes in 0..PACKET,
        deeds in prop::collection::vec(does(), 0..60),
    ) {
        let size = packets * PACKET - short_bytes;
        let mut lone = Lone::new(size as usize, |config| config.sources.push(source("https://mirror.example/x")));
        let mut under_way: Vec<Asked> = Vec::new();
        // Then all goes well.
        for deed in deeds.into_iter().chain(core::iter::repeat_n(Does::Well, 400)) {
            let (asked, cancelled) = lone.drain();
            under_way.retain(|asked| !cancelled.contains(&asked.fetch));
            under_way.extend(asked);
            prop_assert!(under_way.len() <= crate::peer::fetching::FETCHES_MAX + 1);
            let of_content = |asked: &&Asked| !asked.url.ends_with("-hashes");
            let mut ranges: Vec<ByteRange> = under_way.iter().filter(of_content).map(|asked| asked.range).collect();
            ranges.sort_unstable();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:?}");
            if under_way.is_empty() {
                lone.wait(Duration::from_secs(1));
                continue;
            }
            do_to(&mut lone, &mut under_way, deed);
        }
        prop_assert_eq!(lone.have_bytes(), size);
    }
}

fn do_to(lone: &mut Lone, under_way: &mut Vec<Asked>, deed: Does) {
    if let Does::Waits(tenths) = deed {
        return lone.wait(Duration::from_millis(u64::from(tenths) * 100));
    }
    let asked = under_way.remove(0);
    let whole = match asked.url.ends_with("-hashes") {
        true => lone.world.tree.hash_list().unwrap(),
        false => lone.world.content.clone(),
    };
    let bytes = &whole[asked.range.start as usize..asked.range.end as usize];
    match deed {
        // The first source always has the content, so that it can be had.
        Does::SendsAnother if asked.url.starts_with("https://mirror") => {
            lone.give(asked.fetch, &vec![1; bytes.len()]);
        }
        Does::Cuts(len) => {
            lone.give(asked.fetch, &bytes[..bytes.len().min(usize::from(len) * 4)]);
            lone.end(asked.fetch, FetchOutcome::busy("the connection broke"));
        }
        Does::IsBusy => lone.end(asked.fetch, FetchOutcome::busy("it answers 503")),
        _ => {
            lone.give(asked.fetch, bytes);
            lone.end(asked.fetch, FetchOutcome::Done);
        }
    }
}
