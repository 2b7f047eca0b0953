//! The shape of a left-balanced binary tree, and a place for each of its nodes.
//!
//! Nodes are numbered in order, as bao-tree does: leaf `i` has place `2 i`, and every inner node a place between those
//! of its left and its right subtree.
//!
//! ```text
//!         3
//!     ┌───┴───┐
//!     1       │
//!   ┌─┴─┐   ┌─┴─┐          five leaves: place 7 is the root, 3 its left child, and its right child is leaf 4,
//!   0   2   4   6   8      at place 8: (1,2) and (2,1) have no right child and are that leaf
//! ```
//!
//! A tree of `n` leaves thus fills the places from 0 to `2 n - 2` without a gap, and a node's number of trailing one
//! bits is its level. The same shape serves the packets of a content and the groups of a packet.

/// A tree of so many leaves. Levels here count from its leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    leaves: u32,
}

/// One step on the way from a leaf to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Place of the node that the step starts from.
    pub(super) node: u32,
    /// Level of its sibling.
    pub(super) sibling_level: u8,
    /// Index of its sibling.
    pub(super) sibling_index: u32,
    /// Place of its sibling.
    pub(super) sibling: u32,
    /// Whether the sibling is the left one.
    pub(super) sibling_is_left: bool,
    /// Place of the node above both.
    pub(super) parent: u32,
}

impl Shape {
    /// The tree of so many leaves, at most 2^30.
    pub(super) const fn new(leaves: u32) -> Self {
        Self { leaves }
    }

    /// How many nodes there are.
    pub(super) const fn nodes(self) -> u32 {
        (2 * self.leaves).saturating_sub(1)
    }

    /// Level of the root.
    pub(super) const fn height(self) -> u8 {
        self.leaves.next_power_of_two().trailing_zeros() as u8
    }

    /// Place of the root. 0 if there is no leaf.
    pub(super) const fn root(self) -> u32 {
        (1 << self.height()) - 1
    }

    /// How many nodes have names at this level, those that are their own left child among them.
    const fn count(self, level: u8) -> u32 {
        self.leaves.div_ceil(1 << level)
    }

    /// The place of a node; `None` if there is no such node.
    pub(super) const fn place(self, level: u8, index: u32) -> Option<u32> {
        if level > self.height() || index >= self.count(level) {
            return None;
        }
        let (mut level, mut index) = (level, index);
        while level > 0 && 2 * index + 1 >= self.count(level - 1) {
            level -= 1;
            index *= 2;
        }
        Some((index << (level + 1)) + (1 << level) - 1)
    }

    /// Places of the two children; `None` for a leaf and for a place that does not exist.
    pub(super) fn children(self, place: u32) -> Option<(u32, u32)> {
        let level = place.trailing_ones() as u8;
        if level == 0 || place >= self.nodes() {
            return None;
        }
        let index = place >> (level + 1);
        Some((self.place(level - 1, 2 * index)?, self.place(level - 1, 2 * index + 1)?))
    }

    /// The leaves under a place that exists.
    pub(super) fn leaves_under(self, place: u32) -> core::ops::Range<u32> {
        let level = place.trailing_ones();
        let first = (place >> (level + 1)) << level;
        first..(first + (1 << level)).min(self.leaves)
    }

    /// The way from a leaf up to the root, passing over levels at which a node has no sibling.
    pub(super) fn climb(self, leaf: u32) -> impl Iterator<Item = Step> {
        let (mut level, mut index) = (0, leaf);
        let top = if leaf < self.leaves { self.height() } else { 0 };
        core::iter::from_fn(move || {
            while level < top {
                let (node, sibling) = (self.place(level, index)?, self.place(level, index ^ 1));
                let (sibling_level, sibling_index) = (level, index ^ 1);
                level += 1;
                index /= 2;
                if let Some(sibling) = sibling {
                    let parent = self.place(level, index)?;
                    let sibling_is_left = sibling < node;
                    return Some(Step { node, sibling_level, sibling_index, sibling, sibling_is_left, parent });
                }
            }
            None
        })
    }
}
