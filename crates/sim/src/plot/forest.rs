//! Who feeds whom, stripe by stripe: as trees while single peers can be told apart, by depth beyond.

use std::collections::{BTreeMap, VecDeque};

use super::{COLOURS, MARGIN, WIDTH, card, line, put, text};
use crate::network::NodeId;
use crate::record::{Moment, Standing};

/// Up to so many peers each is drawn.
const SINGLE_MAX: usize = 61;
const ROW_HEIGHT: f64 = 52.0;
const BAR_HEIGHT: f64 = 26.0;
const PANEL_HEAD: f64 = 44.0;
const GAP: f64 = 16.0;

/// One stripe's tree, or what comes near it.
struct Tree {
    children: BTreeMap<NodeId, Vec<NodeId>>,
    depths: BTreeMap<NodeId, usize>,
    roots: Vec<NodeId>,
    depth_max: usize,
    /// Those who were fed by nobody and fed nobody.
    apart: usize,
}

impl Tree {
    /// Where feeders go round in a circle, as they may in a mesh, it is cut at its first peer.
    fn new(moment: &Moment, feeders: &BTreeMap<NodeId, NodeId>) -> Self {
        let mut children: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (to, from) in feeders {
            children.entry(*from).or_default().push(*to);
        }
        let mut tree =
            Self { children: BTreeMap::new(), depths: BTreeMap::new(), roots: Vec::new(), depth_max: 0, apart: 0 };
        let roots = children.keys().filter(|node| !feeders.contains_key(node));
        for root in roots.chain(feeders.keys()) {
            if !tree.depths.contains_key(root) {
                tree.roots.push(*root);
                tree.grow(*root, &children);
            }
        }
        tree.apart = moment.standings.iter().filter(|standing| !tree.depths.contains_key(&standing.node)).count();
        tree
    }

    fn grow(&mut self, root: NodeId, children: &BTreeMap<NodeId, Vec<NodeId>>) {
        self.depths.insert(root, 0);
        let mut queue = VecDeque::from([root]);
        while let Some(node) = queue.pop_front() {
            let depth = self.depths[&node] + 1;
            for child in children.get(&node).into_iter().flatten() {
                if !self.depths.contains_key(child) {
                    self.depths.insert(*child, depth);
                    self.depth_max = self.depth_max.max(depth);
                    self.children.entry(node).or_default().push(*child);
                    queue.push_back(*child);
                }
            }
        }
    }

    /// Places from left to right: leaves one after another, the others above the middle of their children.
    fn places(&self) -> (BTreeMap<NodeId, f64>, usize) {
        let mut places = BTreeMap::new();
        let mut leaves = 0;
        let mut stack: Vec<(NodeId, bool)> = self.roots.iter().rev().map(|root| (*root, false)).collect();
        while let Some((node, is_done)) = stack.pop() {
            match self.children.get(&node) {
                Some(children) if is_done => {
                    let (first, last) = (places[&children[0]], places[&children[children.len() - 1]]);
                    places.insert(node, f64::midpoint(first, last));
                }
                Some(children) => {
                    stack.push((node, true));
                    stack.extend(children.iter().rev().map(|child| (*child, false)));
                }
                None => {
                    places.insert(node, leaves as f64 + 0.5);
                    leaves += 1;
                }
            }
        }
        (places, leaves)
    }
}

/// Where a stripe is drawn.
struct Panel {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    colour: usize,
}

/// Draws all stripes from `top` on; how high they are.
pub(super) fn draw(out: &mut String, moment: &Moment, top: f64) -> f64 {
    let at_s = moment.at.as_micros() as f64 / 1e6;
    let trees: Vec<Tree> = moment.feeders.iter().map(|feeders| Tree::new(moment, feeders)).collect();
    let is_single = moment.standings.len() <= SINGLE_MAX;
    let what = if is_single {
        "each peer by its number"
    } else {
        "peers by depth: how many, how many of them feed others (strong), and their mean uplink"
    };
    let head = format!("Who feeds whom after {at_s:.1} s, {what}");
    text(out, "head", MARGIN, top + 20.0, "start", &head);
    let columns = trees.len().clamp(1, 2);
    let width = (WIDTH - MARGIN - GAP * (columns - 1) as f64) / columns as f64;
    let by_node: BTreeMap<NodeId, Standing> =
        moment.standings.iter().map(|standing| (standing.node, *standing)).collect();
    let mut bottom = top + 36.0;
    for (row, side_by_side) in trees.chunks(columns).enumerate() {
        let depths = side_by_side.iter().map(|tree| tree.depth_max + 1).max().unwrap_or(1) as f64;
        let height = PANEL_HEAD + depths * if is_single { ROW_HEIGHT } else { BAR_HEIGHT + 8.0 };
        for (column, tree) in side_by_side.iter().enumerate() {
            let stripe = row * columns + column;
            let left = MARGIN / 2.0 + column as f64 * (width + GAP);
            let panel = Panel { left, top: bottom, width, height, colour: stripe % COLOURS };
            draw_panel(out, &panel, stripe, tree, &by_node, is_single);
        }
        bottom += height + GAP;
    }
    bottom - top
}

fn draw_panel(
    out: &mut String,
    panel: &Panel,
    stripe: usize,
    tree: &Tree,
    by_node: &BTreeMap<NodeId, Standing>,
    is_single: bool,
) {
    card(out, panel.left, panel.top, panel.width, panel.height);
    put(out, format_args!("<g class=\"c{}\">\n", panel.colour));
    put(
        out,
        format_args!(
            "<circle class=\"bar\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\"/>\n",
            panel.left + 20.0,
            panel.top + 20.0
        ),
    );
    text(out, "head", panel.left + 32.0, panel.top + 24.5, "start", &format!("stripe {stripe}"));
    let mut note = format!("depth {}", tree.depth_max);
    if tree.apart > 0 {
        note += &format!(" · {} not fed just now", tree.apart);
    }
    text(out, "soft small", panel.left + panel.width - 14.0, panel.top + 24.0, "end", &note);
    if is_single {
        draw_tree(out, panel, tree, by_node);
    } else {
        draw_depths(out, panel, tree, by_node);
    }
    put(out, format_args!("</g>\n"));
}

fn draw_tree(out: &mut String, panel: &Panel, tree: &Tree, by_node: &BTreeMap<NodeId, Standing>) {
    let (places, leaves) = tree.places();
    let step = (panel.width - 36.0) / leaves.max(1) as f64;
    let x = |node: &NodeId| panel.left + 18.0 + places[node] * step;
    let y = |node: &NodeId| panel.top + PANEL_HEAD + 10.0 + tree.depths[node] as f64 * ROW_HEIGHT;
    for (parent, children) in &tree.children {
        let (x1, y1) = (x(parent), y(parent));
        for child in children {
            let (x2, y2, middle) = (x(child), y(child), f64::midpoint(y1, y(child)));
            let width = if tree.children.contains_key(child) { 1.8 } else { 1.0 };
            put(
                out,
                format_args!(
                    "<path class=\"edge\" stroke-width=\"{width}\" \
                     d=\"M{x1:.1} {y1:.1}C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} {y2:.1}\"/>\n"
                ),
            );
        }
    }
    for node in tree.depths.keys() {
        draw_node(out, (x(node), y(node)), *node, by_node.get(node), tree.children.contains_key(node), step);
    }
}

fn draw_node(out: &mut String, at: (f64, f64), node: NodeId, standing: Option<&Standing>, feeds: bool, step: f64) {
    let (x, y) = at;
    let number = node.0;
    let up_mbit = standing.map_or(0.0, mbit);
    if standing.is_some_and(|standing| standing.is_source) {
        put(
            out,
            format_args!(
                "<rect class=\"node\" x=\"{:.1}\" y=\"{:.1}\" width=\"46\" height=\"20\" rx=\"6\">\
                 <title>source, {up_mbit:.1} Mbit/s up</title></rect>\n",
                x - 23.0,
                y - 10.0
            ),
        );
        return text(out, "small on", x, y + 3.5, "middle", "source");
    }
    let (class, radius) =
        if feeds { ("node", (step * 0.52).clamp(6.0, 9.0)) } else { ("leaf", (step * 0.38).clamp(2.2, 5.0)) };
    put(
        out,
        format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\">\
             <title>peer {number}, {up_mbit:.1} Mbit/s up</title></circle>\n"
        ),
    );
    if feeds {
        let (class, below) = if radius < 9.0 { ("tiny on", 2.5) } else { ("small on", 3.5) };
        text(out, class, x, y + below, "middle", &number.to_string());
    } else if step > 14.0 {
        text(out, "soft small", x, y + 17.0, "middle", &number.to_string());
    } else {
        let (x, y) = (x + 2.4, y + 8.0);
        put(
            out,
            format_args!(
                "<text class=\"soft tiny\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"end\">{number}</text>\n"
            ),
        );
    }
}

/// A bar for each depth, as long as there are peers, in the colour's strength of those who feed.
fn draw_depths(out: &mut String, panel: &Panel, tree: &Tree, by_node: &BTreeMap<NodeId, Standing>) {
    let mut rows = vec![(0_usize, 0_usize, 0.0); tree.depth_max + 1];
    for (node, depth) in &tree.depths {
        let (count, feed, up_mbit) = &mut rows[*depth];
        *count += 1;
        *feed += usize::from(tree.children.contains_key(node));
        *up_mbit += by_node.get(node).map_or(0.0, mbit);
    }
    let most = rows.iter().map(|(count, _, _)| *count).max().unwrap_or(1).max(1) as f64;
    let room = panel.width - 200.0;
    for (depth, (count, feed, up_mbit)) in rows.iter().enumerate() {
        let y = panel.top + PANEL_HEAD + depth as f64 * (BAR_HEIGHT + 8.0);
        let (width, feeding) = (room * *count as f64 / most, room * *feed as f64 / most);
        text(out, "soft small", panel.left + 30.0, y + 17.0, "end", &depth.to_string());
        for (width, opacity) in [(width, 0.28), (feeding, 0.85)] {
            put(
                out,
                format_args!(
                    "<rect class=\"bar\" fill-opacity=\"{opacity}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
                     height=\"{BAR_HEIGHT}\" rx=\"4\"/>\n",
                    panel.left + 38.0,
                    width.max(if *feed > 0 || opacity < 0.5 { 2.0 } else { 0.0 })
                ),
            );
        }
        let mean = up_mbit / (*count).max(1) as f64;
        let label = format!("{count}, {feed} feed · {mean:.1} Mbit/s");
        text(out, "small", panel.left + 46.0 + width, y + 17.0, "start", &label);
    }
    let bottom = panel.top + PANEL_HEAD - 6.0;
    line(out, "grid", (panel.left + 38.0, bottom), (panel.left + 38.0, panel.top + panel.height - 8.0));
}

fn mbit(standing: &Standing) -> f64 {
    standing.up_bytes_per_s as f64 * 8.0 / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pleach_core::time::Time;

    use super::*;

    fn moment(edges: &[(u32, u32)]) -> Moment {
        let nodes: BTreeSet<u32> = edges.iter().flat_map(|(from, to)| [*from, *to]).collect();
        let standing = |node: u32| Standing { node: NodeId(node), up_bytes_per_s: 1_000, is_source: node == 0 };
        Moment {
            at: Time::ZERO,
            standings: nodes.into_iter().map(standing).collect(),
            feeders: vec![edges.iter().map(|(from, to)| (NodeId(*to), NodeId(*from))).collect()],
        }
    }

    #[test]
    fn depths_count_from_those_who_are_fed_by_nobody() {
        let moment = moment(&[(0, 1), (1, 2), (1, 3), (3, 4)]);
        let tree = Tree::new(&moment, &moment.feeders[0]);
        assert_eq!((tree.roots.len(), tree.depth_max, tree.depths[&NodeId(4)]), (1, 3, 3));
        assert_eq!(tree.places().1, 2);
    }

    #[test]
    fn a_circle_is_cut() {
        let moment = moment(&[(1, 2), (2, 3), (3, 1)]);
        let tree = Tree::new(&moment, &moment.feeders[0]);
        assert_eq!((tree.roots.clone(), tree.depth_max), (vec![NodeId(1)], 2));
        let mut out = String::new();
        assert!(draw(&mut out, &moment, 0.0) > 0.0);
    }
}
