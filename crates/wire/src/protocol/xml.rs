//! Writes values as XML.

use super::text;
use crate::Value;
use crate::schema::{Kind, Member, Shape, Structure, TimestampFormat};
use crate::value::Fields;

/// A document in the making.
#[derive(Default)]
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn finish(self) -> String {
        self.0
    }

    pub(super) fn open_with_namespace(&mut self, name: &str, namespace: &str) {
        self.0.push('<');
        self.0.push_str(name);
        if !namespace.is_empty() {
            self.0.push_str(" xmlns=\"");
            self.escaped(namespace);
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub(super) fn open(&mut self, name: &str) {
        self.open_with_namespace(name, "");
    }

    pub(super) fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    pub(super) fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escaped(text);
        self.close(name);
    }

    /// The members of a structure that are there.
    pub(super) fn members(&mut self, members: &[Member], fields: &Fields) {
        for member in members {
            if let Some(value) = fields.get(member.name) {
                let format = member.timestamp_format.unwrap_or(TimestampFormat::Iso8601);
                self.value(member.xml_name(), member.shape, value, format);
            }
        }
    }

    fn value(&mut self, name: &str, shape: &Shape, value: &Value, format: TimestampFormat) {
        match (value, &shape.kind) {
            (Value::List(values), Kind::List { member, member_name, flattened, .. }) => {
                // An empty list is an empty element: clients tell it from an absent one.
                let element = if *flattened { name } else { member_name };
                self.wrapped(name, !flattened, |xml| {
                    values
                        .iter()
                        .for_each(|value| xml.value(element, member, value, TimestampFormat::Iso8601));
                });
            }
            (Value::Map(entries), Kind::Map { key, value: shape, key_name, value_name, flattened, .. }) => {
                let element = if *flattened { name } else { "entry" };
                self.wrapped(name, !flattened, |xml| {
                    for (entry_key, entry_value) in entries {
                        xml.open(element);
                        xml.value(key_name, key, &Value::String(entry_key.clone()), TimestampFormat::Iso8601);
                        xml.value(value_name, shape, entry_value, TimestampFormat::Iso8601);
                        xml.close(element);
                    }
                });
            }
            (Value::Structure(fields), Kind::Structure(Structure { members, .. })) => {
                self.wrapped(name, true, |xml| xml.members(members, fields));
            }
            _ => {
                if let Some(text) = text::format(value, format) {
                    self.element(name, &text);
                }
            }
        }
    }

    fn wrapped(&mut self, name: &str, wrapped: bool, write: impl FnOnce(&mut Self)) {
        if wrapped {
            self.open(name);
        }
        write(self);
        if wrapped {
            self.close(name);
        }
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // Raw, a reader would turn it into a line feed.
                '\r' => self.0.push_str("&#xD;"),
                // XML 1.0 has no way to hold these.
                '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                    self.0.push('\u{fffd}');
                }
                letter => self.0.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_its_element() {
        let mut xml = Writer::default();
        xml.element("M", "</M>&\"\r\n\u{0}\u{1b}é");
        assert_eq!(xml.finish(), "<M>&lt;/M&gt;&amp;&quot;&#xD;\n\u{fffd}\u{fffd}é</M>");
    }
}
