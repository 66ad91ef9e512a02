//! The logs service.

pub mod shapes;
