//! Rust types for the model's shapes, and their way from and to [`Value`].

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use domain::Timestamp;

use crate::schema::{self, Shape};
use crate::value::{Fields, Value};

/// An operation of a model, as a type: what it takes and what it gives.
pub trait Operation: 'static {
    /// The request.
    type Input: Record;
    /// The answer.
    type Output: Record;
    /// What the model says.
    const MODEL: &'static schema::Operation;
}

/// A structure of a model.
pub trait Record: Datum + Default + Send + 'static {
    /// What the model says.
    const SHAPE: &'static Shape;
}

/// Anything that a member can be.
pub trait Datum: Sized {
    /// What it is when it is not there, if it may be absent.
    fn absent() -> Option<Self> {
        None
    }

    /// Reads it.
    fn from_value(value: Value) -> Option<Self>;

    /// Writes it.
    fn into_value(self) -> Value;
}

/// Reads a member of a structure. The generated code calls it.
pub fn take<T: Datum>(fields: &mut Fields, name: &'static str) -> Option<T> {
    match fields.take(name) {
        Value::Null => T::absent(),
        value => T::from_value(value),
    }
}

/// A member as a log may show it. The generated code calls it.
pub fn shown<'a>(shape: &Shape, name: &str, value: &'a dyn fmt::Debug) -> &'a dyn fmt::Debug {
    let member = shape.members().iter().find(|member| member.name == name);
    if member.is_some_and(|member| member.shape.holds_secrets()) { &Hidden } else { value }
}

struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<T: Datum> Datum for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: Datum> Datum for Vec<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(values) => values.into_iter().map(T::from_value).collect(),
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: Datum> Datum for BTreeMap<String, T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Map(values) => {
                values.into_iter().map(|(key, value)| Some((key, T::from_value(value)?))).collect()
            }
            _ => None,
        }
    }

    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, value)| (key, value.into_value())).collect())
    }
}

impl<T: Datum> Datum for Box<T> {
    fn from_value(value: Value) -> Option<Self> {
        T::from_value(value).map(Box::new)
    }

    fn into_value(self) -> Value {
        (*self).into_value()
    }
}

macro_rules! scalar {
    ($type:ty, $variant:ident) => {
        impl Datum for $type {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => value.try_into().ok(),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self.into())
            }
        }
    };
}
scalar!(String, String);
scalar!(bool, Bool);
scalar!(i32, Int);
scalar!(i64, Int);
scalar!(f64, Float);
scalar!(Bytes, Blob);
scalar!(Timestamp, Timestamp);

/// Declares a structure of a model. The generated code calls it.
#[macro_export]
macro_rules! structure {
    ($(#[$meta:meta])* $name:ident = $shape:expr; { $($(#[$member_meta:meta])* $field:ident: $type:ty = $key:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq)]
        pub struct $name {
            $($(#[$member_meta])* pub $field: $type,)*
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), $crate::record::shown($shape, $key, &self.$field)))*
                    .finish()
            }
        }

        impl $crate::Record for $name {
            const SHAPE: &'static $crate::schema::Shape = $shape;
        }

        impl $crate::Datum for $name {
            #[allow(unused_mut, unused_variables)]
            fn from_value(value: $crate::Value) -> Option<Self> {
                let $crate::Value::Structure(mut fields) = value else { return None };
                Some(Self { $($field: $crate::record::take(&mut fields, $key)?,)* })
            }

            #[allow(unused_mut)]
            fn into_value(self) -> $crate::Value {
                let mut fields = $crate::Fields::with_capacity(0 $(+ { let _ = $key; 1 })*);
                $(fields.set($key, $crate::Datum::into_value(self.$field));)*
                $crate::Value::Structure(fields)
            }
        }
    };
}

/// Declares an enumeration of a model. The generated code calls it.
#[macro_export]
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $first:ident = $first_text:literal, $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            #[doc = concat!("`", $first_text, "`")]
            #[default]
            $first,
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// Every value, in the model's order.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant,)*];

            /// As it travels.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownValue;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownValue> {
                match text {
                    $first_text => Ok(Self::$first),
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::UnknownValue),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Datum for $name {
            fn from_value(value: $crate::Value) -> Option<Self> {
                match value {
                    $crate::Value::String(text) => text.parse().ok(),
                    _ => None,
                }
            }

            fn into_value(self) -> $crate::Value {
                $crate::Value::String(self.as_str().to_owned())
            }
        }
    };
}

/// The text is none of an enumeration's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not in the enumeration")]
pub struct UnknownValue;

structure! {
    /// Nothing: the request or answer of operations without members.
    Unit = Shape::UNIT; {}
}
