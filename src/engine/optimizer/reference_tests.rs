//! Every rule against the same formulas on plain f32 numbers, bit for bit.

use std::collections::BTreeMap;

use super::group::Paces;
use super::*;
use crate::engine::parameter::{from_host, to_host};
use crate::engine::repro::Cpu;
use crate::engine::rng::{CounterRng, Stream};
use crate::engine::settings::{AdamSettings, LionSettings, LookaheadSettings, ParameterGroup, SgdSettings};

const LR: f64 = 0.013;
const STEPS: u64 = 23;
const ELEMENTS: usize = 37;

/// One number of a parameter, and its state.
#[derive(Debug, Clone, Copy, Default)]
struct Scalar {
    value: f32,
    first: f32,
    second: f32,
    slow: f32,
}

/// The learning rate varies from step to step.
fn rate(step: u64) -> f64 {
    LR / step as f64
}

/// Gradients of all sizes, zeros among them.
fn gradient(step: u64, element: usize) -> f32 {
    let rng = CounterRng::new(11, Stream::workload(0), step as u32);
    match rng.u32(1000 + element as u64) % 8 {
        0 => 0.0,
        size => (rng.uniform_f32(element as u64) - 0.5) * [1e-6, 1e-3, 0.1, 1.0, 3.0, 1e2, 1e5][size as usize - 1],
    }
}

/// The formulas of the module docs, on one number.
fn reference(settings: &OptimizerSettings, number: &mut Scalar, step: u64, gradient: f32, lr: f64, decay: f64) {
    let Scalar { value: p, first, second, slow } = number;
    if step == 1 {
        *slow = *p;
    }
    let penalized = if decay == 0.0 { gradient } else { gradient + *p * decay as f32 };
    let shrunk = *p * (1.0 - lr * decay) as f32;
    let mut adam = |g: f32, AdamSettings { betas: [beta1, beta2], eps }: AdamSettings| {
        let power = |beta: f64| (0..step).fold(1.0, |power, _| power * beta);
        *first = *first * beta1 as f32 + g * (1.0 - beta1) as f32;
        *second = *second * beta2 as f32 + (g * g) * (1.0 - beta2) as f32;
        let mean = *first / (1.0 - power(beta1)) as f32;
        let deviation = (*second / (1.0 - power(beta2)) as f32).sqrt();
        mean / (deviation + eps as f32)
    };
    match settings.rule {
        Rule::Adamw(rule) => *p = shrunk - adam(gradient, rule) * lr as f32,
        Rule::Adam(rule) => *p -= adam(penalized, rule) * lr as f32,
        Rule::Sgd(SgdSettings { momentum: 0.0, .. }) => *p -= penalized * lr as f32,
        Rule::Sgd(SgdSettings { momentum, nesterov }) => {
            *first = *first * momentum as f32 + penalized;
            let direction = if nesterov { penalized + *first * momentum as f32 } else { *first };
            *p -= direction * lr as f32;
        }
        Rule::Lion(LionSettings { betas: [beta1, beta2] }) => {
            let blend = *first * beta1 as f32 + gradient * (1.0 - beta1) as f32;
            let sign = if blend == 0.0 { 0.0 } else { blend.signum() };
            *p = shrunk - sign * lr as f32;
            *first = *first * beta2 as f32 + gradient * (1.0 - beta2) as f32;
        }
    }
    if let Some(LookaheadSettings { k, alpha }) = settings.lookahead
        && step.is_multiple_of(k.into())
    {
        *slow += (*p - *slow) * alpha as f32;
        *p = *slow;
    }
}

/// Two parameters, one of them in a group with a pace of its own.
fn assert_bits(settings: &OptimizerSettings) {
    let group = ParameterGroup { pattern: "b".into(), lr_factor: 0.3, weight_decay: Some(0.2), frozen: false };
    let settings = OptimizerSettings { groups: vec![group], ..settings.clone() };
    let paces = Paces::resolve(&settings.groups, &["a", "b"].map(str::to_owned).into()).expect("matches");
    let mut optimizer = Optimizer::<Cpu>::new(settings.clone(), paces);
    let device = Default::default();
    let begin = |offset: usize| (0..ELEMENTS).map(move |i| ((i * 7 + offset) % 11) as f32 / 5.0 - 1.0);
    let scalars = |offset| begin(offset).map(|value| Scalar { value, ..Scalar::default() }).collect::<Vec<_>>();
    let mut expected: BTreeMap<_, _> = [("a", scalars(0)), ("b", scalars(1))].into();
    let mut values: ByPath<Cpu> = expected
        .iter()
        .map(|(path, numbers)| {
            (path.to_string(), from_host(numbers.iter().map(|number| number.value).collect(), &device))
        })
        .collect();
    // Path, factor of the learning rate, weight decay.
    let paces = [("a", 1.0, settings.weight_decay), ("b", 0.3, 0.2)];
    for step in 1..=STEPS {
        for (index, (path, factor, decay)) in paces.iter().enumerate() {
            let lr = rate(step) * factor;
            for (element, number) in expected.get_mut(path).expect("a parameter").iter_mut().enumerate() {
                reference(&settings, number, step, gradient(step, element + index), lr, *decay);
            }
        }
        let gradients = paces.iter().enumerate().map(|(index, (path, ..))| {
            let gradient = (0..ELEMENTS).map(|element| gradient(step, element + index)).collect();
            (path.to_string(), from_host(gradient, &device))
        });
        values.extend(optimizer.step(values.clone(), gradients.collect(), rate(step)));
        for (path, numbers) in &expected {
            let found: Vec<_> = to_host(&values[*path]).into_iter().map(f32::to_bits).collect();
            let numbers: Vec<_> = numbers.iter().map(|number| number.value.to_bits()).collect();
            assert_eq!(found, numbers, "{:?}, step {step}, {path}", settings.rule);
        }
    }
    let mut names: Vec<_> = optimizer.slots().iter().flat_map(|name| ["a", "b"].map(|path| slot(name, path))).collect();
    names.sort();
    assert!(optimizer.state().keys().eq(names.iter()), "the state is what the slots say");
}

fn with(rule: Rule) {
    for weight_decay in [0.0, 0.01] {
        for lookahead in
            [None, Some(LookaheadSettings { k: 5, alpha: 0.5 }), Some(LookaheadSettings { k: 1, alpha: 0.8 })]
        {
            assert_bits(&OptimizerSettings { rule, weight_decay, lookahead, ..OptimizerSettings::default() });
        }
    }
}

#[test]
fn adamw_has_the_bits_of_its_formula() {
    with(Rule::Adamw(AdamSettings::default()));
}

#[test]
fn adam_has_the_bits_of_its_formula() {
    with(Rule::Adam(AdamSettings { betas: [0.8, 0.95], eps: 1e-6 }));
}

#[test]
fn sgd_has_the_bits_of_its_formula() {
    for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
        with(Rule::Sgd(SgdSettings { momentum, nesterov }));
    }
}

#[test]
fn lion_has_the_bits_of_its_formula() {
    with(Rule::Lion(LionSettings::default()));
}

#[test]
fn lookahead_moves_a_parameter_without_a_gradient_at_its_step_too() {
    let lookahead = Some(LookaheadSettings { k: 2, alpha: 0.5 });
    let rule = Rule::Sgd(SgdSettings { momentum: 0.0, nesterov: false });
    let settings = OptimizerSettings { rule, weight_decay: 0.0, lookahead, ..OptimizerSettings::default() };
    let mut optimizer = Optimizer::<Cpu>::new(settings, Paces::default());
    let of = |value: f32| from_host::<Cpu>(vec![value], &Default::default());
    let values: ByPath<Cpu> = [("a".to_owned(), of(1.0)), ("b".to_owned(), of(7.0))].into();
    let mut values = values;
    values.extend(optimizer.step(values.clone(), [("a".to_owned(), of(1.0))].into(), 1.0));
    assert_eq!(to_host(&values["a"]), [0.0]);
    // No gradient at the second step: the slow weight goes half the way from 1 to 0.
    let updated = optimizer.step(values, ByPath::new(), 1.0);
    assert_eq!(updated.keys().collect::<Vec<_>>(), ["a"], "b never had a gradient");
    assert_eq!(to_host(&updated["a"]), [0.5]);
}
