//! Which bytes of the content are in which file.
//!
//! ```text
//! content  |0                                             size_bytes|
//! files    |   a   |          b          |         d         |  e   |     c has no bytes
//! ```
//!
//! The content is the files' bytes one after the other, so a packet may begin in one file and end in another, and span
//! many small ones. A file without bytes is in no range: who saves the content makes it all the same.

use super::geometry::ByteRange;

/// Where each file lies in the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where each file ends; so where the next one begins.
    ends_bytes: Vec<u64>,
}

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// The file's number.
    pub file: usize,
    /// Where the stretch begins in the file.
    pub offset_bytes: u64,
    /// Its length, at least 1.
    pub len_bytes: u64,
}

impl Layout {
    /// Files of these sizes, one after the other. A sum beyond what 64 bits count stays at their end.
    pub fn new(sizes_bytes: impl IntoIterator<Item = u64>) -> Self {
        let add = |end: &mut u64, size_bytes: u64| {
            *end = end.saturating_add(size_bytes);
            Some(*end)
        };
        Self { ends_bytes: sizes_bytes.into_iter().scan(0, add).collect() }
    }

    /// How many files.
    pub fn files(&self) -> usize {
        self.ends_bytes.len()
    }

    /// Bytes of all files together.
    pub fn size_bytes(&self) -> u64 {
        self.ends_bytes.last().copied().unwrap_or(0)
    }

    /// Where a file lies in the content; nothing at its end if there is no such file.
    pub fn file_range(&self, file: usize) -> ByteRange {
        let end_of = |file: usize| self.ends_bytes.get(file).copied().unwrap_or_else(|| self.size_bytes());
        ByteRange { start: file.checked_sub(1).map_or(0, end_of), end: end_of(file) }
    }

    /// The stretches of files that make up a stretch of the content, in order. What is beyond the content is in none.
    pub fn parts(&self, offset_bytes: u64, len_bytes: u64) -> impl Iterator<Item = FilePart> + '_ {
        let end_bytes = offset_bytes.saturating_add(len_bytes);
        let first = self.ends_bytes.partition_point(|end| *end <= offset_bytes);
        let begun = (first..self.files()).take_while(move |file| self.file_range(*file).start < end_bytes);
        begun.map(move |file| self.part(file, offset_bytes, end_bytes)).filter(|part| part.len_bytes > 0)
    }

    /// What a file has of a stretch of the content.
    fn part(&self, file: usize, start_bytes: u64, end_bytes: u64) -> FilePart {
        let range = self.file_range(file);
        let start = range.start.max(start_bytes);
        let end = range.end.min(end_bytes);
        FilePart { file, offset_bytes: start - range.start, len_bytes: end.saturating_sub(start) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(layout: &Layout, offset_bytes: u64, len_bytes: u64) -> Vec<(usize, u64, u64)> {
        layout.parts(offset_bytes, len_bytes).map(|part| (part.file, part.offset_bytes, part.len_bytes)).collect()
    }

    #[test]
    fn a_range_is_found_in_its_files() {
        let layout = Layout::new([3, 0, 4, 0, 0, 1]);
        assert_eq!((layout.files(), layout.size_bytes()), (6, 8));
        assert_eq!(parts(&layout, 0, 8), [(0, 0, 3), (2, 0, 4), (5, 0, 1)]);
        assert_eq!(parts(&layout, 2, 2), [(0, 2, 1), (2, 0, 1)]);
        assert_eq!(parts(&layout, 3, 4), [(2, 0, 4)]);
        assert_eq!(parts(&layout, 7, 100), [(5, 0, 1)]);
        assert_eq!(parts(&layout, 8, 1), []);
        assert_eq!(parts(&layout, 4, 0), []);
        assert_eq!(parts(&Layout::new([]), 0, 1), []);
        assert_eq!(parts(&Layout::new([0]), 0, 1), []);
        assert_eq!(layout.file_range(2), ByteRange { start: 3, end: 7 });
        assert!(layout.file_range(3).is_empty() && layout.file_range(99).is_empty());
    }

    proptest! {
        /// Reading by parts gives what reading the concatenation gives.
        #[test]
        fn parts_are_the_content(
            sizes in prop::collection::vec(0_u64..20, 0..30), offset in 0_u64..400, len in 0_u64..400,
        ) {
            let layout = Layout::new(sizes.iter().copied());
            let content: Vec<(usize, u64)> =
                sizes.iter().enumerate().flat_map(|(file, size)| (0..*size).map(move |at| (file, at))).collect();
            let by_parts: Vec<(usize, u64)> = layout
                .parts(offset, len)
                .flat_map(|part| (0..part.len_bytes).map(move |at| (part.file, part.offset_bytes + at)))
                .collect();
            let start = (offset as usize).min(content.len());
            let end = ((offset + len) as usize).min(content.len());
            prop_assert_eq!(&by_parts[..], &content[start..end]);
        }

        #[test]
        fn no_numbers_make_it_panic(
            sizes in prop::collection::vec(any::<u64>(), 0..5), offset in any::<u64>(), len in any::<u64>(),
        ) {
            let layout = Layout::new(sizes);
            prop_assert!(layout.parts(offset, len).count() <= layout.files());
        }
    }
}
