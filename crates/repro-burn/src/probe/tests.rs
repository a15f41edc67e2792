//! The probe passes on every CPU, covers the tables, and names each op that is off by one unit in the last place.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use burn_flex::FlexDevice;

use super::*;
use crate::cpu::level::Level;
use crate::cpu::level::forced::with_level;
use crate::fault::with_fault;
use crate::table::{Table, Treatment};
use crate::{activation, float, module};

/// Float methods that are implemented and not probed.
const NOT_PROBED: [(&str, &str); 3] = [
    ("float_device", "answers which device it is"),
    ("float_empty", "gives elements that nobody may read"),
    ("float_into_data", "is how every other op is read; NaNs are made canonical on the host"),
];

fn methods() -> BTreeSet<&'static str> {
    ops::<Flex>().iter().map(|op| method(op.name)).collect()
}

fn method(op: &'static str) -> &'static str {
    op.split(' ').next().expect("an op has a name")
}

/// The text of probe.txt, from whatever level this thread has.
fn digests() -> String {
    ops::<Flex>().iter().fold(String::new(), |mut text, op| {
        let cases = run(op, &FlexDevice).unwrap_or_else(|message| panic!("`{}`: {message}", op.name));
        let _ = writeln!(text, "{}: {}", op.name, bench::digest(op.name, &cases));
        text
    })
}

#[test]
fn every_float_method_that_is_implemented_is_probed_or_has_a_reason() {
    let (probed, reasons) = (methods(), BTreeSet::from(NOT_PROBED.map(|(method, _)| method)));
    let tables: [Table; 3] = [float::FLOAT, module::MODULE, activation::ACTIVATION];
    let implemented: BTreeSet<_> = tables
        .into_iter()
        .flatten()
        .filter(|(_, treatment)| matches!(treatment, Treatment::Exact | Treatment::Replaced | Treatment::Fast))
        .map(|(method, _)| *method)
        .collect();
    let forgotten: Vec<_> = implemented.iter().filter(|op| !probed.contains(*op) && !reasons.contains(*op)).collect();
    assert!(
        forgotten.is_empty(),
        "implemented, not probed: {forgotten:?}; add entries below crates/repro-burn/src/probe/"
    );
    let stale: Vec<_> = reasons.iter().filter(|op| !implemented.contains(*op) || probed.contains(*op)).collect();
    assert!(stale.is_empty(), "excused for nothing: {stale:?}");
}

#[test]
fn no_two_probed_ops_share_a_name() {
    let names: BTreeSet<_> = ops::<Flex>().iter().map(|op| op.name).collect();
    assert_eq!(names.len(), ops::<Flex>().len());
}

#[test]
fn every_level_and_number_of_threads_gives_the_stored_digests() {
    if std::env::var_os("SPECTRAMIND_UPDATE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe.txt");
        return std::fs::write(path, with_level(Level::PORTABLE, digests)).expect("probe.txt can be written");
    }
    for level in Level::available() {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let digests = pool.install(|| with_level(level, digests));
            for (got, stored) in digests.lines().zip(DIGESTS.lines()) {
                assert_eq!(got, stored, "{level:?}, {threads} threads; if it is meant: {REWRITE}");
            }
            assert_eq!(digests.lines().count(), DIGESTS.lines().count(), "{REWRITE}");
        }
    }
}

#[test]
fn the_cpu_passes_with_one_digest_every_time() {
    let first = probe::<Flex>(&FlexDevice).expect("the CPU passes");
    assert_eq!(probe::<Flex>(&FlexDevice), Ok(first));
    let report = report::<Flex>(&FlexDevice);
    assert!(report.ops().iter().all(|judged| judged.verdict == Verdict::Equal));
    assert_eq!(report.probed(), Ok(first));
    assert_eq!(subnormals::<Flex>(&FlexDevice), Subnormals::Kept);
}

#[test]
fn an_op_that_is_off_by_one_unit_is_refused_by_name() {
    for op in methods() {
        let failure = with_fault(op, || probe::<Flex>(&FlexDevice)).expect_err(op);
        assert_eq!(failure.method(), op, "{failure}");
        assert!(matches!(failure.difference, Difference::Element { .. }), "{failure}");
    }
}

#[test]
fn a_failure_says_op_input_expected_and_got() {
    let told = |op| with_fault(op, || probe::<Flex>(&FlexDevice)).expect_err("the op is broken").to_string();
    assert_eq!(
        told("float_exp"),
        "the numerics probe fails at `float_exp`: result 1, element [2048]: input 0xba663ef4 (-8.7831845e-4); \
         expected 0x3f7fc677 (9.991221e-1), got 0x3f7fc676 (9.99122e-1)"
    );
    assert_eq!(
        told("float_matmul"),
        "the numerics probe fails at `float_matmul`: result 1, element [0, 0]: input \
         shape [1, 1] with 0xbb8bbf67 (-4.2647603e-3) and shape [1, 1] with 0xbfd3d2ca (-1.6548703e0); \
         expected 0x3be743a6 (7.057625e-3), got 0x3be743a7 (7.0576253e-3)"
    );
}

#[test]
fn an_op_that_panics_fails_by_name() {
    let broken: Op<Flex> = op::op("float_exp", |_| panic!("device lost"));
    let Verdict::Failed(failure) = judge(0, &broken, &FlexDevice) else { panic!("a panic is a failure") };
    assert_eq!(failure.to_string(), "the numerics probe fails at `float_exp`: the device gave no result: device lost");
}
