//! How an author cuts a content into segments, and says which of them come first ([002] claims 1 and 6).
//!
//! ```text
//! fixed    | 0      | 0      | 0      | 0      | 0   |      equal lengths, all ordinary
//! ramp     |255|127  |63      |31              | 15  |      each twice as long as the one before, and half as urgent
//! ```
//!
//! A ramp is for what is used from its beginning: a small first segment is there soon and can be played while the next
//! comes. From its longest length on segments stay as long, but go on losing priority, down to 0.
//!
//! On top of either, or of the content as one whole, an author lays an [`Emphasis`]: a stretch with a priority of its
//! own, at whose ends segments are cut. Lengths are whole packets, since nothing smaller is scheduled; the ends of an
//! emphasis are where the author puts them.

use super::geometry::{ByteRange, CONTENT_BYTES_MAX, PACKET_BYTES};
use super::manifest::{SEGMENTS_MAX, Segment};

/// Priority of the first segment of a ramp.
const RAMP_PRIORITY: u8 = u8::MAX;
/// Where the length is left to us, it grows with the content so that there are at most so many; room for emphases.
const SEGMENTS_USUAL_MAX: u64 = SEGMENTS_MAX as u64 / 2;
/// Shortest length of equal segments, where it is left to us.
const FIXED_BYTES: u64 = 1 << 20;
/// Shortest length of a segment between cuts.
const CUT_BYTES: u64 = 256 << 10;
/// Length of a ramp's first segment, where it is left to us.
const RAMP_FIRST_BYTES: u64 = 256 << 10;
/// Shortest length at which a ramp stops to grow, where it is left to us.
const RAMP_LONGEST_BYTES: u64 = 16 << 20;

/// A way to cut a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmentation {
    /// One piece.
    Whole,
    /// Pieces of equal length, the last perhaps shorter.
    Fixed {
        /// Their length; `None` chooses by the content's size.
        len_bytes: Option<u64>,
    },
    /// Pieces that double in length and halve in priority.
    Ramp {
        /// Length of the first; `None` is 256 KiB.
        first_bytes: Option<u64>,
        /// Longest length; `None` chooses by the content's size.
        longest_bytes: Option<u64>,
    },
}

/// A stretch that the author gives a priority of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emphasis {
    /// Which bytes.
    pub range: ByteRange,
    /// Their priority.
    pub priority: u8,
}

/// Why a content can't be cut so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentationError {
    /// A segment without bytes.
    #[error("a segment has at least one byte")]
    Empty,
    /// More than [`SEGMENTS_MAX`].
    #[error("these would be more than {SEGMENTS_MAX} segments, the most there can be: make them longer")]
    TooMany,
    /// The ramp would fall.
    #[error("a ramp's longest segment is not shorter than its first")]
    Falling,
    /// A stretch that is not in the content.
    #[error("the bytes from {start} to {end} are not in the content, which has {size_bytes}", start = range.start, end = range.end)]
    Outside {
        /// Which.
        range: ByteRange,
        /// Of the content.
        size_bytes: u64,
    },
}

impl Segmentation {
    /// The segments of a content of this size, in order, without gap. A later emphasis counts more than an earlier one.
    /// Nothing for a content without bytes, and for one that is neither cut nor emphasised.
    pub fn cut(self, size_bytes: u64, emphases: &[Emphasis]) -> Result<Vec<Segment>, SegmentationError> {
        let segments = match self {
            Self::Whole if emphases.is_empty() => Vec::new(),
            Self::Whole => cut_growing(size_bytes, [CONTENT_BYTES_MAX; 2], 0)?,
            Self::Fixed { len_bytes } => {
                let len_bytes = whole_packets(len_bytes.unwrap_or_else(|| fitting(FIXED_BYTES, size_bytes)))?;
                cut_growing(size_bytes, [len_bytes; 2], 0)?
            }
            Self::Ramp { first_bytes, longest_bytes } => {
                let first_bytes = whole_packets(first_bytes.unwrap_or(RAMP_FIRST_BYTES))?;
                let usual = || fitting(RAMP_LONGEST_BYTES, size_bytes).max(first_bytes);
                let longest_bytes = whole_packets(longest_bytes.unwrap_or_else(usual))?;
                if longest_bytes < first_bytes {
                    return Err(SegmentationError::Falling);
                }
                cut_growing(size_bytes, [first_bytes, longest_bytes], RAMP_PRIORITY)?
            }
        };
        emphases.iter().try_fold(segments, |segments, emphasis| emphasise(&segments, *emphasis, size_bytes))
    }
}

/// Segments that begin where the content itself says, as a film does where a player can begin; those closer together than
/// 256 KiB, or more if the content is huge, become one. Priorities are those of the emphases, otherwise 0.
pub fn cut_at(cuts: &[u64], size_bytes: u64, emphases: &[Emphasis]) -> Result<Vec<Segment>, SegmentationError> {
    let least_bytes = fitting(CUT_BYTES, size_bytes);
    let mut sorted: Vec<u64> = cuts.iter().copied().filter(|cut| (1..size_bytes).contains(cut)).collect();
    sorted.sort_unstable();
    let mut starts = vec![0];
    for cut in sorted {
        if starts.last().is_some_and(|last| cut - last >= least_bytes) {
            starts.push(cut);
        }
    }
    let ends = starts.iter().skip(1).copied().chain([size_bytes]);
    let between = starts.iter().zip(ends).filter(|(start, end)| *start < end);
    let segments = between.map(|(start, end)| Segment { offset_bytes: *start, len_bytes: end - start, priority: 0 });
    emphases
        .iter()
        .try_fold(segments.collect(), |segments: Vec<_>, emphasis| emphasise(&segments, *emphasis, size_bytes))
}

/// A length that is usual, or, for a large content, the least power of two times it that keeps the segments few.
fn fitting(usual_bytes: u64, size_bytes: u64) -> u64 {
    let mut len_bytes = usual_bytes;
    while size_bytes.div_ceil(len_bytes) > SEGMENTS_USUAL_MAX {
        len_bytes *= 2;
    }
    len_bytes
}

fn whole_packets(len_bytes: u64) -> Result<u64, SegmentationError> {
    match len_bytes.min(CONTENT_BYTES_MAX) {
        0 => Err(SegmentationError::Empty),
        len_bytes => Ok(len_bytes.next_multiple_of(u64::from(PACKET_BYTES))),
    }
}

/// Segments from the first length up to the longest, each twice as long as the one before and half as urgent.
fn cut_growing(
    size_bytes: u64,
    [first_bytes, longest_bytes]: [u64; 2],
    first_priority: u8,
) -> Result<Vec<Segment>, SegmentationError> {
    let (mut segments, mut offset_bytes) = (Vec::new(), 0);
    let (mut len_bytes, mut priority) = (first_bytes, first_priority);
    while offset_bytes < size_bytes {
        if segments.len() == SEGMENTS_MAX {
            return Err(SegmentationError::TooMany);
        }
        let here_bytes = len_bytes.min(size_bytes - offset_bytes);
        segments.push(Segment { offset_bytes, len_bytes: here_bytes, priority });
        offset_bytes += here_bytes;
        len_bytes = (len_bytes * 2).min(longest_bytes);
        priority /= 2;
    }
    Ok(segments)
}

/// Gives a stretch its priority, cutting the segments at its ends.
fn emphasise(
    segments: &[Segment],
    Emphasis { range, priority }: Emphasis,
    size_bytes: u64,
) -> Result<Vec<Segment>, SegmentationError> {
    if range.start >= range.end || range.end > size_bytes {
        return Err(SegmentationError::Outside { range, size_bytes });
    }
    let mut cut = Vec::with_capacity(segments.len() + 2);
    for segment in segments {
        let (start, end) = (segment.offset_bytes, segment.offset_bytes + segment.len_bytes);
        let (inner_start, inner_end) = (range.start.clamp(start, end), range.end.clamp(start, end));
        for (from, to, priority) in [
            (start, inner_start, segment.priority),
            (inner_start, inner_end, priority),
            (inner_end, end, segment.priority),
        ] {
            if from < to {
                cut.push(Segment { offset_bytes: from, len_bytes: to - from, priority });
            }
        }
    }
    if cut.len() > SEGMENTS_MAX { Err(SegmentationError::TooMany) } else { Ok(cut) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;

    fn emphasis(start: u64, end: u64, priority: u8) -> Emphasis {
        Emphasis { range: ByteRange { start, end }, priority }
    }

    fn lens_and_priorities(segments: &[Segment]) -> Vec<(u64, u8)> {
        segments.iter().map(|segment| (segment.len_bytes, segment.priority)).collect()
    }

    fn cut(segmentation: Segmentation, size_bytes: u64, emphases: &[Emphasis]) -> Vec<(u64, u8)> {
        lens_and_priorities(&segmentation.cut(size_bytes, emphases).unwrap())
    }

    /// C1: segments of varied length.
    #[test]
    fn a_ramp_doubles_and_becomes_less_urgent() {
        let ramp = Segmentation::Ramp { first_bytes: Some(64 * KIB), longest_bytes: Some(256 * KIB) };
        let lens = [(64, 255), (128, 127), (256, 63), (256, 31), (256, 15), (256, 7), (256, 3), (256, 1), (256, 0)];
        let expected: Vec<_> = lens.map(|(len, priority)| (len * KIB, priority)).to_vec();
        assert_eq!(cut(ramp, 1984 * KIB, &[])[..], expected);
        assert_eq!(cut(ramp, 1, &[]), [(1, 255)]);
        let usual = Segmentation::Ramp { first_bytes: None, longest_bytes: None };
        assert_eq!(cut(usual, 1000 * KIB, &[]), [(256 * KIB, 255), (512 * KIB, 127), (232 * KIB, 63)]);
    }

    #[test]
    fn fixed_segments_are_whole_packets() {
        let fixed = |len_bytes| Segmentation::Fixed { len_bytes };
        assert_eq!(cut(fixed(Some(1)), 65 * KIB, &[]), [(64 * KIB, 0), (KIB, 0)]);
        assert_eq!(cut(fixed(None), 3 * MIB - 1, &[]), [(MIB, 0), (MIB, 0), (MIB - 1, 0)]);
    }

    #[test]
    fn an_emphasis_cuts_where_the_author_says() {
        assert_eq!(cut(Segmentation::Whole, 100, &[]), []);
        assert_eq!(cut(Segmentation::Whole, 100, &[emphasis(0, 100, 9)]), [(100, 9)]);
        assert_eq!(cut(Segmentation::Whole, 100, &[emphasis(10, 20, 9)]), [(10, 0), (10, 9), (80, 0)]);
        let both = [emphasis(10, 30, 9), emphasis(20, 40, 7)];
        assert_eq!(cut(Segmentation::Whole, 100, &both), [(10, 0), (10, 9), (10, 7), (10, 7), (60, 0)]);
        let fixed = Segmentation::Fixed { len_bytes: Some(64 * KIB) };
        let last = emphasis(129 * KIB, 130 * KIB, 1);
        assert_eq!(cut(fixed, 130 * KIB, &[last]), [(64 * KIB, 0), (64 * KIB, 0), (KIB, 0), (KIB, 1)]);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        use SegmentationError::{Empty, Falling, Outside, TooMany};
        let fixed = |len_bytes| Segmentation::Fixed { len_bytes: Some(len_bytes) };
        assert_eq!(fixed(0).cut(10, &[]), Err(Empty));
        assert_eq!(fixed(1).cut(CONTENT_BYTES_MAX, &[]), Err(TooMany));
        let ramp = Segmentation::Ramp { first_bytes: Some(MIB), longest_bytes: Some(64 * KIB) };
        assert_eq!(ramp.cut(10, &[]), Err(Falling));
        for (start, end) in [(0, 11), (5, 5), (6, 5), (10, 11)] {
            let range = ByteRange { start, end };
            let cut = Segmentation::Whole.cut(10, &[emphasis(start, end, 1)]);
            assert_eq!(cut, Err(Outside { range, size_bytes: 10 }));
        }
    }

    #[test]
    fn cuts_that_are_too_close_are_left_out() {
        let cuts = [900 * KIB, 300 * KIB, 310 * KIB, 0, 2000 * KIB];
        let segments = cut_at(&cuts, 1000 * KIB, &[emphasis(990 * KIB, 1000 * KIB, 255)]).unwrap();
        assert_eq!(lens_and_priorities(&segments), [(300 * KIB, 0), (600 * KIB, 0), (90 * KIB, 0), (10 * KIB, 255)]);
        assert_eq!(cut_at(&cuts, 0, &[]), Ok(vec![]));
    }

    fn any_segmentation() -> impl Strategy<Value = Segmentation> {
        let len = || prop::option::of(prop_oneof![1..10 * MIB, any::<u64>()]);
        prop_oneof![
            Just(Segmentation::Whole),
            len().prop_map(|len_bytes| Segmentation::Fixed { len_bytes }),
            (len(), len()).prop_map(|(first_bytes, longest_bytes)| Segmentation::Ramp { first_bytes, longest_bytes }),
        ]
    }

    proptest! {
        #[test]
        fn segments_cover_the_content(
            segmentation in any_segmentation(),
            size_bytes in prop_oneof![0..100 * MIB, 0..=CONTENT_BYTES_MAX],
            emphases in prop::collection::vec((0.0..1.0, 0.0..1.0, any::<u8>()), 0..8),
        ) {
            let at = |share: f64| (share * size_bytes as f64) as u64;
            let emphases: Vec<_> = emphases
                .into_iter()
                .map(|(one, other, priority)| emphasis(at(one).min(at(other)), at(one).max(at(other)), priority))
                .filter(|emphasis| !emphasis.range.is_empty())
                .collect();
            let Ok(segments) = segmentation.cut(size_bytes, &emphases) else { return Ok(()) };
            prop_assert!(segments.len() <= SEGMENTS_MAX);
            let mut end_bytes = 0;
            for segment in &segments {
                prop_assert!(segment.len_bytes > 0 && segment.offset_bytes == end_bytes);
                end_bytes += segment.len_bytes;
                // Whoever was last to say something of a byte is heard.
                let says = |emphasis: &&Emphasis| {
                    emphasis.range.start <= segment.offset_bytes && segment.offset_bytes < emphasis.range.end
                };
                if let Some(last) = emphases.iter().rev().find(says) {
                    prop_assert_eq!(segment.priority, last.priority);
                }
            }
            prop_assert!(segments.is_empty() || end_bytes == size_bytes);
            prop_assert_eq!(segments.is_empty(), size_bytes == 0 || (segmentation == Segmentation::Whole && emphases.is_empty()));
        }

        /// However many there are.
        #[test]
        fn cuts_cover_the_content(
            size_bytes in 1..=CONTENT_BYTES_MAX,
            shares in prop::collection::vec(0.0..1.0, 0..64),
            step in prop_oneof![Just(None), (1..1000_u64).prop_map(Some)],
        ) {
            let mut cuts: Vec<u64> = shares.iter().map(|share| (share * size_bytes as f64) as u64).collect();
            cuts.extend(step.into_iter().flat_map(|step| (0..30_000).map(move |at| at * step * KIB)));
            let segments = cut_at(&cuts, size_bytes, &[]).unwrap();
            prop_assert!(segments.len() <= SEGMENTS_MAX / 2 + 1);
            let starts: Vec<u64> = segments.iter().map(|segment| segment.offset_bytes).collect();
            prop_assert!(starts.iter().all(|start| *start == 0 || cuts.contains(start)));
            prop_assert_eq!(segments.iter().map(|segment| segment.len_bytes).sum::<u64>(), size_bytes);
        }

        /// What is left to us always works.
        #[test]
        fn usual_lengths_suit_any_content(size_bytes in 0..=CONTENT_BYTES_MAX) {
            let fixed = Segmentation::Fixed { len_bytes: None }.cut(size_bytes, &[]).unwrap();
            let ramp = Segmentation::Ramp { first_bytes: None, longest_bytes: None }.cut(size_bytes, &[]).unwrap();
            prop_assert!(fixed.len().max(ramp.len()) <= SEGMENTS_MAX / 2 + 16);
            prop_assert!(ramp.windows(2).all(|pair| pair[0].priority > pair[1].priority || pair[0].priority == 0));
        }
    }
}
