//! The manifests that the server keeps, so that whoever opens a link finds what the link is about.
//!
//! Memory only: a manifest is small, and the peers of a live swarm upload it again when the tracker says that it is
//! wanted. Several manifests may belong to one content (the same bytes under other names, or by another author), so
//! they are kept by digest, which the link carries, and found by content.
//!
//! Bounds: [`MANIFEST_BYTES_MAX`](pleach_core::content::MANIFEST_BYTES_MAX) each; [`PER_CONTENT_MAX`] of one content; a number of bytes in all, counting
//! [`OVERHEAD_BYTES`] more for each. Beyond the last two the one not asked for longest goes. A *pinned* one, of a
//! seeder in this process, never goes and is given first.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use lru::LruCache;
use pleach_core::ids::{ContentId, ManifestDigest};

/// Most manifests of one content that are not pinned.
const PER_CONTENT_MAX: usize = 4;
/// What keeping one costs beside its bytes, about.
const OVERHEAD_BYTES: usize = 256;

/// The manifests held.
pub(crate) struct Manifests {
    bytes_max: usize,
    bytes_held: usize,
    bytes_pinned: usize,
    /// Counts uses, to tell which came later.
    uses: u64,
    held: HashMap<ManifestDigest, Held>,
    /// Digests of each content, pinned ones first, then as they came.
    by_content: BTreeMap<ContentId, Vec<ManifestDigest>>,
    /// Those that may go, by their last use.
    recency: LruCache<ManifestDigest, ()>,
}

struct Held {
    content: ContentId,
    bytes: Bytes,
    /// The count of its last use.
    used: u64,
}

/// What a [`Manifests::insert`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inserted {
    /// It was not held before.
    pub(crate) new: bool,
    /// Contents of which no manifest is held any more.
    pub(crate) lost: Vec<ContentId>,
}

/// There is no room, since what is pinned takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory for manifests is full")]
pub struct ManifestsFull;

impl Manifests {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes_held: 0,
            bytes_pinned: 0,
            uses: 0,
            held: HashMap::new(),
            by_content: BTreeMap::new(),
            recency: LruCache::unbounded(),
        }
    }

    /// Keeps a manifest, which was checked to belong to the content and to be valid.
    pub(crate) fn insert(
        &mut self,
        content: ContentId,
        digest: ManifestDigest,
        bytes: Bytes,
        pinned: bool,
    ) -> Result<Inserted, ManifestsFull> {
        if self.held.contains_key(&digest) {
            self.touch(digest);
            if pinned {
                self.pin(content, digest);
            }
            return Ok(Inserted::default());
        }
        let lost = self.make_room(content, cost(&bytes), pinned)?;
        self.bytes_held += cost(&bytes);
        self.held.insert(digest, Held { content, bytes, used: 0 });
        self.by_content.entry(content).or_default().push(digest);
        self.recency.push(digest, ());
        self.touch(digest);
        if pinned {
            self.pin(content, digest);
        }
        Ok(Inserted { new: true, lost })
    }

    /// One of a content: exactly that of the digest, if it is given, else the first.
    pub(crate) fn get(
        &mut self,
        content: ContentId,
        digest: Option<ManifestDigest>,
    ) -> Option<(ManifestDigest, Bytes)> {
        let digest = match digest {
            Some(digest) => digest,
            None => *self.by_content.get(&content)?.first()?,
        };
        let bytes = self.held.get(&digest).filter(|held| held.content == content)?.bytes.clone();
        self.touch(digest);
        Some((digest, bytes))
    }

    /// How many are held.
    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// Their bytes, with what keeping them costs.
    pub(crate) fn bytes_held(&self) -> usize {
        self.bytes_held
    }

    fn touch(&mut self, digest: ManifestDigest) {
        self.uses += 1;
        self.recency.promote(&digest);
        if let Some(held) = self.held.get_mut(&digest) {
            held.used = self.uses;
        }
    }

    fn pin(&mut self, content: ContentId, digest: ManifestDigest) {
        if self.recency.pop(&digest).is_none() {
            return;
        }
        self.bytes_pinned += cost(&self.held[&digest].bytes);
        if let Some(digests) = self.by_content.get_mut(&content) {
            digests.retain(|other| *other != digest);
            digests.insert(0, digest);
        }
    }

    /// Drops what must go for a new one of that cost; changes nothing if it cannot be enough.
    fn make_room(
        &mut self,
        content: ContentId,
        cost_new: usize,
        pinned: bool,
    ) -> Result<Vec<ContentId>, ManifestsFull> {
        if self.bytes_pinned + cost_new > self.bytes_max {
            return Err(ManifestsFull);
        }
        let mut lost = Vec::new();
        let siblings = self.by_content.get(&content).map_or(&[][..], Vec::as_slice);
        let siblings: Vec<_> = siblings.iter().filter(|digest| self.recency.contains(digest)).copied().collect();
        if !pinned && siblings.len() >= PER_CONTENT_MAX {
            let oldest = siblings.into_iter().min_by_key(|digest| self.held[digest].used);
            lost.extend(oldest.and_then(|digest| self.drop_one(digest)));
        }
        while self.bytes_held + cost_new > self.bytes_max {
            let Some((&digest, ())) = self.recency.peek_lru() else {
                break;
            };
            lost.extend(self.drop_one(digest));
        }
        lost.retain(|lost| *lost != content);
        Ok(lost)
    }

    /// Drops one, and tells its content if that was the last of it.
    fn drop_one(&mut self, digest: ManifestDigest) -> Option<ContentId> {
        self.recency.pop(&digest);
        let held = self.held.remove(&digest)?;
        self.bytes_held -= cost(&held.bytes);
        let digests = self.by_content.get_mut(&held.content)?;
        digests.retain(|other| *other != digest);
        if !digests.is_empty() {
            return None;
        }
        self.by_content.remove(&held.content);
        Some(held.content)
    }
}

fn cost(bytes: &Bytes) -> usize {
    bytes.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM_FOR_FOUR: usize = 4 * (100 + OVERHEAD_BYTES);

    fn content(n: u8) -> ContentId {
        ContentId::from_bytes([n; 32])
    }

    fn digest(n: u8) -> ManifestDigest {
        ManifestDigest::from_bytes([n; 16])
    }

    /// A manifest of 100 bytes, whose digest is its number.
    fn put(manifests: &mut Manifests, of: u8, n: u8, pinned: bool) -> Result<Inserted, ManifestsFull> {
        let inserted = manifests.insert(content(of), digest(n), Bytes::from(vec![n; 100]), pinned);
        check(manifests);
        inserted
    }

    fn check(manifests: &Manifests) {
        assert!(manifests.bytes_held <= manifests.bytes_max);
        assert_eq!(manifests.bytes_held, manifests.held.values().map(|held| cost(&held.bytes)).sum::<usize>());
        assert_eq!(manifests.held.len(), manifests.by_content.values().map(Vec::len).sum::<usize>());
        assert!(manifests.recency.iter().all(|(digest, ())| manifests.held.contains_key(digest)));
    }

    #[test]
    fn it_is_found_by_content_and_by_digest_of_that_content_only() {
        let mut manifests = Manifests::new(ROOM_FOR_FOUR);
        assert!(put(&mut manifests, 1, 1, false).unwrap().new);
        assert!(put(&mut manifests, 1, 2, false).unwrap().new);
        assert!(!put(&mut manifests, 1, 2, false).unwrap().new);
        assert_eq!(manifests.get(content(1), None).unwrap().0, digest(1));
        assert_eq!(manifests.get(content(1), Some(digest(2))).unwrap().1, vec![2; 100]);
        assert_eq!(manifests.get(content(2), Some(digest(2))), None);
        assert_eq!(manifests.get(content(2), None), None);
    }

    #[test]
    fn the_one_not_asked_for_longest_goes() {
        let mut manifests = Manifests::new(ROOM_FOR_FOUR);
        for n in 1..=4 {
            put(&mut manifests, n, n, false).unwrap();
        }
        manifests.get(content(1), None).unwrap();
        assert_eq!(put(&mut manifests, 5, 5, false).unwrap(), Inserted { new: true, lost: vec![content(2)] });
        assert!(manifests.get(content(1), None).is_some());
    }

    #[test]
    fn a_content_has_few_and_losing_one_of_several_loses_nothing() {
        let mut manifests = Manifests::new(10 * ROOM_FOR_FOUR);
        for n in 1..=PER_CONTENT_MAX as u8 {
            put(&mut manifests, 9, n, false).unwrap();
        }
        manifests.get(content(9), Some(digest(1))).unwrap();
        assert_eq!(put(&mut manifests, 9, 100, false).unwrap(), Inserted { new: true, lost: vec![] });
        assert!(manifests.get(content(9), Some(digest(2))).is_none());
        assert_eq!(manifests.count(), PER_CONTENT_MAX);
    }

    #[test]
    fn what_is_pinned_stays_and_is_first_and_a_full_memory_says_so() {
        let mut manifests = Manifests::new(ROOM_FOR_FOUR);
        put(&mut manifests, 1, 1, false).unwrap();
        put(&mut manifests, 1, 2, true).unwrap();
        assert_eq!(manifests.get(content(1), None).unwrap().0, digest(2));
        put(&mut manifests, 1, 1, true).unwrap();
        put(&mut manifests, 3, 3, true).unwrap();
        put(&mut manifests, 4, 4, true).unwrap();
        assert_eq!(put(&mut manifests, 5, 5, false), Err(ManifestsFull));
        assert_eq!(put(&mut manifests, 6, 6, true), Err(ManifestsFull));
        assert_eq!(manifests.count(), 4);
    }
}
