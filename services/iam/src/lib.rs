//! The iam service.

pub mod shapes;
