//! `application/x-www-form-urlencoded`: names and values.

use percent_encoding::percent_decode;

use super::Malformed;

/// More fields than any client sends: `PutLogEvents` and its like are not forms.
const FIELDS_MAX: usize = 20_000;

/// Reads every pair, in order. A name without a value has an empty one.
pub(super) fn pairs(form: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let parts = form.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let mut pairs = Vec::new();
    for part in parts {
        if pairs.len() == FIELDS_MAX {
            return Err(Malformed::new(format!("The request has more than {FIELDS_MAX} parameters")));
        }
        let at = memchr::memchr(b'=', part);
        let (name, value) = at.map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(raw: &[u8]) -> Result<String, Malformed> {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(decoded).map_err(|_| Malformed::new("The request's parameters are not UTF-8"))
}
