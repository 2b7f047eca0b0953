//! Single faults, each told as a short story.

use pleach_core::time::Time;
use pleach_sim::world::{Action, Begin, Condition, NodeSpec, World, WorldConfig};
use pleach_sim::{Conduct, Kept, LineSpec, NodeId};

const MIB: u64 = 1 << 20;

fn seconds(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn line() -> LineSpec {
    LineSpec::mbit(10, 50, 10)
}

/// A source and so many peers, all at once.
fn swarm(seed: u64, size_bytes: u64, peers: usize) -> (World, NodeId, Vec<NodeId>) {
    let mut world = World::new(WorldConfig::new(seed, size_bytes));
    let source = world.add(NodeSpec::source(line()), Time::ZERO);
    let peers = (0..peers).map(|_| world.add(NodeSpec::new(line()), Time::ZERO)).collect();
    (world, source, peers)
}

fn finish(world: &mut World, within_s: u64) {
    let deadline = world.now() + core::time::Duration::from_secs(within_s);
    let finished = world.run(deadline);
    assert!(world.breaches().is_empty(), "{:#?}", world.breaches());
    assert!(finished, "not finished: {:#?}", world.stuck());
}

#[test]
fn any_size_arrives() {
    for size_bytes in [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 1_234_567] {
        let (mut world, _, peers) = swarm(size_bytes, size_bytes, 5);
        finish(&mut world, 30);
        for peer in peers {
            assert_eq!(world.fate(peer).unwrap().stats.have_bytes, size_bytes);
        }
    }
}

#[test]
fn the_source_may_die_after_one_copy() {
    for seed in 1..=4 {
        let (mut world, source, _) = swarm(seed, 2 * MIB, 20);
        world.when(Condition::OneCopyOut, Action::Kill(source));
        finish(&mut world, 120);
        assert!(!world.is_alive(source));
    }
}

#[test]
fn the_source_may_leave_politely_after_one_copy() {
    for seed in 1..=4 {
        let (mut world, source, _) = swarm(seed, 2 * MIB, 20);
        world.when(Condition::OneCopyOut, Action::Leave(source));
        finish(&mut world, 120);
    }
}

#[test]
fn transfers_go_on_without_the_tracker_and_the_forest_is_rebuilt() {
    let (mut world, _, peers) = swarm(3, 8 * MIB, 20);
    world.run_until(seconds(5));
    world.at(seconds(5), Action::KillTracker);
    let bytes_now = |world: &World| peers.iter().map(|peer| world.fate(*peer).unwrap().stats.have_bytes).sum::<u64>();
    let before = bytes_now(&world);
    world.run_until(seconds(9));
    assert!(bytes_now(&world) > before + 20 * MIB, "it flows on: {} after {before}", bytes_now(&world));
    let opened_before: usize = peers.iter().map(|peer| world.fate(*peer).unwrap().links_opened).sum();
    world.at(seconds(9), Action::StartTracker);
    world.run_until(seconds(20));
    assert_eq!(world.tracker_members(), 21, "all have come back");
    let late = world.add(NodeSpec::new(line()), seconds(20));
    finish(&mut world, 60);
    assert_eq!(world.fate(late).unwrap().stats.have_bytes, 8 * MIB);
    let opened: usize = peers.iter().map(|peer| world.fate(*peer).unwrap().links_opened).sum();
    assert!(opened - opened_before < 60, "what worked was kept: {} links were opened anew", opened - opened_before);
}

#[test]
fn a_liar_costs_its_links_only() {
    for conduct in [Conduct::Liar, Conduct::RareLiar(10), Conduct::Boaster] {
        let (mut world, _, _) = swarm(11, 2 * MIB, 12);
        let liar = world.add(NodeSpec { conduct, ..NodeSpec::new(line()) }, Time::ZERO);
        let seeding_liar = world.add(NodeSpec { conduct, ..NodeSpec::source(line()) }, Time::ZERO);
        finish(&mut world, 120);
        for liar in [liar, seeding_liar] {
            assert!(world.fate(liar).is_some());
        }
    }
}

#[test]
fn garbage_oversize_and_floods_are_survived() {
    for conduct in [Conduct::Garbler, Conduct::Oversize, Conduct::Flooder] {
        let (mut world, _, _) = swarm(13, 2 * MIB, 12);
        for _ in 0..2 {
            world.add(NodeSpec { conduct, ..NodeSpec::new(line()) }, Time::ZERO);
        }
        finish(&mut world, 120);
    }
}

#[test]
fn a_killed_peer_goes_on_where_it_was() {
    let (mut world, _, peers) = swarm(17, 4 * MIB, 6);
    let killed = peers[2];
    let again = world.add_unborn(NodeSpec { begin: Begin::Again(killed), ..NodeSpec::new(line()) });
    world.when(Condition::Has(killed, 40), Action::Kill(killed));
    world.when_from(seconds(2), Condition::Finished(3), Action::Start(again));
    finish(&mut world, 120);
    let fate = world.fate(again).expect("it ran");
    let resumed = fate.resumed_bytes.expect("it checked what was there");
    assert!(resumed >= MIB, "only {resumed} bytes were found again");
    assert_eq!(fate.stats.received_bytes, 4 * MIB - resumed, "it gets what is missing");
}

#[test]
fn two_halves_make_a_whole_without_a_seeder() {
    let mut world = World::new(WorldConfig::new(19, 3 * MIB));
    let groups = world.content().geometry().groups() as usize;
    let record = world.content().tree().clone().take_journal();
    for first_half in [true, false] {
        let kept = Kept {
            groups: (0..groups).map(|group| (group < groups / 2) == first_half).collect(),
            record: record.clone(),
        };
        world.add(NodeSpec { begin: Begin::Kept(kept), ..NodeSpec::new(line()) }, Time::ZERO);
    }
    finish(&mut world, 60);
}

#[test]
fn links_that_break_are_made_anew() {
    let (mut world, source, peers) = swarm(23, 4 * MIB, 15);
    for (number, peer) in (1..).zip([source, peers[0], peers[7]]) {
        world.at(Time::from_millis(number * 1_500), Action::BreakLinks(peer));
    }
    finish(&mut world, 120);
}

/// C7: who is there first has everything; who comes before it waits, and gets nothing that is not the content.
#[test]
fn who_comes_first_waits_for_a_source() {
    let mut world = World::new(WorldConfig::new(29, MIB));
    for _ in 0..8 {
        world.add(NodeSpec::new(line()), Time::ZERO);
    }
    world.add(NodeSpec::source(line()), seconds(30));
    finish(&mut world, 60);
}

#[test]
fn who_gives_nothing_gets_everything_too() {
    let (mut world, _, _) = swarm(31, MIB, 6);
    for _ in 0..4 {
        world.add(NodeSpec { slots: Some(0), ..NodeSpec::new(line()) }, Time::ZERO);
    }
    finish(&mut world, 60);
}

/// A source whose first children have everything feeds others, rather than leave all to them.
#[test]
fn a_source_is_not_idle_while_others_wait() {
    let mut world = World::new(WorldConfig::new(37, 2 * MIB));
    let source = world.add(NodeSpec::source(LineSpec::mbit(20, 200, 10)), Time::ZERO);
    for number in 0..22 {
        let starts = if number < 2 { Time::ZERO } else { seconds(1) };
        world.add(NodeSpec::new(LineSpec::mbit(1, 16, 10)), starts);
    }
    finish(&mut world, 200);
    let sent = world.fate(source).unwrap().stats.sent_bytes;
    assert!(sent > 6 * MIB, "the source sent {sent} bytes only");
}

/// D3 ([003]): who says that it has everything and gives nothing keeps a swarm from the web server for half a minute at most, and
/// does not make a crowd of it there.
#[test]
fn a_false_origin_costs_half_a_minute_and_no_crowd_at_the_web_server() {
    const SIZE: u64 = 8 * MIB;
    let copies_and_end = |conduct| {
        let mut world = World::new(WorldConfig::new(41, SIZE));
        world.add_web_server(LineSpec::mbit(100, 100, 10).up_bytes_per_s);
        if let Some(conduct) = conduct {
            world.add(NodeSpec { conduct, ..NodeSpec::source(line()) }, Time::ZERO);
        }
        for _ in 0..20 {
            world.add(NodeSpec::new(line()), Time::ZERO);
        }
        finish(&mut world, 180);
        (world.web_sent_bytes().unwrap() as f64 / SIZE as f64, world.now())
    };
    let ((copies, end), (copies_with, end_with)) = (copies_and_end(None), copies_and_end(Some(Conduct::Miser)));
    println!("{copies:.2} copies, all after {end:?}; with a false origin {copies_with:.2}, {end_with:?}");
    assert!(copies_with < copies + 1.0, "the web server sent {copies_with:.2} copies to 20 peers");
    assert!(end_with < end + core::time::Duration::from_secs(30), "all have it after {end_with:?}");
}
