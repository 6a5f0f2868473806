//! Identities. Each carries the instance of the media process, so that none outlives it unnoticed.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is no id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a letter, an instance in hexadecimal, a point, a number")]
pub struct BadId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// Which life of the media process this belongs to.
            pub instance: u32,
            /// Counted from 1 within the instance.
            pub number: u32,
        }

        impl $name {
            /// The `number`th of `instance`.
            pub const fn new(instance: u32, number: u32) -> Self {
                Self { instance, number }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{:x}.{}"), self.instance, self.number)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let (instance, number) =
                    text.strip_prefix($letter).and_then(|t| t.split_once('.')).ok_or(BadId)?;
                Ok(Self {
                    instance: u32::from_str_radix(instance, 16).map_err(|_| BadId)?,
                    number: number.parse().map_err(|_| BadId)?,
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One connection between us and somebody: a channel in use.
    LegId, "l"
);
id!(
    /// What a person calls a call: the legs that belong together. Begins with its first leg.
    CallId, "c"
);
id!(
    /// Something accepted that ends later with an event: a dial, a play, a collect.
    OperationId, "o"
);

#[cfg(test)]
mod tests {
    use super::LegId;

    #[test]
    fn an_id_survives_its_own_text() {
        let id = LegId::new(0xBEEF, 17);
        assert_eq!(id.to_string(), "lbeef.17");
        assert_eq!("lbeef.17".parse(), Ok(id));
        assert!("cbeef.17".parse::<LegId>().is_err());
        assert!("lbeef".parse::<LegId>().is_err());
    }
}
