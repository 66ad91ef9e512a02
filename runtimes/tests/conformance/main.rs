//! The runtime clients against a Runtime API, with the interpreters of this machine: what AWS's clients answer, ours do.

mod api;
mod java;
mod machine;
mod node;
mod python;
mod ruby;
