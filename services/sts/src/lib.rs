//! The sts service.

pub mod shapes;
