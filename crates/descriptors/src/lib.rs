//! A picture in `n` descriptors: any `m` of them show it as finely as any other `m` ([004] claim 32; multiple description
//! coding by priority encoding transmission, Albanese, Blömer, Edmonds, Luby, Sudan 1996).
//!
//! ```text
//! picture ─► layers, coarse to fine ─► each in n shards, of which any k give layer k ─► descriptor = one shard of each
//!
//!            layer 1   1 of n    a a a a       with any two descriptors layers 1 and 2 can be had:
//!            layer 2   2 of n    b b b b       of the first one shard is enough, of the second it takes two
//!            layer 3   3 of n    c c c c
//!            layer 4   n of n    d d d d
//! ```
//!
//! Layers are those of an interlaced picture: the first has the pixels of a coarse grid, each further one those that a grid
//! of half the distance adds. So the finest layer, three quarters of all, is not repeated, and the whole costs a few
//! percent more than the picture. Shards are made by Reed-Solomon codes (`reed-solomon-simd`).
//!
//! Descriptors are of equal length and dealt packet by packet into one content ([`pleach_core::content::dealt`]), so that
//! each flows down trees of its own. The format is for this demonstration; what Pleach knows of it is the field
//! `descriptors` of a manifest and nothing else.

pub mod coding;
pub mod picture;

mod layers;

pub use coding::{DESCRIPTORS, DecodeError, Decoded, decode, descriptors_of, encode};
pub use picture::{Picture, PictureError};
