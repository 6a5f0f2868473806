//! Boosted trees: numbers go in, the evidence for something comes out as a probability.
//!
//! The weights are data in a text file that `tests/answer/train.py` writes: a `model` line names a model, `shift` and
//! `scale` calibrate the sum of its trees, and each `tree` line has the nodes of one in the order of a walk that goes
//! left first: `7:350.5` asks whether feature 7 is at most 350.5 (left) or more (right), `=0.12` is a leaf.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects)
)]

use super::rhythm::FEATURES;

/// Nodes from the root to the deepest leaf, at most.
const DEPTH_MAX: usize = 24;
/// The feature of a leaf.
const LEAF: u16 = u16::MAX;

/// A question, or an answer when `feature` is [`LEAF`]. The left child follows at once.
#[derive(Clone, Copy, Debug)]
struct Node {
    feature: u16,
    right: u16,
    value: f32,
}

/// Trees whose leaves add up, and what their sum means.
#[derive(Clone, Debug, Default)]
pub struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u16>,
    shift: f32,
    scale: f32,
}

impl Forest {
    /// The model of this name in a text; `None` when it is not there or a line of it is wrong.
    pub fn parse(text: &str, name: &str) -> Option<Self> {
        let mut forest = Self { scale: 1.0, ..Self::default() };
        let mut is_here = false;
        let mut is_found = false;
        for line in text.lines().map(str::trim) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "model" => {
                    is_here = rest.trim() == name;
                    is_found |= is_here;
                }
                "shift" if is_here => forest.shift = rest.parse().ok()?,
                "scale" if is_here => forest.scale = rest.parse().ok()?,
                "tree" if is_here => {
                    let mut words = rest.split_whitespace();
                    forest.roots.push(u16::try_from(forest.nodes.len()).ok()?);
                    forest.grow(&mut words, 0)?;
                    if words.next().is_some() {
                        return None;
                    }
                }
                _ => {}
            }
        }
        (is_found && !forest.roots.is_empty()).then_some(forest)
    }

    /// Reads a node and what hangs from it.
    fn grow<'a>(&mut self, words: &mut impl Iterator<Item = &'a str>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let word = words.next()?;
        if let Some(value) = word.strip_prefix('=') {
            self.nodes.push(Node { feature: LEAF, right: 0, value: value.parse().ok()? });
            return Some(());
        }
        let (feature, value) = word.split_once(':')?;
        let feature: u16 = feature.parse().ok().filter(|&f| usize::from(f) < FEATURES)?;
        let at = self.nodes.len();
        self.nodes.push(Node { feature, right: 0, value: value.parse().ok()? });
        self.grow(words, depth.saturating_add(1))?;
        let right = u16::try_from(self.nodes.len()).ok()?;
        self.nodes.get_mut(at)?.right = right;
        self.grow(words, depth.saturating_add(1))
    }

    /// The probability that these features are of what the model is about. Some hundred comparisons.
    pub fn probability(&self, features: &[f32; FEATURES]) -> f32 {
        let sum: f32 = self.roots.iter().map(|&root| self.leaf(root, features)).sum();
        1.0 / (1.0 + (-(self.shift + self.scale * sum)).exp())
    }

    fn leaf(&self, root: u16, features: &[f32; FEATURES]) -> f32 {
        let mut at = usize::from(root);
        for _ in 0..=DEPTH_MAX {
            let Some(node) = self.nodes.get(at) else { return 0.0 };
            let Some(&x) = features.get(usize::from(node.feature)) else { return node.value };
            at = if x <= node.value { at.saturating_add(1) } else { usize::from(node.right) };
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# two models\nmodel a\nshift 0.5\nscale 2\ntree 0:10 =1 1:3 =2 =4\ntree =0.25\nmodel b\ntree =1\n";

    fn logistic(x: f32) -> f32 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn a_forest_walks_left_when_the_number_is_at_most_the_threshold() {
        let forest = Forest::parse(TEXT, "a").unwrap();
        let mut x = [0.0; FEATURES];
        for (first, second, sum) in [(10.0, 9.0, 1.25), (10.5, 3.0, 2.25), (11.0, 3.5, 4.25)] {
            (x[0], x[1]) = (first, second);
            assert_eq!(forest.probability(&x), logistic(0.5 + 2.0 * sum), "{first}, {second}");
        }
        assert_eq!(Forest::parse(TEXT, "b").unwrap().probability(&x), logistic(1.0));
    }

    #[test]
    fn weights_that_are_cut_off_or_wrong_are_refused() {
        assert!(Forest::parse(TEXT, "c").is_none());
        for wrong in ["tree 0:10 =1", "tree 0:10 =1 =2 =3", "tree 99:1 =1 =2", "tree 0:x =1 =2"] {
            assert!(Forest::parse(&format!("model a\n{wrong}\n"), "a").is_none(), "{wrong}");
        }
        let deep = "0:1 ".repeat(40) + &"=1 ".repeat(41);
        assert!(Forest::parse(&format!("model a\ntree {deep}\n"), "a").is_none());
    }
}
