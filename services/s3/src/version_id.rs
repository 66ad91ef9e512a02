//! Ids of versions: 32 characters that nobody guesses, from which the version's place is known without a search.

use crate::record;

/// The version of an object that was written while its bucket kept no versions.
pub(crate) const NULL: &str = "null";
/// Characters of an id that stand for the number of the change, five bits each.
const SEQUENCE_CHARACTERS: usize = 13;
const LENGTH: usize = 32;
/// In the order of its bytes, so that ids are in the order of their numbers.
const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// An id for the change with this number.
pub(crate) fn new(sequence: u64) -> String {
    let mut random = [0; LENGTH - SEQUENCE_CHARACTERS];
    getrandom::fill(&mut random).expect("the kernel gives random bytes");
    let mut id = String::with_capacity(LENGTH);
    for place in (0..SEQUENCE_CHARACTERS).rev() {
        id.push(character(sequence >> (5 * place)));
    }
    id.extend(random.iter().map(|byte| character(u64::from(*byte))));
    id
}

/// The rank that a version with this id would have; nothing if the text is no id that [`new`] makes.
pub(crate) fn rank(id: &str) -> Option<u64> {
    if id.len() != LENGTH {
        return None;
    }
    let digit = |byte: u8| ALPHABET.iter().position(|character| *character == byte);
    id.bytes().skip(SEQUENCE_CHARACTERS).all(|byte| digit(byte).is_some()).then_some(())?;
    let mut sequence = 0_u64;
    for byte in id.bytes().take(SEQUENCE_CHARACTERS) {
        sequence = sequence.checked_mul(32)? | digit(byte)? as u64;
    }
    Some(record::rank(sequence))
}

fn character(bits: u64) -> char {
    char::from(ALPHABET[usize::try_from(bits & 31).expect("five bits")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_rank_and_is_never_the_same() {
        for sequence in [0, 1, 31, 32, 1 << 40, u64::MAX] {
            let id = new(sequence);
            assert_eq!((id.len(), rank(&id)), (LENGTH, Some(record::rank(sequence))), "{id}");
            assert_ne!(id, new(sequence));
        }
        for text in ["", "null", "a", &"A".repeat(32), &"z".repeat(32), &"é".repeat(16)] {
            assert_eq!(rank(text), None, "{text}");
        }
    }
}
