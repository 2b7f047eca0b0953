//! Pleach.
