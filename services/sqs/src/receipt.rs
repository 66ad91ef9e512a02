//! Receipt handles: which message, of which queue, received for the how manieth time; and a proof that we gave it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::index::Sequence;
use crate::record::QueueId;

/// What makes other secrets of the store's one useless here, and the other way round.
const PURPOSE: &[u8] = b"sqs receipt handles";
const BODY_BYTES: usize = 20;
const PROOF_BYTES: usize = 16;

/// What a handle says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub sequence: Sequence,
    /// How often the message had been received.
    pub count: u32,
}

/// Makes handles, and reads them.
#[derive(Clone)]
pub struct Receipts {
    mac: Hmac<Sha256>,
}

impl Receipts {
    /// With the server's own secret.
    pub fn new(secret: &[u8]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
        mac.update(PURPOSE);
        Self { mac }
    }

    /// The handle of a receipt.
    pub fn issue(&self, receipt: Receipt) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + PROOF_BYTES);
        bytes.extend(receipt.queue.to_be_bytes());
        bytes.extend(receipt.sequence.to_be_bytes());
        bytes.extend(receipt.count.to_be_bytes());
        bytes.extend(self.proof(&bytes));
        STANDARD.encode(bytes)
    }

    /// What a handle says; nothing if we never gave it.
    pub fn read(&self, handle: &str) -> Option<Receipt> {
        let bytes = STANDARD.decode(handle).ok()?;
        let (body, proof) = bytes.split_at_checked(BODY_BYTES)?;
        let mut mac = self.mac.clone();
        mac.update(body);
        if proof.len() != PROOF_BYTES || mac.verify_truncated_left(proof).is_err() {
            return None;
        }
        Some(Receipt {
            queue: u64::from_be_bytes(body[..8].try_into().ok()?),
            sequence: u64::from_be_bytes(body[8..16].try_into().ok()?),
            count: u32::from_be_bytes(body[16..].try_into().ok()?),
        })
    }

    fn proof(&self, body: &[u8]) -> [u8; PROOF_BYTES] {
        let mut mac = self.mac.clone();
        mac.update(body);
        let whole = mac.finalize().into_bytes();
        whole[..PROOF_BYTES].try_into().expect("a digest has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_by_who_gave_it_and_cannot_be_made_up() {
        let receipts = Receipts::new(b"secret");
        let receipt = Receipt { queue: 7, sequence: u64::MAX - 3, count: 2 };
        let handle = receipts.issue(receipt);
        assert_eq!(receipts.read(&handle), Some(receipt));
        assert_eq!(Receipts::new(b"other").read(&handle), None);
        for wrong in ["", "garbage", &handle[4..], &handle.replace('A', "B")] {
            assert_eq!(receipts.read(wrong), None, "{wrong}");
        }
    }
}
