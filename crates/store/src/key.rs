//! Keys as bytes whose order is the order of the values.
//!
//! A key is a tuple of [`Part`]s, encoded one after the other. Every part is self-delimiting and keeps its order,
//! so that tuples sort by their first part, then by the second, and all keys that share leading parts are one
//! contiguous range. Integers are big-endian with the sign turned; text and bytes are escaped and terminated.

use std::sync::Arc;

use domain::{Account, FunctionName, Region, Scope, Timestamp};
use uuid::Uuid;

/// Ends a text or bytes part. Smaller than every byte that may follow inside one, so that `"a"` is before `"ab"`.
const TERMINATOR: [u8; 2] = [0x00, 0x01];
/// Stands for a zero byte inside a part. Greater than the terminator, so that `"a"` is before `"a\0"`.
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xFF];

/// One component of a key. The encodings of two values compare as the values do, and none is a prefix of another.
pub trait Part: Sized {
    /// Appends the encoding.
    fn encode_part(&self, out: &mut Vec<u8>);
    /// Takes one encoding from the front, or nothing if there is none.
    fn decode_part(bytes: &mut &[u8]) -> Option<Self>;
}

/// A whole key: one [`Part`], or a tuple of one to five.
pub trait Key: Sized {
    /// Appends the encoding.
    fn encode(&self, out: &mut Vec<u8>);
    /// The key with exactly this encoding.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Something that encodes as the part `P` does: the part, a reference to it, or borrowed text.
pub trait Like<P> {
    /// Appends the encoding that the part would have.
    fn encode_like(&self, out: &mut Vec<u8>);
}

/// Something that names one key of type `K`: `&key`, or a tuple of borrowed or owned parts.
pub trait KeyOf<K> {
    /// Appends the encoding of the key.
    fn encode_key(&self, out: &mut Vec<u8>);
}

/// Something that names the leading parts of keys of type `K`: `()`, `(a,)`, `(a, b)`, … up to the whole key.
pub trait PrefixOf<K> {
    /// Appends the encoding of the leading parts.
    fn encode_prefix(&self, out: &mut Vec<u8>);
}

impl<P: Part> Like<P> for P {
    fn encode_like(&self, out: &mut Vec<u8>) {
        self.encode_part(out);
    }
}

impl<P: Part> Like<P> for &P {
    fn encode_like(&self, out: &mut Vec<u8>) {
        self.encode_part(out);
    }
}

impl Like<String> for &str {
    fn encode_like(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl Like<Arc<str>> for &str {
    fn encode_like(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl Like<Vec<u8>> for &[u8] {
    fn encode_like(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }
}

impl<K: Key> KeyOf<K> for &K {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl KeyOf<String> for &str {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl<K> PrefixOf<K> for () {
    fn encode_prefix(&self, _: &mut Vec<u8>) {}
}

impl<K: Key> PrefixOf<K> for &K {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl<P: Part> Key for P {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_part(out);
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let part = P::decode_part(&mut bytes)?;
        bytes.is_empty().then_some(part)
    }
}

/// A tuple of parts is a key, and names one when its elements encode like the parts.
macro_rules! tuple_key {
    ($($part:ident $like:ident $index:tt),+) => {
        impl<$($part: Part),+> Key for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_part(out);)+
            }

            fn decode(mut bytes: &[u8]) -> Option<Self> {
                let key = ($($part::decode_part(&mut bytes)?,)+);
                bytes.is_empty().then_some(key)
            }
        }

        impl<$($part: Part, $like: Like<$part>),+> KeyOf<($($part,)+)> for ($($like,)+) {
            fn encode_key(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_like(out);)+
            }
        }
    };
}
tuple_key!(A X 0);
tuple_key!(A X 0, B Y 1);
tuple_key!(A X 0, B Y 1, C Z 2);
tuple_key!(A X 0, B Y 1, C Z 2, D W 3);
tuple_key!(A X 0, B Y 1, C Z 2, D W 3, E V 4);

/// A tuple names the leading parts of every tuple at least as long.
macro_rules! tuple_prefix {
    ([$($part:ident $like:ident $index:tt),+] $(, $rest:ident)*) => {
        impl<$($part: Part, $like: Like<$part>,)+ $($rest: Part),*> PrefixOf<($($part,)+ $($rest,)*)> for ($($like,)+) {
            fn encode_prefix(&self, out: &mut Vec<u8>) {
                $(self.$index.encode_like(out);)+
            }
        }
    };
}
tuple_prefix!([A X 0]);
tuple_prefix!([A X 0], B);
tuple_prefix!([A X 0], B, C);
tuple_prefix!([A X 0], B, C, D);
tuple_prefix!([A X 0], B, C, D, E);
tuple_prefix!([A X 0, B Y 1]);
tuple_prefix!([A X 0, B Y 1], C);
tuple_prefix!([A X 0, B Y 1], C, D);
tuple_prefix!([A X 0, B Y 1], C, D, E);
tuple_prefix!([A X 0, B Y 1, C Z 2]);
tuple_prefix!([A X 0, B Y 1, C Z 2], D);
tuple_prefix!([A X 0, B Y 1, C Z 2], D, E);
tuple_prefix!([A X 0, B Y 1, C Z 2, D W 3]);
tuple_prefix!([A X 0, B Y 1, C Z 2, D W 3], E);
tuple_prefix!([A X 0, B Y 1, C Z 2, D W 3, E V 4]);

impl Part for Vec<u8> {
    fn encode_part(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }

    fn decode_part(bytes: &mut &[u8]) -> Option<Self> {
        decode_bytes(bytes)
    }
}

/// Parts that are text: how to see it, and how to make the value again.
macro_rules! text_part {
    ($($type:ty: $as_str:expr, $parse:expr;)+) => {$(
        impl Part for $type {
            fn encode_part(&self, out: &mut Vec<u8>) {
                let as_str: fn(&$type) -> &str = $as_str;
                encode_bytes(as_str(self).as_bytes(), out);
            }

            fn decode_part(bytes: &mut &[u8]) -> Option<Self> {
                let parse: fn(String) -> Option<$type> = $parse;
                parse(String::from_utf8(decode_bytes(bytes)?).ok()?)
            }
        }
    )+};
}
text_part! {
    String: |text| text, Some;
    Arc<str>: |text| text, |text| Some(text.into());
    Account: Account::as_str, |text| Account::parse(&text);
    Region: Region::as_str, |text| Region::parse(&text);
    FunctionName: FunctionName::as_str, |text| FunctionName::parse(&text);
}

impl Part for Scope {
    fn encode_part(&self, out: &mut Vec<u8>) {
        self.account.encode_part(out);
        self.region.encode_part(out);
    }

    fn decode_part(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self { account: Account::decode_part(bytes)?, region: Region::decode_part(bytes)? })
    }
}

/// Parts of a fixed length: to and from an array of bytes in the value's order.
macro_rules! fixed_part {
    ($($type:ty: $to_bytes:expr, $from_bytes:expr;)+) => {$(
        impl Part for $type {
            fn encode_part(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&($to_bytes)(*self));
            }

            fn decode_part(bytes: &mut &[u8]) -> Option<Self> {
                let (first, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                ($from_bytes)(*first)
            }
        }
    )+};
}
fixed_part! {
    u32: u32::to_be_bytes, |bytes| Some(u32::from_be_bytes(bytes));
    u64: u64::to_be_bytes, |bytes| Some(u64::from_be_bytes(bytes));
    // With the sign bit turned, two's complement sorts as the numbers do.
    i64: |number: i64| (number ^ i64::MIN).to_be_bytes(), |bytes| Some(i64::from_be_bytes(bytes) ^ i64::MIN);
    Timestamp: |at: Timestamp| (at.0 ^ i64::MIN).to_be_bytes(),
        |bytes| Some(Timestamp(i64::from_be_bytes(bytes) ^ i64::MIN));
    Uuid: Uuid::into_bytes, |bytes| Some(Uuid::from_bytes(bytes));
    bool: |truth: bool| [u8::from(truth)], |[byte]: [u8; 1]| match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
}

/// Appends text or bytes, escaped and terminated. For the [`Part`]s of other crates.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&TERMINATOR);
}

/// Takes what [`encode_bytes`] appended.
pub fn decode_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len());
    loop {
        let zero = bytes.iter().position(|byte| *byte == 0)?;
        decoded.extend_from_slice(&bytes[..zero]);
        let marker: [u8; 2] = bytes.get(zero..zero + 2)?.try_into().ok()?;
        *bytes = &bytes[zero + 2..];
        match marker {
            TERMINATOR => return Some(decoded),
            ESCAPED_ZERO => decoded.push(0),
            _ => return None,
        }
    }
}

/// Appends text or bytes without the terminator: the common prefix of every part that starts with them.
pub(crate) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice(&ESCAPED_ZERO),
            byte => out.push(*byte),
        }
    }
}

/// The smallest bytes greater than everything that starts with `prefix`; nothing if there is no end.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded<K: Key>(key: &K) -> Vec<u8> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        bytes
    }

    /// Encodings order as values do, and give the values back.
    #[track_caller]
    fn check<K: Key + Ord + std::fmt::Debug>(a: K, b: K) {
        assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b), "{a:?} {b:?}");
        for key in [a, b] {
            assert_eq!(K::decode(&encoded(&key)).as_ref(), Some(&key));
        }
    }

    fn scope() -> impl Strategy<Value = Scope> {
        ("[0-9]{12}", "[a-c-]{1,3}").prop_map(|(account, region)| Scope {
            account: Account::parse(&account).unwrap(),
            region: Region::parse(&region).unwrap(),
        })
    }

    /// Few distinct characters, zero among them, so that common prefixes and escapes are frequent.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[\0\u{1}ab\u{ff}]{0,4}", any::<String>()]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..5)
    }

    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![-2i64..3, any::<i64>()]
    }

    proptest! {
        #[test]
        fn text_keys_sort_as_text(a in text(), b in text()) {
            check(a, b);
        }

        #[test]
        fn numbers_sort_as_numbers(a in (number(), any::<u64>(), any::<u32>(), any::<bool>()),
                                   b in (number(), any::<u64>(), any::<u32>(), any::<bool>())) {
            check(a, b);
        }

        #[test]
        fn tuples_sort_by_their_parts_in_order(
            a in (scope(), text(), number().prop_map(Timestamp), any::<u128>().prop_map(Uuid::from_u128), bytes()),
            b in (scope(), text(), number().prop_map(Timestamp), any::<u128>().prop_map(Uuid::from_u128), bytes()),
        ) {
            check(a, b);
        }

        #[test]
        fn equal_leading_parts_leave_the_order_to_the_rest(s in scope(), t in text(), a in (bytes(), number()),
                                                           b in (bytes(), number())) {
            check((s.clone(), t.clone(), a.0, a.1), (s, t, b.0, b.1));
        }

        #[test]
        fn a_range_of_leading_parts_holds_exactly_the_keys_that_have_them(a in (text(), text()), b in text()) {
            let mut prefix = Vec::new();
            PrefixOf::<(String, String)>::encode_prefix(&(b.as_str(),), &mut prefix);
            let end = end_of_prefix(&prefix).unwrap();
            let key = encoded(&a);
            prop_assert_eq!(key >= prefix && key < end, a.0 == b);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in bytes()) {
            if let Some(key) = <(String, u32)>::decode(&bytes) {
                prop_assert_eq!(encoded(&key), bytes.clone());
            }
            if let Some(key) = <(Vec<u8>, bool)>::decode(&bytes) {
                prop_assert_eq!(encoded(&key), bytes);
            }
        }
    }

    #[test]
    fn borrowed_parts_encode_as_owned_ones() {
        let owned = (Scope::default(), "name".to_owned(), 7u64);
        let mut borrowed = Vec::new();
        KeyOf::<(Scope, String, u64)>::encode_key(&(&owned.0, "name", 7u64), &mut borrowed);
        assert_eq!(borrowed, encoded(&owned));
    }

    #[test]
    fn a_prefix_of_the_greatest_bytes_has_no_end() {
        assert_eq!(end_of_prefix(&[0xFF, 0xFF]), None);
        assert_eq!(end_of_prefix(&[]), None);
        assert_eq!(end_of_prefix(&[7, 0xFF]), Some(vec![8]));
    }
}
