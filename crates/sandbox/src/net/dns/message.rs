//! DNS packets, as far as a forwarder must understand them.
//!
//! https://www.rfc-editor.org/rfc/rfc1035#section-4

use std::net::Ipv4Addr;

/// Longest query accepted. A name is at most 255 bytes and the additional section holds one OPT record.
pub(in crate::net) const QUERY_LEN_MAX: usize = 4096;
const HEADER_LEN: usize = 12;
/// A pointer to the question's name, which follows the header.
const QUESTION_NAME: [u8; 2] = [0xC0, 12];
/// With its length bytes and the root.
const NAME_LEN_MAX: usize = 255;
const LABEL_LEN_MAX: usize = 63;
/// OPT, and a signature over the query.
const ADDITIONAL_RECORDS_MAX: u16 = 2;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;

const FLAG_RESPONSE: u8 = 0x80;
const OPCODE_MASK: u8 = 0x78;
const FLAG_RECURSION_DESIRED: u8 = 0x01;
const FLAG_RECURSION_AVAILABLE: u8 = 0x80;
/// Seconds for which a client may remember one of Hearth's own names.
const OWN_TTL_S: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rcode {
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NotImplemented = 4,
    Refused = 5,
}

/// What a packet that is no proper query gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Silence: answering could start a loop between two servers.
    Ignore,
    Answer(Rcode),
}

/// A checked query with exactly one question.
#[derive(Debug)]
pub(super) struct Query<'a> {
    packet: &'a [u8],
    question_end: usize,
    /// Lower case, without a final dot. Bytes that are no host name are escaped, so that they match nothing.
    name: String,
    record_type: u16,
    class: u16,
}

impl<'a> Query<'a> {
    pub(super) fn parse(packet: &'a [u8]) -> Result<Self, Refused> {
        let header: &[u8; HEADER_LEN] = packet.first_chunk().ok_or(Refused::Ignore)?;
        if header[2] & FLAG_RESPONSE != 0 {
            return Err(Refused::Ignore);
        }
        if header[2] & OPCODE_MASK != 0 {
            return Err(Refused::Answer(Rcode::NotImplemented));
        }
        Self::parse_sections(packet).ok_or(Refused::Answer(Rcode::FormatError))
    }

    fn parse_sections(packet: &'a [u8]) -> Option<Self> {
        let [questions, answers, authorities, additional] = counts(packet)?;
        if packet.len() > QUERY_LEN_MAX
            || (questions, answers, authorities) != (1, 0, 0)
            || additional > ADDITIONAL_RECORDS_MAX
        {
            return None;
        }
        let (name, name_end) = read_name(packet, HEADER_LEN)?;
        let record_type = u16_at(packet, name_end)?;
        let class = u16_at(packet, name_end + 2)?;
        let question_end = name_end + 4;
        let mut end = question_end;
        for _ in 0..additional {
            end = skip_record(packet, end)?;
        }
        (end == packet.len()).then_some(Self { packet, question_end, name, record_type, class })
    }

    pub(super) fn packet(&self) -> &'a [u8] {
        self.packet
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn asks_for_ipv6(&self) -> bool {
        self.record_type == TYPE_AAAA
    }

    pub(super) fn answer_empty(&self, rcode: Rcode) -> Vec<u8> {
        self.answer_with(rcode, 0)
    }

    /// Says that the name has this one address; a question for anything but addresses finds nothing.
    pub(super) fn answer_address(&self, address: Ipv4Addr) -> Vec<u8> {
        if self.record_type != TYPE_A || !matches!(self.class, CLASS_IN | CLASS_ANY) {
            return self.answer_empty(Rcode::NoError);
        }
        let mut answer = self.answer_with(Rcode::NoError, 1);
        answer.extend_from_slice(&QUESTION_NAME);
        answer.extend_from_slice(&TYPE_A.to_be_bytes());
        answer.extend_from_slice(&CLASS_IN.to_be_bytes());
        answer.extend_from_slice(&OWN_TTL_S.to_be_bytes());
        answer.extend_from_slice(&4_u16.to_be_bytes());
        answer.extend_from_slice(&address.octets());
        answer
    }

    fn answer_with(&self, rcode: Rcode, answers: u16) -> Vec<u8> {
        let mut answer = header_only(self.packet, rcode);
        answer[5] = 1;
        answer[6..8].copy_from_slice(&answers.to_be_bytes());
        answer.extend_from_slice(&self.packet[HEADER_LEN..self.question_end]);
        answer
    }

    /// Whether a packet from a resolver answers this query, and was not made by somebody who guesses.
    pub(super) fn is_answered_by(&self, response: &[u8]) -> bool {
        let Some([questions, ..]) = counts(response) else { return false };
        if response[..2] != self.packet[..2] || response[2] & FLAG_RESPONSE == 0 {
            return false;
        }
        match questions {
            // Servers that could not read the query do not repeat it.
            0 => rcode(response) != 0,
            1 => response.get(HEADER_LEN..self.question_end).is_some_and(|question| {
                question.eq_ignore_ascii_case(&self.packet[HEADER_LEN..self.question_end])
            }),
            _ => false,
        }
    }
}

/// A response that holds nothing but its code, to any packet with a header.
pub(super) fn header_only(packet: &[u8], rcode: Rcode) -> Vec<u8> {
    let mut answer = vec![0; HEADER_LEN];
    answer[..2].copy_from_slice(&packet[..2]);
    answer[2] = FLAG_RESPONSE | packet[2] & (OPCODE_MASK | FLAG_RECURSION_DESIRED);
    answer[3] = FLAG_RECURSION_AVAILABLE | rcode as u8;
    answer
}

/// Whether another resolver may know better.
pub(super) fn is_failure(response: &[u8]) -> bool {
    let code = rcode(response);
    [Rcode::ServerFailure, Rcode::NotImplemented, Rcode::Refused].iter().any(|failure| *failure as u8 == code)
}

fn rcode(response: &[u8]) -> u8 {
    response[3] & 0x0F
}

/// How many questions, answers, authorities and additional records; `None` without a header.
fn counts(packet: &[u8]) -> Option<[u16; 4]> {
    packet.get(..HEADER_LEN)?;
    Some([4, 6, 8, 10].map(|offset| u16::from_be_bytes([packet[offset], packet[offset + 1]])))
}

/// Reads an uncompressed name (a question's name has nothing to point to). Gives it and the offset after it.
fn read_name(packet: &[u8], start: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut offset = start;
    loop {
        let len = usize::from(*packet.get(offset)?);
        let label = packet.get(offset + 1..offset + 1 + len)?;
        offset += 1 + len;
        if len > LABEL_LEN_MAX || offset - start > NAME_LEN_MAX {
            return None;
        }
        if len == 0 {
            return Some((name, offset));
        }
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            // A dot inside a label is not a separator.
            match byte {
                b'.' | b'\\' | 0x80.. => name.push('\\'),
                byte => name.push(char::from(byte.to_ascii_lowercase())),
            }
        }
    }
}

/// The offset after a record, whose name may end in a pointer.
fn skip_record(packet: &[u8], start: usize) -> Option<usize> {
    let mut offset = start;
    loop {
        let len = *packet.get(offset)?;
        match len {
            0 => break offset += 1,
            1..=63 => offset += 1 + usize::from(len),
            0xC0.. => break offset += 2,
            _ => return None,
        }
    }
    let data_len = usize::from(u16_at(packet, offset + 8)?);
    let end = offset + 10 + data_len;
    (end <= packet.len()).then_some(end)
}

fn u16_at(packet: &[u8], offset: usize) -> Option<u16> {
    let bytes = packet.get(offset..offset + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query as a client's library writes it, with an OPT record.
    fn query(name: &str, record_type: u16) -> Vec<u8> {
        let mut packet = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in name.split('.').filter(|label| !label.is_empty()) {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend_from_slice(label.as_bytes());
        }
        packet.push(0);
        packet.extend_from_slice(&record_type.to_be_bytes());
        packet.extend_from_slice(&CLASS_IN.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        packet
    }

    #[test]
    fn query_gives_its_name_in_lower_case() {
        let packet = query("WWW.Example.Com", TYPE_A);
        let query = Query::parse(&packet).unwrap();
        assert_eq!(query.name(), "www.example.com");
        assert!(!query.asks_for_ipv6());
    }

    #[test]
    fn answer_repeats_the_question_and_carries_the_address() {
        let packet = query("a.b", TYPE_A);
        let answer = Query::parse(&packet).unwrap().answer_address(Ipv4Addr::new(127, 0, 0, 1));
        let expected = [
            &[0xAB, 0xCD, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0][..],
            &[1, b'a', 1, b'b', 0, 0, 1, 0, 1],
            &[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1],
        ]
        .concat();
        assert_eq!(answer, expected);
        assert!(Query::parse(&packet).unwrap().is_answered_by(&answer));
    }

    #[test]
    fn question_for_another_type_of_an_own_name_is_answered_empty() {
        let packet = query("a.b", 15);
        let answer = Query::parse(&packet).unwrap().answer_address(Ipv4Addr::LOCALHOST);
        assert_eq!(counts(&answer), Some([1, 0, 0, 0]));
        assert_eq!(rcode(&answer), 0);
    }

    #[test]
    fn dot_inside_a_label_never_makes_an_own_name() {
        let mut packet = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11];
        packet.extend_from_slice(b"a.localhost\0\0\x01\0\x01");
        assert_eq!(Query::parse(&packet).unwrap().name(), "a\\localhost");
    }

    #[test]
    fn malformed_queries_are_refused() {
        let good = query("example.com", TYPE_A);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut packet = good.clone();
            change(&mut packet);
            Query::parse(&packet).map(|_| ()).unwrap_err()
        };
        let format_error = Refused::Answer(Rcode::FormatError);
        assert_eq!(changed(&|packet| packet.truncate(11)), Refused::Ignore);
        assert_eq!(changed(&|packet| packet[2] = 0x81), Refused::Ignore);
        assert_eq!(changed(&|packet| packet[2] = 0x28), Refused::Answer(Rcode::NotImplemented));
        assert_eq!(changed(&|packet| packet[5] = 2), format_error);
        assert_eq!(changed(&|packet| packet[5] = 0), format_error);
        assert_eq!(changed(&|packet| packet[7] = 1), format_error);
        assert_eq!(changed(&|packet| packet[11] = 3), format_error);
        assert_eq!(changed(&|packet| packet[12] = 0xC0), format_error);
        assert_eq!(changed(&|packet| packet[12] = 64), format_error);
        assert_eq!(changed(&|packet| packet.push(0)), format_error);
        assert_eq!(changed(&|packet| packet.truncate(20)), format_error);
        let long = query(&vec!["a".repeat(60); 5].join("."), TYPE_A);
        assert_eq!(Query::parse(&long).map(|_| ()).unwrap_err(), format_error);
    }

    #[test]
    fn only_the_answer_to_the_same_question_is_taken() {
        let packet = query("example.com", TYPE_A);
        let query = Query::parse(&packet).unwrap();
        let answer = query.answer_empty(Rcode::NoError);
        assert!(query.is_answered_by(&answer));
        for offset in [0, 1, 13, 26] {
            let mut other = answer.clone();
            other[offset] ^= 1;
            assert!(!query.is_answered_by(&other), "byte {offset}");
        }
        assert!(!query.is_answered_by(&packet));
        assert!(!query.is_answered_by(&answer[..11]));
        assert!(!query.is_answered_by(&header_only(&packet, Rcode::NoError)));
        assert!(query.is_answered_by(&header_only(&packet, Rcode::FormatError)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
            match Query::parse(&packet) {
                Ok(query) => {
                    prop_assert!(query.is_answered_by(&query.answer_address(Ipv4Addr::LOCALHOST)));
                    query.is_answered_by(&packet);
                }
                Err(Refused::Answer(rcode)) => prop_assert_eq!(header_only(&packet, rcode).len(), HEADER_LEN),
                Err(Refused::Ignore) => {}
            }
        }

        #[test]
        fn damaged_queries_are_parsed_or_refused(offset in 0_usize..40, value: u8, cut in 0_usize..45) {
            let mut packet = query("www.example.com", TYPE_A);
            let len = packet.len();
            packet[offset.min(len - 1)] = value;
            packet.truncate(cut.max(offset.min(len - 1) + 1));
            if let Ok(query) = Query::parse(&packet) {
                prop_assert!(query.is_answered_by(&query.answer_empty(Rcode::NoError)));
            }
        }

        #[test]
        fn any_response_is_judged(response in proptest::collection::vec(any::<u8>(), 0..100)) {
            let packet = query("example.com", TYPE_A);
            Query::parse(&packet).unwrap().is_answered_by(&response);
        }
    }
}
