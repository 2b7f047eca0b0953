//! Every subset of the descriptors shows the picture, as finely as any other of as many.

use pleach_descriptors::{DESCRIPTORS, DecodeError, Picture, PictureError, decode, descriptors_of, encode};
use proptest::prelude::*;

/// Waves and edges, as pictures have them.
fn picture(width: usize, height: usize) -> Picture {
    let pixel = |at: usize| {
        let (x, y) = ((at % width) as f64, (at / width) as f64);
        let wave = 127.0 + 80.0 * (x / 23.0).sin() * (y / 17.0).cos();
        let edge = if (x - y).abs() < 30.0 { 40.0 } else { 0.0 };
        [wave as u8, (wave + edge) as u8, (255.0 * x / width as f64) as u8]
    };
    Picture::new(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
}

#[test]
fn every_subset_decodes_to_the_quality_of_its_size() {
    let picture = picture(403, 301);
    for count in [2, 4, 5] {
        let content = encode(&picture, count);
        let all = descriptors_of(&content, count);
        assert!(all.iter().all(|descriptor| descriptor.len() == all[0].len()));
        let mut by_size: Vec<Option<Picture>> = vec![None; count + 1];
        for subset in 1..1_u32 << count {
            let given: Vec<&[u8]> =
                (0..count).filter(|index| subset >> index & 1 == 1).map(|index| &all[index][..]).collect();
            let decoded = decode(&given).unwrap();
            assert_eq!((decoded.layers, decoded.of), (given.len(), count), "subset {subset:b}");
            // Any other of as many shows the same, to the pixel.
            let known = by_size[given.len()].get_or_insert_with(|| decoded.picture.clone());
            assert_eq!(*known, decoded.picture, "subset {subset:b} of {count}");
        }
        let qualities: Vec<f64> = by_size.iter().flatten().map(|shown| picture.psnr_db(shown)).collect();
        println!("{count} descriptors, dB with 1, 2, …: {qualities:.1?}");
        assert!(qualities.is_sorted_by(|fewer, more| *fewer + 1.0 < *more), "{qualities:?}");
        assert_eq!(by_size[count].as_ref(), Some(&picture), "with all it is the picture itself");
    }
}

#[test]
fn it_costs_little_more_than_the_picture() {
    let picture = picture(1600, 1200);
    let cost = encode(&picture, 4).len() as f64 / picture.rgb().len() as f64;
    assert!(cost < 1.25, "{cost}");
}

#[test]
fn what_is_none_is_refused() {
    let all = descriptors_of(&encode(&picture(40, 30), 3), 3);
    let others = descriptors_of(&encode(&picture(41, 30), 3), 3);
    assert_eq!(decode(&[]), Err(DecodeError::Nothing));
    assert_eq!(decode(&[&all[0][..10]]), Err(DecodeError::Format));
    assert_eq!(decode(&[&all[0][..100]]), Err(DecodeError::Length));
    assert_eq!(decode(&[&all[0], &others[1]]), Err(DecodeError::Mixed));
    assert_eq!(decode(&[&all[1], &all[1]]).unwrap().layers, 1, "twice the same is one");
    assert_eq!(Picture::from_ppm(b"P5 1 1 255 x"), Err(PictureError::Format));
    assert_eq!(Picture::from_ppm(b"P6 1 1 255 x"), Err(PictureError::Length));
    assert_eq!(Picture::from_ppm(b"P6 0 1 255 "), Err(PictureError::Size));
    assert_eq!(Picture::from_ppm(b"P6 # so\n1 1\n255\nabc").unwrap().rgb(), b"abc");
}

proptest! {
    #[test]
    fn small_pictures_come_out_too(width in 1_usize..40, height in 1_usize..40, count in DESCRIPTORS, first in 0_usize..8) {
        let picture = picture(width, height);
        let all = descriptors_of(&encode(&picture, count), count);
        let given: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(&decode(&given).unwrap().picture, &picture);
        prop_assert_eq!(decode(&[given[first % count]]).unwrap().layers, 1);
    }

    #[test]
    fn no_bytes_are_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), known: bool) {
        if known {
            let good = descriptors_of(&encode(&picture(8, 8), 4), 4);
            bytes.splice(..bytes.len().min(7), good[0][..7].iter().copied());
        }
        let _ = decode(&[&bytes, &bytes]);
        let _ = Picture::from_ppm(&bytes);
    }
}
