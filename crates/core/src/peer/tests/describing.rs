//! Row E5: descriptors are told of when all their bytes can be read, once each, and after a restart again.

use super::*;
use crate::content::{Descriptor, DescriptorRun, ManifestBuilder, dealt};

const SIZE: usize = 11 * 65_536 + 5;

/// A world whose content has three descriptors, dealt by packets, and one that is a few bytes in the middle.
fn described() -> World {
    let mut world = World::new(SIZE);
    let few = DescriptorRun { offset_bytes: 65_530, len_bytes: 10, count: 1, every_bytes: 0 };
    let descriptors = dealt(SIZE as u64, 3).into_iter().chain([Descriptor { name: None, runs: vec![few] }]);
    let builder = ManifestBuilder::new(world.tree.root()).file("file.bin", SIZE as u64, None);
    world.manifest = descriptors.fold(builder, ManifestBuilder::descriptor).build().unwrap();
    world
}

fn told(world: &World, node: usize) -> Vec<u32> {
    let index = |event: &Event| if let Event::Descriptor { index } = event { Some(*index) } else { None };
    world.nodes[node].events.iter().filter_map(index).collect()
}

#[test]
fn each_is_told_once_before_all_is_complete() {
    let mut world = described();
    let seeder = world.seeder();
    let peer = world.add(Start::Empty, 4);
    world.run_s(30);
    let mut all = told(&world, peer);
    assert!(all.iter().position(|index| *index == 3) < Some(2), "two packets are there before seven: {all:?}");
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    let is_last = world.nodes[peer].events.iter().skip_while(|event| **event != Event::Complete);
    assert!(!is_last.clone().any(|event| matches!(event, Event::Descriptor { .. })) && is_last.count() > 0);
    assert!(told(&world, seeder).is_empty(), "who had everything is told nothing");
}

#[test]
fn those_that_an_earlier_run_left_are_told_after_it_was_checked() {
    let mut world = described();
    let mut stored = vec![0; SIZE];
    // The second descriptor, and what it has of the few bytes.
    for range in world.manifest.descriptors()[1].ranges() {
        let (start, end) = (range.start as usize, range.end as usize);
        stored[start..end].copy_from_slice(&world.content[start..end]);
    }
    let tree = world.tree.clone();
    let peer = world.add_with_store(Start::Resume(tree), 4, stored);
    world.settle();
    assert_eq!(told(&world, peer), [1]);
    assert!(matches!(world.nodes[peer].events[0], Event::Resumed { bytes } if bytes > 0));
    world.seeder();
    world.run_s(30);
    let mut all = told(&world, peer);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
}
