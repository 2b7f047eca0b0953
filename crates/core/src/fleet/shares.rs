//! Who tells whom: a ranked list of targets, dealt to the best of them ([001], figure 4).
//!
//! The first `N` of the list are told, and the rest is dealt to them in turn; each does the same with its share. What
//! comes out is the tree of [`Layout::Stride`], which is where the arithmetic is.

use crate::forest::Layout;

/// Deals a ranked list to its first `fan_out`: each with its share, in the list's order.
pub(super) fn deal<T>(ranked: Vec<T>, fan_out: u8) -> Vec<(T, Vec<T>)> {
    let layout = Layout::Stride { fan_out: usize::from(fan_out.max(1)) };
    let mut told: Vec<(T, Vec<T>)> = Vec::with_capacity(layout.fan_out());
    for (position, target) in ranked.into_iter().enumerate() {
        match told.get_mut(layout.branch(position)) {
            Some((_, share)) => share.push(target),
            None => told.push((target, Vec::new())),
        }
    }
    told
}

/// The best of a share takes the place of one that could not be reached, which is moved down: T17 and T8 in figure 4.
/// Nobody does if there is nobody.
pub(super) fn promote<T>(unreached: T, mut share: Vec<T>) -> Result<(T, Vec<T>), T> {
    if share.is_empty() {
        return Err(unreached);
    }
    let best = share.remove(0);
    share.push(unreached);
    Ok((best, share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::figure_4::FIGURE_4;

    /// Who tells whom, all the way down.
    fn tree(list: Vec<u8>, fan_out: u8, above: u8, edges: &mut Vec<(u8, Vec<u8>)>) {
        let told = deal(list, fan_out);
        edges.push((above, told.iter().map(|(target, _)| *target).collect()));
        for (target, share) in told {
            if !share.is_empty() {
                tree(share, fan_out, target, edges);
            }
        }
    }

    /// [001] B2: requests are split by stride among the N best, and each relay sends a modified one on.
    #[test]
    fn thirty_nine_terminals_are_dealt_as_in_figure_4() {
        let mut edges = Vec::new();
        tree((1..=39).collect(), 3, 0, &mut edges);
        edges.sort();
        let (source, relays) = edges.split_first().unwrap();
        assert_eq!(source, &(0, vec![1, 2, 3]));
        assert_eq!(relays, FIGURE_4.map(|(relay, below)| (relay, below.to_vec())));
    }

    /// [001] B3: T17 takes the place of T8, and T8 is below it.
    #[test]
    fn the_next_best_takes_over_from_one_that_cannot_be_reached() {
        assert_eq!(promote(8, vec![17, 26, 35]), Ok((17, vec![26, 35, 8])));
        assert_eq!(promote(8, vec![]), Err(8));
    }

    #[test]
    fn everybody_is_dealt_once_whatever_their_number() {
        for fan_out in 1..=8 {
            for count in 0..60 {
                let told = deal((0..count).collect(), fan_out);
                assert!(told.len() <= usize::from(fan_out));
                let mut all: Vec<u32> =
                    told.into_iter().flat_map(|(target, share)| [vec![target], share].concat()).collect();
                all.sort_unstable();
                assert_eq!(all, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
