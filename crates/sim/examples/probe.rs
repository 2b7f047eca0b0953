use pleach_core::time::Time;
use pleach_sim::scenario::{Scenario, Size};
use pleach_sim::world::WorldConfig;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let scenario = Scenario::named(&a[1]).unwrap();
    let size = Size { peers: a[2].parse().unwrap(), packets: a[3].parse().unwrap(), seed: 1 };
    let step: u64 = a[4].parse().unwrap();
    let steps: u64 = a[5].parse().unwrap();
    let config = WorldConfig { cache_bytes: 1024 * 1024, ..WorldConfig::new(1, 0) };
    let mut built = scenario.build(size, config);
    let mut before: Vec<(u64, u64)> = vec![(0, 0); built.honest.len() + 1];
    let ids: Vec<_> = std::iter::once(built.source).chain(built.honest.iter().copied()).collect();
    for n in 1..=steps {
        built.world.run_until(Time::from_millis(n * step));
        let mut by: std::collections::BTreeMap<u64, Vec<(f64, f64, f64)>> = Default::default();
        for (i, id) in ids.iter().enumerate() {
            let Some(fate) = built.world.fate(*id) else { continue };
            let now = (fate.stats.sent_bytes, fate.stats.received_bytes);
            let line = built.world.line(*id);
            let up = (now.0 - before[i].0) as f64 / (line.up_bytes_per_s as f64 * step as f64 / 1e3);
            let down = (now.1 - before[i].1) as f64 * 8.0 / (step as f64 * 1e3);
            let have = fate.stats.have_bytes as f64 / fate.stats.size_bytes as f64;
            before[i] = now;
            by.entry(if i == 0 { 0 } else { line.up_bytes_per_s / 125_000 }).or_default().push((up, down, have));
        }
        print!("{:6.1}s ", (n * step) as f64 / 1e3);
        for (up, mut v) in by {
            let q = |v: &mut Vec<(f64, f64, f64)>, f: fn(&(f64, f64, f64)) -> f64| { v.sort_by(|a, b| f(a).total_cmp(&f(b))); let m = v.iter().map(f).sum::<f64>() / v.len() as f64; (f(&v[v.len() / 10]), m, f(&v[v.len() * 9 / 10])) };
            let fs: Vec<_> = ids.iter().filter_map(|id| built.world.fate(*id)).collect(); let pl = fs.iter().map(|f| f.stats.links.iter().filter(|l| l.role == pleach_core::wire::tracker::Role::Parent).count()).sum::<usize>() as f64 / fs.len() as f64; let al = fs.iter().map(|f| f.stats.links.len()).sum::<usize>() as f64 / fs.len() as f64; print!("parents {pl:.2} links {al:.1} "); let u = q(&mut v, |x| x.0);
            let d = q(&mut v, |x| x.1);
            let h = q(&mut v, |x| x.2);
            print!("| {up:2} Mbit up {:3.0}/{:3.0}/{:3.0} % down {:4.1}/{:4.1}/{:4.1} have {:3.0}/{:3.0}/{:3.0} ", u.0*100., u.1*100., u.2*100., d.0, d.1, d.2, h.0*100., h.1*100., h.2*100.);
        }
        println!();
    }
}
