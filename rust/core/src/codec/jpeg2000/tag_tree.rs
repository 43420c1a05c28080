//! Tag trees (T.800 B.10.2): two-dimensional arrays of numbers, coded with the minima of groups of 2 × 2.
//!
//! ```text
//! level 0   width × height leaves          node (x, y) of level l + 1 is the minimum of the nodes
//! level 1   half as wide and high          (2x, 2y), (2x + 1, 2y), (2x, 2y + 1), (2x + 1, 2y + 1) of level l
//! …
//! last      1 × 1, the root
//!
//! read a leaf up to a threshold, for each node from the root to the leaf:
//!   bound = max(bound of the node, bound of its parent)
//!   while bound < threshold and the value is not known: bit 1: value = bound; bit 0: bound + 1
//! ```
//!
//! The nodes of all trees of a tile are in one array, level by level.

use super::packet::BitReader;

/// Node of a tag tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// The value, or a lower bound of it.
    bound: u16,
    is_known: bool,
}

/// Largest number of levels: a side has at most 2^32 leaves.
const MAX_LEVELS: usize = 33;

/// Returns the number of nodes of a tree of `width` × `height` leaves.
pub(super) fn node_count(width: u32, height: u32) -> u64 {
    let (mut width, mut height) = (u64::from(width), u64::from(height));
    let mut count = width * height;
    while width * height > 1 {
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
        count += width * height;
    }
    count
}

/// Reads the value of leaf (`column`, `row`) of the tree `nodes`, as far as it is less than `threshold`. Returns it then.
pub(super) fn read(
    nodes: &mut [Node],
    (width, height): (u32, u32),
    (column, row): (u32, u32),
    threshold: u16,
    bits: &mut BitReader<'_>,
) -> Option<u16> {
    let mut path = [0_usize; MAX_LEVELS];
    let mut levels = 0;
    let (mut width, mut height, mut column, mut row) = (width as usize, height as usize, column as usize, row as usize);
    let mut level_start = 0;
    for index in &mut path {
        *index = level_start + row * width + column;
        levels += 1;
        if width * height <= 1 {
            break;
        }
        level_start += width * height;
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
        (column, row) = (column / 2, row / 2);
    }
    let (mut bound, mut is_known) = (0, false);
    for index in path.iter().take(levels).rev() {
        let Some(node) = nodes.get_mut(*index) else {
            debug_assert!(false, "a tree has all nodes of its leaves");
            return None;
        };
        bound = node.bound.max(bound);
        is_known = node.is_known;
        while bound < threshold && !is_known {
            if bits.bit() {
                is_known = true;
            } else {
                bound += 1;
            }
        }
        *node = Node { bound, is_known };
    }
    (is_known && bound < threshold).then_some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg2000::test_streams::{TagTreeEncoder, pack};
    use crate::testing::Random;

    #[test]
    fn read_values_of_an_encoder_gives_the_same_values() {
        let mut random = Random(7);
        for (width, height) in [(1, 1), (2, 1), (1, 3), (3, 2), (5, 7), (16, 4), (9, 9)] {
            let values: Vec<_> = (0..width * height).map(|_| u16::try_from(random.below(6)).unwrap()).collect();
            let mut encoder = TagTreeEncoder::new(width, height, &values);
            let mut queries = Vec::new();
            for threshold in [1, 2, 4, 7] {
                queries.extend((0..values.len()).map(|leaf| (leaf, threshold)));
            }
            let mut bits = Vec::new();
            queries.iter().for_each(|(leaf, t)| encoder.encode(leaf % width, leaf / width, *t, &mut bits));
            let bytes = pack(&bits);
            let size = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
            let mut nodes = vec![Node::default(); usize::try_from(node_count(size.0, size.1)).unwrap()];
            let mut reader = BitReader::new(&bytes);
            for (leaf, threshold) in queries {
                let position = (u32::try_from(leaf % width).unwrap(), u32::try_from(leaf / width).unwrap());
                let found = read(&mut nodes, size, position, threshold, &mut reader);
                let expected = Some(values[leaf]).filter(|value| *value < threshold);
                assert_eq!(found, expected, "{width}x{height}, leaf {leaf}, threshold {threshold}");
            }
            assert!(!reader.is_cut());
        }
    }

    #[test]
    fn node_count_counts_all_levels() {
        assert_eq!(node_count(0, 0), 0);
        assert_eq!(node_count(0, 4), 0);
        assert_eq!(node_count(1, 1), 1);
        assert_eq!(node_count(3, 2), 6 + 2 + 1);
        assert_eq!(node_count(5, 7), 35 + 12 + 4 + 1);
    }
}
