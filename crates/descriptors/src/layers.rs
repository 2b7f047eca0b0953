//! A picture as layers, coarse to fine: which pixels are in which, and a picture out of the first few.

use crate::picture::Picture;

/// The grid of a layer, counted from 1, of so many: each has half the distance of the one before, the last has 1.
fn step(layer: usize, layers: usize) -> usize {
    1 << (layers - layer)
}

/// Where the pixels of a layer are, row by row.
fn places(width: usize, height: usize, layer: usize, layers: usize) -> impl Iterator<Item = usize> {
    let step = step(layer, layers);
    let is_new = move |x: usize, y: usize| layer == 1 || !x.is_multiple_of(2 * step) || !y.is_multiple_of(2 * step);
    (0..height)
        .step_by(step)
        .flat_map(move |y| (0..width).step_by(step).filter(move |x| is_new(*x, y)).map(move |x| y * width + x))
}

/// How many bytes a layer has.
pub(crate) fn layer_bytes(width: usize, height: usize, layer: usize, layers: usize) -> usize {
    let grid = |step: usize| width.div_ceil(step) * height.div_ceil(step);
    let pixels = grid(step(layer, layers)) - if layer == 1 { 0 } else { grid(step(layer - 1, layers)) };
    pixels * 3
}

/// The bytes of a layer.
pub(crate) fn take_layer(picture: &Picture, layer: usize, layers: usize) -> Vec<u8> {
    let places = places(picture.width(), picture.height(), layer, layers);
    places.flat_map(|at| picture.rgb()[at * 3..at * 3 + 3].to_owned()).collect()
}

/// The picture that the first few of all layers make: between their pixels each is like the one above and left of it.
pub(crate) fn put_together(width: usize, height: usize, given: &[Vec<u8>], layers: usize) -> Vec<u8> {
    let mut rgb = vec![0; width * height * 3];
    for (layer, bytes) in (1..).zip(given) {
        for (at, pixel) in places(width, height, layer, layers).zip(bytes.chunks_exact(3)) {
            rgb[at * 3..at * 3 + 3].copy_from_slice(pixel);
        }
    }
    let step = step(given.len(), layers);
    for y in 0..height {
        for x in 0..width {
            let from = ((y / step * step) * width + x / step * step) * 3;
            rgb.copy_within(from..from + 3, (y * width + x) * 3);
        }
    }
    rgb
}
