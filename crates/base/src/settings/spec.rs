//! A group of settings as a struct.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Setting;
use super::setting::unknown;
use crate::{Error, Result};

/// A struct whose fields are settings; made by [`settings!`](crate::settings!).
pub trait Spec: Clone + Default + Serialize + DeserializeOwned {
    /// The definitions, in the order of the fields.
    const SETTINGS: &'static [Setting];

    /// Takes the settings of this spec out of a table that also has others. What is not in the table
    /// has its default. No range is checked.
    ///
    /// # Errors
    /// If a value has the wrong type, with its key.
    fn take(table: &mut Table) -> Result<Self> {
        let own = Self::SETTINGS.iter().filter_map(|setting| table.remove_entry(setting.name));
        let own: Table = own.collect();
        Self::deserialize(own.clone()).map_err(|cause| {
            let fails = |(key, value): &(String, Value)| {
                Self::deserialize(Table::from_iter([(key.clone(), value.clone())])).is_err()
            };
            let key = own.into_iter().find(fails).map(|(key, _)| key).unwrap_or_default();
            Error::usage(format!("bad value for `{key}`"))
                .cause(cause.message())
                .hint("`tinderbox train --help` lists the settings")
        })
    }

    /// Reads a table that has settings of this spec only. No range is checked.
    ///
    /// # Errors
    /// If a key is unknown, or a value has the wrong type.
    fn from_table(mut table: Table) -> Result<Self> {
        let spec = Self::take(&mut table)?;
        match table.keys().next() {
            None => Ok(spec),
            Some(key) => Err(unknown(key, Self::SETTINGS)),
        }
    }

    /// The values by their names. What is left open is absent.
    ///
    /// # Errors
    /// If a value cannot be written as TOML, such as a seed of 2^63 and more.
    fn to_table(&self) -> Result<Table> {
        Table::try_from(self)
            .map_err(|cause| Error::usage("cannot write the settings").cause(cause))
    }

    /// Checks that every value makes sense by itself.
    ///
    /// # Errors
    /// The first value that does not, with its flag and range.
    fn check(&self) -> Result<()> {
        let table = self.to_table()?;
        Self::SETTINGS
            .iter()
            .filter_map(|setting| Some((setting, table.get(setting.name)?)))
            .try_for_each(|(setting, value)| setting.check(value))
    }
}

/// Defines a spec: a struct whose fields are settings, with everything that the program knows about
/// each of them. The documentation of a field is its help; the default stands behind the type.
///
/// Of a setting, `kind`, `heading` and `effect` are a [`Kind`], a [`Heading`] and an [`Effect`];
/// `value` is how help calls the value; `open` is what help shows as the default if the default is
/// no value by itself. The struct is read and written by serde with names in kebab case; attributes
/// that follow `#[setting(...)]` are those of the field. The crate needs `serde` among its
/// dependencies.
///
/// ```
/// use tinderbox_base::settings;
/// use tinderbox_base::settings::{Effect, Spec};
///
/// settings! {
///     /// How the network learns.
///     pub struct Learning {
///         /// Passes over the training images
///         #[setting(kind = Whole { least: 1, most: 1_000_000 }, value = "N", heading = Learning, effect = Rate)]
///         pub epochs: usize = 15,
///         /// Peak learning rate
///         #[setting(kind = Real { least: 1e-12, most: 1e3 }, value = "RATE", heading = Learning, effect = Rate,
///             open = "0.003; 0.05 for sgd")]
///         pub peak_rate: Option<f64> = None,
///         /// Replace an existing run
///         #[setting(kind = Switch, heading = Run, effect = NoResult)]
///         pub overwrite: bool = false,
///     }
/// }
///
/// let [epochs, rate, _] = Learning::SETTINGS else { unreachable!() };
/// assert_eq!(epochs.help(), "Passes over the training images [default: 15]");
/// assert_eq!(rate.help(), "Peak learning rate [default: 0.003; 0.05 for sgd]");
/// assert_eq!((rate.name, rate.effect), ("peak-rate", Effect::Rate));
///
/// let learning = Learning::from_table("peak-rate = 0.1\nepochs = 0".parse().unwrap())?;
/// assert_eq!(learning, Learning { epochs: 0, peak_rate: Some(0.1), overwrite: false });
/// let error = learning.check().unwrap_err();
/// assert_eq!(error.message, "`--epochs 0` is out of range");
/// assert_eq!(error.hint.unwrap(), "it must be 1 to 1000000");
/// # Ok::<(), tinderbox_base::Error>(())
/// ```
///
/// [`Kind`]: crate::settings::Kind
/// [`Heading`]: crate::settings::Heading
/// [`Effect`]: crate::settings::Effect
#[macro_export]
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $spec:ident {
            $(
                $(#[doc = $help:literal])+
                #[setting(
                    kind = $kind:ident $({ $($bounds:tt)* })? $(($($words:tt)*))?,
                    $(value = $value:literal,)?
                    heading = $heading:ident,
                    effect = $effect:ident
                    $(, open = $open:literal)?
                    $(,)?
                )]
                $(#[$more:meta])*
                pub $field:ident: $type:ty = $default:expr,
            )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        $visibility struct $spec {
            $(
                $(#[doc = $help])+
                $(#[$more])*
                pub $field: $type,
            )*
        }

        impl ::std::default::Default for $spec {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::settings::Spec for $spec {
            const SETTINGS: &'static [$crate::settings::Setting] = &[$(
                $crate::settings::Setting {
                    name: {
                        const FIELD: &str = stringify!($field);
                        const NAME: [u8; FIELD.len()] = $crate::settings::name::kebab(FIELD);
                        $crate::settings::name::text(&NAME)
                    },
                    kind: $crate::settings::Kind::$kind $({ $($bounds)* })? $(($($words)*))?,
                    value: concat!($($value)?),
                    help: concat!($($help),+).trim_ascii(),
                    open: concat!($($open)?),
                    heading: $crate::settings::Heading::$heading,
                    effect: $crate::settings::Effect::$effect,
                    default: || {
                        let default: $type = $default;
                        $crate::settings::name::value(&default)
                    },
                },
            )*];
        }
    };
}
