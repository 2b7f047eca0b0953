//! Positions of an ordered structure, and which stands above which: pure arithmetic, no peers.

/// The largest fan-out that a layout takes; more is cut to it, as 0 is raised to 1.
pub const FAN_OUT_MAX: usize = 64;

/// How positions 0, 1, 2, … form a tree. The source is above and is no position itself.
///
/// In both layouts a position is above only later ones, so that the last one can always be taken away, and all levels
/// but the last are full. Both have the same depths up to one level; they differ in how the last level is dealt out:
///
/// | with fan-out 2 | directly below the source | an unfinished last level |
/// |---|---|---|
/// | `Heap` | one | fills one parent after the other |
/// | `Stride` | two | gives each parent one before any gets a second |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The usual array of a heap: one position below the source, and `fan_out` in a row below each.
    Heap {
        /// Positions below each.
        fan_out: usize,
    },
    /// Figure 4 of \[001\]: level `l` has `fan_outˡ` positions, and above offset `o` of it is offset
    /// `o mod fan_outˡ⁻¹` of the level before. This is what comes out when everyone takes the first `fan_out` of its
    /// ranked list as children and deals the rest to them in turn.
    Stride {
        /// Positions below each, and below the source.
        fan_out: usize,
    },
}

/// A level of the stride layout: its first position and how many it has.
struct Level {
    number: usize,
    first: usize,
    size: usize,
}

impl Layout {
    /// The binary heap of \[000\].
    pub const BINARY: Self = Self::Heap { fan_out: 2 };

    /// How many positions are below each; between 1 and [`FAN_OUT_MAX`].
    pub fn fan_out(self) -> usize {
        let (Self::Heap { fan_out } | Self::Stride { fan_out }) = self;
        fan_out.clamp(1, FAN_OUT_MAX)
    }

    /// The position above, always a smaller one; `None`: the source.
    pub fn parent(self, position: usize) -> Option<usize> {
        match self.stride_level(position) {
            None => Some(position.checked_sub(1)? / self.fan_out()),
            Some(Level { first: 0, .. }) => None,
            Some(Level { first, size, .. }) => {
                let size_above = size / self.fan_out();
                Some(first - size_above + (position - first) % size_above)
            }
        }
    }

    /// The positions below, in order, whether or not anybody stands there.
    pub fn children(self, position: usize) -> impl Iterator<Item = usize> {
        let fan_out = self.fan_out();
        // Numbers too large for the machine become ones where nobody stands.
        let (first_child, step) = match self.stride_level(position) {
            None => (position.saturating_mul(fan_out).saturating_add(1), 1),
            Some(Level { size, .. }) => (position.saturating_add(size), size),
        };
        (0..fan_out).map(move |number| first_child.saturating_add(step.saturating_mul(number)))
    }

    /// The position directly below the source that a position is at or below: whose share it belongs to.
    pub fn branch(self, position: usize) -> usize {
        core::iter::successors(Some(position), |above| self.parent(*above)).last().unwrap_or(position)
    }

    /// Steps from the source: 1 for what is directly below it. In O(log n) for a fan-out of 2 or more.
    pub fn level(self, position: usize) -> usize {
        if self.fan_out() == 1 {
            return position + 1;
        }
        match self.stride_level(position) {
            Some(level) => level.number,
            None => 1 + core::iter::successors(self.parent(position), |above| self.parent(*above)).count(),
        }
    }

    /// Where a position of the stride layout is; `None` if the layout is that of a heap, which a chain is too.
    fn stride_level(self, position: usize) -> Option<Level> {
        if matches!(self, Self::Heap { .. }) || self.fan_out() == 1 {
            return None;
        }
        let mut level = Level { number: 1, first: 0, size: self.fan_out() };
        while position - level.first >= level.size {
            level.first += level.size;
            level.size = level.size.saturating_mul(self.fan_out());
            level.number += 1;
        }
        Some(level)
    }
}

/// What stands above a group of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Above {
    Source,
    Group(usize),
    /// A group of the primary tree that feeds this one, the first of a secondary tree, once it has everything itself.
    Primary(usize),
}

/// Positions taken `size` at a time as groups, and the groups as a primary tree with secondary trees below it.
///
/// The first `primary` groups are the primary tree. Later ones are dealt in turn to `primary` secondary trees of the
/// same layout; secondary tree `t` hangs below group `t` of the primary tree. So a group's number says all about where
/// it is, and secondary trees differ by at most one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) layout: Layout,
    /// Positions in a group; at least 1.
    pub(super) size: usize,
    /// Groups in the primary tree; at least 1.
    pub(super) primary: usize,
}

impl Shape {
    /// The group that a position belongs to.
    pub(super) fn group(self, position: usize) -> usize {
        position / self.size
    }

    /// The positions of a group.
    pub(super) fn positions(self, group: usize) -> core::ops::Range<usize> {
        let first = group.saturating_mul(self.size);
        first..first.saturating_add(self.size)
    }

    /// What feeds a group; a group's number is smaller than those of the groups it feeds.
    pub(super) fn above(self, group: usize) -> Above {
        if group < self.primary {
            return self.layout.parent(group).map_or(Above::Source, Above::Group);
        }
        let (tree, place) = ((group - self.primary) % self.primary, (group - self.primary) / self.primary);
        self.layout.parent(place).map_or(Above::Primary(tree), |above| Above::Group(self.secondary(tree, above)))
    }

    /// The groups that a group feeds, whether or not they exist.
    pub(super) fn below(self, group: usize) -> impl Iterator<Item = usize> {
        let is_primary = group < self.primary;
        let (tree, place) = match group.checked_sub(self.primary) {
            None => (group, group),
            Some(beyond) => (beyond % self.primary, beyond / self.primary),
        };
        let children = self.layout.children(place).filter_map(move |child| match is_primary {
            true => (child < self.primary).then_some(child),
            false => Some(self.secondary(tree, child)),
        });
        children.chain(is_primary.then(|| self.first_secondary(tree)))
    }

    /// The group that a group of the primary tree feeds once it has everything.
    pub(super) fn first_secondary(self, tree: usize) -> usize {
        self.secondary(tree, 0)
    }

    /// The group of the primary tree that feeds this one, if this is the first of a secondary tree.
    pub(super) fn feeds_secondary(self, group: usize) -> Option<usize> {
        group.checked_sub(self.primary).filter(|tree| *tree < self.primary)
    }

    fn secondary(self, tree: usize, place: usize) -> usize {
        place.saturating_mul(self.primary).saturating_add(self.primary).saturating_add(tree)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The recursion of \[001\], told by hand: take the first N of the list as children, deal the rest to them.
    pub(in crate::forest) fn deal(
        list: &[usize],
        fan_out: usize,
        parent: Option<usize>,
        parents: &mut [Option<usize>],
    ) {
        let (children, rest) = list.split_at(fan_out.min(list.len()));
        for (number, child) in children.iter().enumerate() {
            parents[*child] = parent;
            let share: Vec<usize> = rest.iter().copied().skip(number).step_by(fan_out).collect();
            deal(&share, fan_out, Some(*child), parents);
        }
    }

    #[test]
    fn stride_is_what_dealing_the_ranked_list_gives_for_any_n_and_any_number_of_terminals() {
        for fan_out in 1..=5 {
            for terminals in (0..130).chain([400]) {
                let mut parents = vec![None; terminals];
                deal(&(0..terminals).collect::<Vec<_>>(), fan_out, None, &mut parents);
                let layout = Layout::Stride { fan_out };
                let of_layout: Vec<_> = (0..terminals).map(|position| layout.parent(position)).collect();
                assert_eq!(of_layout, parents, "fan-out {fan_out}, {terminals} terminals");
            }
        }
    }

    #[test]
    fn children_and_levels_agree_with_parents() {
        for fan_out in 1..=5 {
            for layout in [Layout::Heap { fan_out }, Layout::Stride { fan_out }] {
                for position in 0..500 {
                    let level_above = layout.parent(position).map_or(0, |above| layout.level(above));
                    assert_eq!(layout.level(position), level_above + 1);
                    assert!(layout.children(position).all(|child| layout.parent(child) == Some(position)));
                    assert!(layout.parent(position).is_none_or(|above| above < position));
                    let listed = |above| layout.children(above).any(|child| child == position);
                    assert!(layout.parent(position).is_none_or(listed));
                }
            }
        }
    }

    #[test]
    fn levels_are_the_logarithm() {
        for fan_out in 2..=5_usize {
            let (mut heap_end, mut stride_end) = (0, 0);
            for level in 1..=5 {
                heap_end += fan_out.pow(level - 1);
                stride_end += fan_out.pow(level);
                assert_eq!(Layout::Heap { fan_out }.level(heap_end - 1), level as usize);
                assert_eq!(Layout::Heap { fan_out }.level(heap_end), level as usize + 1);
                assert_eq!(Layout::Stride { fan_out }.level(stride_end - 1), level as usize);
                assert_eq!(Layout::Stride { fan_out }.level(stride_end), level as usize + 1);
            }
        }
    }

    #[test]
    fn the_two_layouts_differ_in_an_unfinished_last_level() {
        let busy = |layout: Layout| [3, 4].map(|position| layout.parent(position).unwrap());
        assert_eq!(busy(Layout::BINARY), [1, 1], "of a heap the third level starts below one parent");
        assert_eq!([2, 3].map(|position| Layout::Stride { fan_out: 2 }.parent(position).unwrap()), [0, 1]);
    }

    #[test]
    fn groups_above_and_below_agree() {
        for (fan_out, primary) in [(1, 3), (2, 1), (2, 5), (3, 4), (2, usize::MAX)] {
            let shape = Shape { layout: Layout::Heap { fan_out }, size: 4, primary };
            for group in 0..200 {
                for below in shape.below(group).filter(|below| *below < 10_000) {
                    let is_first = shape.feeds_secondary(below).is_some();
                    let expected = if is_first { Above::Primary(group) } else { Above::Group(group) };
                    assert_eq!(shape.above(below), expected);
                }
                let (Above::Group(above) | Above::Primary(above)) = shape.above(group) else { continue };
                assert!(above < group && shape.below(above).any(|below| below == group));
            }
        }
    }
}
