//! The wire crate.

pub mod sigv4;
