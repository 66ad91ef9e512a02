//! Any bytes as a deployment package: an answer, never a panic, a hang or unbounded memory.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|zip: &[u8]| {
    let _ = engine::package::inspect(&Bytes::copy_from_slice(zip));
});
