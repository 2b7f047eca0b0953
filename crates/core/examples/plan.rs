use pleach_core::forest::{Planner, PlannerConfig};
use pleach_core::ids::PeerId;
use pleach_core::time::Time;
use rand::{Rng, SeedableRng};
use std::time::Duration;
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut p = Planner::new(PlannerConfig { stripes: 8, fan_out: 8, laterals: 4, links_max: 24, epoch: Duration::from_secs(2) });
    let mut ids = vec![];
    let mut changes = 0;
    for i in 0..=n {
        let mut b = [0u8; 16];
        rng.fill(&mut b);
        let id = PeerId::from_bytes(b);
        ids.push(id);
        p.join(id, 64, i == 0, &[], Time::from_millis(i as u64), &mut rng);
        changes += p.take_changes().len();
    }
    println!("joined: {changes} changes, depth {}", p.depth_max());
    for t in 0..4 {
        let mut hist = [0; 9];
        let mut links = [0; 64];
        let mut kids: std::collections::BTreeMap<usize, usize> = Default::default();
        for id in &ids[1..] {
            let ns = p.neighbours(*id);
            let parents: u32 = ns.iter().map(|(_, n)| n.parent.0.count_ones()).sum();
            let children: u32 = ns.iter().map(|(_, n)| n.child.0.count_ones()).sum();
            hist[parents as usize] += 1;
            links[ns.len()] += 1;
            *kids.entry(children as usize).or_default() += 1;
        }
        let src: u32 = p.neighbours(ids[0]).iter().map(|(_, n)| n.child.0.count_ones()).sum();
        println!("parents {hist:?} children {kids:?} links {links:?} source {src} depth {}", p.depth_max());
        p.retry(Time::from_millis(2000 + 1100 * t), &mut rng);
        println!("changes {}", p.take_changes().len());
    }
}
