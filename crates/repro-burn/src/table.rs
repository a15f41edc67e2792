//! How every method of Burn's backend traits is treated: the macro that is both the code and the list of it.
//!
//! [`backend_ops!`] writes the trait implementation and, from the same lines, the table of treatments. So a method
//! cannot be listed as one thing and do another, and `table.md`, which the module documentation shows, is rendered
//! from it. Not here: what the replaced ops compute (see [`ops`](super::ops)).

/// What [`Repro`](super::Repro) does with one backend method.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Forwarded: the bits are fixed by IEEE 754 or by integer arithmetic, or only moved.
    Exact,
    /// Computed here, as specified in the module documentation.
    Replaced,
    /// The same in portable mode; forwarded in native mode.
    Fast,
    /// The trait's own default, which calls only methods of this table.
    Composed,
    /// Panics with the method's name, or its default ends in a method that does.
    Refused,
}

/// The methods of one backend trait, in the order of their treatment.
#[cfg(test)]
pub type Table = &'static [(&'static str, Treatment)];

/// What every refusal says: an op cannot return an error, so whoever catches its panic tells it by this.
pub const REFUSED: &str = "refused in portable mode";

/// Ends an op that has no portable definition yet. The backend traits cannot return errors.
#[cold]
#[track_caller]
pub(super) fn refuse<T>(op: &str) -> T {
    panic!("`{op}` is not portable yet: {REFUSED}")
}

/// Implements one backend trait for `Repro<B>` and records how.
///
/// - `exact`: signatures; forwarded to `B`.
/// - `replaced`: signatures with bodies.
/// - `fast`: the same, forwarded to `B` in native mode; may be left out.
/// - `composed`: names of methods left to the trait's default.
/// - `refused`: signatures; the body panics.
/// - `refused_below`: names of methods left to the trait's default, which ends in a refused one.
macro_rules! backend_ops {
    (
        $(#[$doc:meta])*
        $table:ident: $trait:ident {
            exact { $( fn $exact:ident($($e_arg:ident: $e_type:ty),* $(,)?) $(-> $e_out:ty)?; )* }
            replaced { $( fn $replaced:ident($($r_arg:ident: $r_type:ty),* $(,)?) $(-> $r_out:ty)? $body:block )* }
            $( fast { $( fn $fast:ident($($f_arg:ident: $f_type:ty),* $(,)?) $(-> $f_out:ty)? $f_body:block )* } )?
            composed { $( $composed:ident ),* $(,)? }
            refused { $( fn $refused:ident($($x_arg:ident: $x_type:ty),* $(,)?) $(-> $x_out:ty)?; )* }
            refused_below { $( $below:ident ),* $(,)? }
        }
    ) => {
        impl<B: Kernels> $trait<Repro<B>> for Repro<B> {
            $( fn $exact($($e_arg: $e_type),*) $(-> $e_out)? {
                $crate::table::outcome!($exact, <B as $trait<B>>::$exact($($e_arg),*))
            } )*
            $( fn $replaced($($r_arg: $r_type),*) $(-> $r_out)? {
                $crate::table::outcome!($replaced, $body)
            } )*
            $( $( fn $fast($($f_arg: $f_type),*) $(-> $f_out)? {
                if $crate::arithmetic::is_native() {
                    return <B as $trait<B>>::$fast($($f_arg),*);
                }
                $crate::table::outcome!($fast, $f_body)
            } )* )?
            $( fn $refused($($x_arg: $x_type),*) $(-> $x_out)? {
                let _ = ($($x_arg,)*);
                $crate::table::refuse(stringify!($refused))
            } )*
        }

        $(#[$doc])*
        #[cfg(test)]
        pub const $table: $crate::table::Table = &[
            $( (stringify!($exact), $crate::table::Treatment::Exact), )*
            $( (stringify!($replaced), $crate::table::Treatment::Replaced), )*
            $( $( (stringify!($fast), $crate::table::Treatment::Fast), )* )?
            $( (stringify!($composed), $crate::table::Treatment::Composed), )*
            $( (stringify!($refused), $crate::table::Treatment::Refused), )*
            $( (stringify!($below), $crate::table::Treatment::Refused), )*
        ];
    };
}
pub(super) use backend_ops;

/// What a method returns, told to whoever listens.
#[cfg(not(any(test, feature = "fault")))]
macro_rules! outcome {
    ($op:ident, $result:expr) => {
        // A closure, because the body may return early.
        $crate::trace::traced::<B, _>(stringify!($op), move || $result)
    };
}
/// The same: in tests, the method may have been broken on purpose.
#[cfg(any(test, feature = "fault"))]
macro_rules! outcome {
    ($op:ident, $result:expr) => {
        $crate::trace::traced::<B, _>(stringify!($op), move || {
            // A closure, because the body may return early.
            $crate::fault::disturbed(stringify!($op), move || $result)
        })
    };
}
pub(super) use outcome;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{activation, bool, float, int, module, quantized, transaction};
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    /// Every trait with its table and the number of methods it has in burn-backend 0.21.0.
    const TRAITS: [(&str, Table, usize); 7] = [
        ("FloatTensorOps", float::FLOAT, 124),
        ("IntTensorOps", int::INT, 104),
        ("BoolTensorOps", bool::BOOL, 39),
        ("ModuleOps", module::MODULE, 56),
        ("ActivationOps", activation::ACTIVATION, 14),
        ("QTensorOps", quantized::QUANTIZED, 80),
        ("TransactionOps", transaction::TRANSACTION, 1),
    ];

    fn rendered() -> String {
        let mut text = String::new();
        for (name, table, _) in TRAITS {
            let _ = writeln!(text, "\n### {name}\n\n| treatment | methods |\n|---|---|");
            for (treatment, label) in [
                (Treatment::Exact, "forwarded, exact"),
                (Treatment::Replaced, "replaced"),
                (Treatment::Fast, "replaced; fast: forwarded in native mode"),
                (Treatment::Composed, "the trait's own composition"),
                (Treatment::Refused, "refused"),
            ] {
                let methods: Vec<_> =
                    table.iter().filter(|(_, is)| *is == treatment).map(|(method, _)| format!("`{method}`")).collect();
                if !methods.is_empty() {
                    let _ = writeln!(text, "| {label} | {} |", methods.join(" "));
                }
            }
        }
        text
    }

    #[test]
    fn every_method_of_burns_traits_is_listed_exactly_once() {
        for (name, table, count) in TRAITS {
            let distinct: BTreeSet<_> = table.iter().map(|(method, _)| method).collect();
            assert_eq!(distinct.len(), table.len(), "{name} lists a method twice");
            assert_eq!(table.len(), count, "{name} of burn-backend 0.21.0 has {count} methods");
        }
    }

    #[test]
    fn the_documented_table_is_up_to_date() {
        if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/table.md");
            return std::fs::write(path, rendered()).expect("table.md can be written");
        }
        assert_eq!(include_str!("table.md"), rendered(), "table.md is stale: run the tests with SPECTRAMIND_UPDATE=1");
    }
}
