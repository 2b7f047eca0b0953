//! The samples were encoded by a browser: five seconds, a key frame each second.

use std::fs;
use std::path::PathBuf;

use super::*;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/media/samples").join(name)
}

/// The cuts and emphases of files laid one after the other.
fn cuts(files: &[(&str, PathBuf)]) -> MediaCuts {
    let mut start = 0;
    let files: Vec<MediaFile<'_>> = files
        .iter()
        .map(|(path, place)| {
            let end = start + fs::metadata(place).map_or(0, |metadata| metadata.len());
            let file = MediaFile { place, path, range: ByteRange { start, end } };
            start = end;
            file
        })
        .collect();
    cuts_of(&files)
}

fn first(cuts: &MediaCuts, priority: u8) -> Vec<(u64, u64)> {
    let wanted = cuts.emphases.iter().filter(|emphasis| emphasis.priority == priority);
    wanted.map(|emphasis| (emphasis.range.start, emphasis.range.end)).collect()
}

#[test]
fn an_mp4_is_cut_at_its_key_frames_and_its_index_comes_first_wherever_it_lies() {
    let front = cuts(&[("front.mp4", sample("front.mp4"))]);
    assert_eq!(first(&front, INDEX_PRIORITY), [(0, 24), (24, 892)]);
    let end = cuts(&[("end.mp4", sample("end.mp4"))]);
    assert_eq!(first(&end, INDEX_PRIORITY), [(0, 24), (2015, 2883)]);
    for (found, mdat) in [(&front, 892..2875), (&end, 24..2015)] {
        // The file itself, and five key frames, the first right behind the header of `mdat`.
        assert_eq!(found.cuts.len(), 6, "{found:?}");
        assert_eq!(found.cuts[0], 0);
        assert!(found.cuts[1..].iter().all(|cut| mdat.contains(cut)), "{found:?}");
        assert!(found.cuts[1] <= mdat.start + 16, "{found:?}");
        assert_eq!(first(found, BEGINNING_PRIORITY), [(found.cuts[1], found.cuts[2])]);
    }
}

#[test]
fn a_fragmented_mp4_is_cut_at_its_fragments() {
    let found = cuts(&[("fragments.mp4", sample("fragments.mp4"))]);
    assert_eq!(found.cuts, [0, 680, 1238, 1817, 2394, 2929]);
    assert_eq!(first(&found, INDEX_PRIORITY), [(0, 28), (28, 680), (3375, 3563)]);
    assert_eq!(first(&found, BEGINNING_PRIORITY), [(680, 1238)]);
}

#[test]
fn a_webm_is_cut_at_its_clusters() {
    let bytes = fs::read(sample("video.webm")).unwrap();
    let clusters: Vec<u64> =
        (0..bytes.len() as u64 - 4).filter(|at| bytes[*at as usize..].starts_with(&[0x1f, 0x43, 0xb6, 0x75])).collect();
    assert!(!clusters.is_empty());
    let found = cuts(&[("video.webm", sample("video.webm"))]);
    assert_eq!(found.cuts[1..], clusters);
    let index = first(&found, INDEX_PRIORITY);
    assert_eq!(index[0], (0, clusters[0]), "all that is before the first cluster");
    assert_eq!(index.last().unwrap().1, bytes.len() as u64, "and the cues at the end");
}

#[test]
fn each_film_of_a_folder_begins_a_segment_and_its_beginning_comes_before_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "nothing that can be cut").unwrap();
    let found = cuts(&[("a.mp4", sample("fragments.mp4")), ("notes.txt", notes), ("z.webm", sample("video.webm"))]);
    assert_eq!(&found.cuts[..6], [0, 680, 1238, 1817, 2394, 2929]);
    assert_eq!(found.cuts[6..8], [3563, 3563 + 23]);
    assert_eq!(first(&found, BEGINNING_PRIORITY).len(), 2);
    assert!(first(&found, INDEX_PRIORITY).contains(&(28, 680)));
}

#[test]
fn the_parts_of_a_playlist_are_cut_where_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let place = folder.path().join(name);
        fs::write(&place, bytes).unwrap();
        place
    };
    let playlist = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"film.mp4\",BYTERANGE=\"50@0\"\n\
        #EXTINF:2,\n#EXT-X-BYTERANGE:100@50\nfilm.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:70\nfilm.mp4\n\
        #EXTINF:2,\nhttps://elsewhere.example/part.mp4\n#EXTINF:2,\n../outside.mp4\n#EXT-X-ENDLIST\n";
    let found = cuts(&[
        ("hls/film.mp4", write("film.mp4", &[7; 220])),
        ("hls/film.m3u8", write("film.m3u8", playlist.as_bytes())),
    ]);
    assert_eq!(found.cuts, [0, 50, 150, 220]);
    assert_eq!(first(&found, INDEX_PRIORITY), [(0, 50), (220, 220 + playlist.len() as u64)]);
    assert_eq!(first(&found, BEGINNING_PRIORITY), [(50, 150)]);
}

#[test]
fn what_is_damaged_is_cut_as_far_as_it_is_understood_and_never_outside() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["front.mp4", "end.mp4", "fragments.mp4", "video.webm"] {
        let whole = fs::read(sample(name)).unwrap();
        let place = folder.path().join(name);
        for at in (0..whole.len()).step_by(29) {
            let (cut_off, mut changed) = (&whole[..at], whole.clone());
            changed[at] ^= 0xff;
            for bytes in [cut_off, &changed] {
                fs::write(&place, bytes).unwrap();
                let found = cuts(&[(name, place.clone())]);
                let len_bytes = bytes.len() as u64;
                assert!(found.cuts.iter().all(|cut| *cut <= len_bytes), "{name} at {at}: {found:?}");
                assert!(found.emphases.iter().all(|one| one.range.end <= len_bytes), "{name} at {at}: {found:?}");
                let segments = pleach_core::content::cut_at(&found.cuts, len_bytes, &found.emphases);
                segments.unwrap_or_else(|error| panic!("{name} at {at}: {error}"));
            }
        }
    }
}
