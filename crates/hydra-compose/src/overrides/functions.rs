//! The functions of the override grammar: casts (`int`, `float`, `str`, `bool`), sweeps (`choice`, `range`,
//! `interval`, `glob`), what changes them (`tag`, `sort`, `shuffle`), and `extend_list`, which Hydra 1.3 does not have.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::range::{add, subtract};
use super::{Element, Glob, Sweep, SweepKind};
use crate::error::{ConfigError, ErrorKind, did_you_mean, joined, listed, nearest};
use crate::python;
use crate::value::Value;

/// A call as written.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) positional: Vec<Element>,
    pub(super) named: Vec<(String, Element)>,
}

const NAMES: [&str; 12] =
    ["bool", "choice", "extend_list", "float", "glob", "int", "interval", "range", "shuffle", "sort", "str", "tag"];

#[derive(Clone, Copy, PartialEq)]
enum Cast {
    Int,
    Float,
    Str,
    Bool,
}

/// Calls a function.
///
/// # Errors
/// [`ErrorKind::UnknownFunction`], [`ErrorKind::FunctionEval`].
pub(super) fn evaluate(mut call: Call) -> Result<Element, ConfigError> {
    if call.name == "extend_list" {
        return extend_list(call);
    }
    // Arguments lose their quotes; what lists hold keeps them.
    let unquote = |element: &mut Element| {
        if let Element::Quoted(quoted) = element {
            *element = Element::Scalar(Value::Str(std::mem::take(&mut quoted.text)));
        }
    };
    call.positional.iter_mut().for_each(unquote);
    call.named.iter_mut().for_each(|(_, element)| unquote(element));
    match call.name.as_str() {
        "int" => cast_call(call, Cast::Int),
        "float" => cast_call(call, Cast::Float),
        "str" => cast_call(call, Cast::Str),
        "bool" => cast_call(call, Cast::Bool),
        "choice" => choice(call),
        "range" => range(call),
        "interval" => interval(call),
        "glob" => glob(call),
        "tag" => tag(call),
        "sort" => sort_call(call),
        "shuffle" => shuffle(call),
        name => {
            let hint = nearest(name, NAMES)
                .map(|near| did_you_mean(format!("{near}(…)")))
                .or_else(|| Some("a text with parentheses needs quotes".to_owned()));
            let message = format!("unknown function {name:?}; there are {}", NAMES.join(", "));
            Err(ConfigError::new(ErrorKind::UnknownFunction, message).with_hint(hint))
        }
    }
}

fn failed<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::new(ErrorKind::FunctionEval, message))
}

fn sweep(kind: SweepKind) -> Element {
    Element::Sweep(Box::new(Sweep { kind, shuffle: false, tags: Vec::new() }))
}

fn choice_of(list: Vec<Element>, simple: bool) -> Element {
    sweep(SweepKind::Choice { list, simple })
}

// Arguments.

impl Call {
    /// Binds the arguments to parameters in order; a parameter that was not given is `None`.
    fn bind<const N: usize>(self, parameters: [&str; N]) -> Result<[Option<Element>; N], ConfigError> {
        if self.positional.len() > N {
            return failed(format!("expected at most {N} arguments, got {}", self.positional.len()));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        bind_named(self.named, &parameters, &mut bound)?;
        Ok(bound)
    }

    /// The positional arguments, and the parameters that can only be named.
    fn split<const N: usize>(self, parameters: [&str; N]) -> Result<(Vec<Element>, [Option<Element>; N]), ConfigError> {
        let mut bound = [const { None }; N];
        bind_named(self.named, &parameters, &mut bound)?;
        Ok((self.positional, bound))
    }
}

fn bind_named(
    named: Vec<(String, Element)>,
    parameters: &[&str],
    bound: &mut [Option<Element>],
) -> Result<(), ConfigError> {
    let mut given: Vec<(String, Element)> = Vec::new();
    for (name, value) in named {
        // A repeated name keeps its last value, as in a Python dict.
        match given.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => given.push((name, value)),
        }
    }
    for (name, value) in given {
        match parameters.iter().position(|parameter| *parameter == name) {
            Some(index) if bound[index].is_none() => bound[index] = Some(value),
            Some(_) => return failed(format!("argument {name:?} is given twice")),
            None => {
                let near = nearest(&name, parameters.iter().copied()).map(|near| did_you_mean(format!("{near}=…")));
                let hint = joined(near, listed("the named arguments", parameters));
                return failed(format!("unexpected argument {name:?}")).map_err(|error| error.with_hint(hint));
            }
        }
    }
    Ok(())
}

fn is_null(element: &Element) -> bool {
    matches!(element, Element::Scalar(Value::Null))
}

fn as_sweep(element: &Element) -> Option<&Sweep> {
    match element {
        Element::Sweep(sweep) => Some(sweep),
        _ => None,
    }
}

fn describe(element: &Element) -> String {
    match element {
        Element::Sweep(_) => "a sweep".to_owned(),
        Element::Glob(_) => "a glob".to_owned(),
        Element::Extend(_) => "extend_list".to_owned(),
        Element::List(_) => "a list".to_owned(),
        Element::Dict(_) => "a map".to_owned(),
        Element::Quoted(quoted) => format!("{:?}", quoted.text),
        Element::Scalar(value) => format!("{} {}", value.type_name(), python::repr(value)),
    }
}

fn expect(arguments: &[Element], expected: &str, accept: impl Fn(&Element) -> bool) -> Result<(), ConfigError> {
    match arguments.iter().find(|argument| !accept(argument)) {
        Some(argument) => failed(format!("expected {expected}, got {}", describe(argument))),
        None => Ok(()),
    }
}

/// A number; Python counts booleans as integers.
fn number(element: &Element) -> Option<Value> {
    match element {
        Element::Scalar(Value::Bool(flag)) => Some(Value::Int(i64::from(*flag))),
        Element::Scalar(value @ (Value::Int(_) | Value::BigInt(_) | Value::Float(_))) => Some(value.clone()),
        _ => None,
    }
}

fn expect_number(element: Option<Element>, name: &str) -> Result<Value, ConfigError> {
    match element {
        None => failed(format!("argument {name:?} is missing")),
        Some(element) => match number(&element) {
            Some(number) => Ok(number),
            None => failed(format!("expected a number as {name:?}, got {}", describe(&element))),
        },
    }
}

/// A plain element: no sweep, no glob and no `extend_list`, at the top.
fn is_plain(element: &Element) -> bool {
    !matches!(element, Element::Sweep(_) | Element::Glob(_) | Element::Extend(_))
}

// Casts.

fn cast_call(call: Call, cast: Cast) -> Result<Element, ConfigError> {
    let (positional, [value]) = call.split(["value"])?;
    let is_cast_type = |element: &Element| !matches!(element, Element::Glob(_) | Element::Extend(_));
    expect(&positional, "a value or a sweep", is_cast_type)?;
    expect(value.as_slice(), "a value or a sweep", is_cast_type)?;
    let value = value.filter(|value| !is_null(value));
    let mut positional = positional;
    let subject = match (value, positional.len()) {
        (Some(_), 1..) => return failed("cannot use both positional and named arguments"),
        (Some(value), _) => value,
        (None, 0) => return failed("expected an argument"),
        (None, 1) => positional.remove(0),
        (None, _) => {
            expect(&positional, "plain values", is_plain)?;
            choice_of(positional, true)
        }
    };
    apply_cast(&subject, cast)
}

fn apply_cast(element: &Element, cast: Cast) -> Result<Element, ConfigError> {
    Ok(match element {
        Element::Quoted(quoted) => Element::Scalar(cast_scalar(&Value::Str(quoted.text.clone()), cast)?),
        Element::Scalar(value) => Element::Scalar(cast_scalar(value, cast)?),
        Element::List(items) => {
            Element::List(items.iter().map(|item| apply_cast(item, cast)).collect::<Result<_, _>>()?)
        }
        Element::Dict(entries) => {
            let cast_entry = |(key, value): &(Value, Element)| Ok((key.clone(), apply_cast(value, cast)?));
            Element::Dict(entries.iter().map(cast_entry).collect::<Result<_, ConfigError>>()?)
        }
        Element::Glob(_) | Element::Extend(_) => return failed(format!("cannot cast {}", describe(element))),
        // A cast sweep is a new one, without the tags and the shuffling of the old.
        Element::Sweep(old) => match &old.kind {
            SweepKind::Choice { list, simple } => {
                let list: Vec<Element> = list.iter().map(|item| apply_cast(item, cast)).collect::<Result<_, _>>()?;
                expect(&list, "plain values", is_plain)?;
                choice_of(list, *simple)
            }
            SweepKind::Range { start, stop, step } => {
                if !matches!(cast, Cast::Int | Cast::Float) {
                    return failed("a range can only be cast to int or float");
                }
                let [start, stop, step] =
                    [cast_scalar(start, cast)?, cast_scalar(stop, cast)?, cast_scalar(step, cast)?];
                sweep(SweepKind::Range { start, stop, step })
            }
            SweepKind::Interval { start, end } => {
                if !matches!(cast, Cast::Int | Cast::Float) {
                    return failed("an interval can only be cast to int or float");
                }
                let kind = SweepKind::Interval { start: cast_scalar(start, cast)?, end: cast_scalar(end, cast)? };
                Element::Sweep(Box::new(Sweep { kind, shuffle: false, tags: old.tags.clone() }))
            }
        },
    })
}

fn cast_scalar(value: &Value, cast: Cast) -> Result<Value, ConfigError> {
    let cast_value = match (cast, value) {
        (Cast::Bool, Value::Null) => Some(Value::Bool(false)),
        (_, Value::Null) => None,
        (Cast::Int, Value::Bool(flag)) => Some(Value::Int(i64::from(*flag))),
        (Cast::Int, Value::Float(number)) => truncated(*number),
        (Cast::Int, Value::Str(text)) => python::parse_int(text),
        (Cast::Int, other) => Some(other.clone()),
        (Cast::Float, Value::Str(text)) => python::parse_float(text).map(Value::Float),
        (Cast::Float, other) => to_float(other).map(Value::Float),
        (Cast::Str, Value::Bool(flag)) => Some(Value::Str(flag.to_string())),
        (Cast::Str, other) => Some(Value::Str(python::str(other))),
        (Cast::Bool, Value::Str(text)) => match text.to_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        (Cast::Bool, other) => Some(Value::Bool(python::truthy(other))),
    };
    let target = match cast {
        Cast::Int => "int",
        Cast::Float => "float",
        Cast::Str => "str",
        Cast::Bool => "bool",
    };
    cast_value
        .map_or_else(|| failed(format!("cannot cast {} {} to {target}", value.type_name(), python::repr(value))), Ok)
}

/// `int(float)`: toward zero; `None` for infinities and NaN.
fn truncated(number: f64) -> Option<Value> {
    if !number.is_finite() {
        return None;
    }
    let text = format!("{:.0}", number.trunc());
    Some(Value::from_bigint(text.parse::<BigInt>().ok()?))
}

/// A number as a float; `None` where it is too large for one.
pub(super) fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Int(number) => Some(*number as f64),
        Value::BigInt(number) => number.to_string().parse().ok().filter(|float: &f64| float.is_finite()),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

// Sweeps.

fn choice(call: Call) -> Result<Element, ConfigError> {
    let (mut list, []) = call.split([])?;
    let is_choice =
        |element: &Element| as_sweep(element).is_some_and(|sweep| matches!(sweep.kind, SweepKind::Choice { .. }));
    let is_extension = |element: &Element| matches!(element, Element::Extend(_));
    let is_value = |element: &Element| is_plain(element) || is_choice(element) || is_extension(element);
    expect(&list, "values", |element| !is_null(element) && is_value(element))?;
    if list.is_empty() {
        return failed("an empty choice is not legal");
    }
    if let [Element::Sweep(inner)] = list.as_mut_slice()
        && let SweepKind::Choice { simple, .. } = &mut inner.kind
    {
        if !*simple {
            return failed("nesting choices is not supported");
        }
        *simple = false;
        return Ok(list.remove(0));
    }
    Ok(choice_of(list, false))
}

fn range(call: Call) -> Result<Element, ConfigError> {
    let [start, stop, step] = call.bind(["start", "stop", "step"])?;
    let first = expect_number(start, "start")?;
    let (start, stop) = match stop.filter(|stop| !is_null(stop)) {
        Some(stop) => (first, expect_number(Some(stop), "stop")?),
        None => (Value::Int(0), first),
    };
    let step = expect_number(Some(step.unwrap_or(Element::Scalar(Value::Int(1)))), "step")?;
    Ok(sweep(SweepKind::Range { start, stop, step }))
}

fn interval(call: Call) -> Result<Element, ConfigError> {
    let [start, end] = call.bind(["start", "end"])?;
    let as_float = |element, name| cast_scalar(&expect_number(element, name)?, Cast::Float);
    Ok(sweep(SweepKind::Interval { start: as_float(start, "start")?, end: as_float(end, "end")? }))
}

fn glob(call: Call) -> Result<Element, ConfigError> {
    let [include, exclude] = call.bind(["include", "exclude"])?;
    let patterns = |element: &Element| match element {
        Element::Scalar(text @ Value::Str(_)) => Some(vec![text.clone()]),
        Element::List(items) => items.iter().map(Element::to_value).collect(),
        _ => None,
    };
    let Some(include) = include else { return failed("argument \"include\" is missing") };
    let Some(include) = patterns(&include) else {
        return failed(format!("expected a pattern or a list of patterns, got {}", describe(&include)));
    };
    let exclude = match exclude.filter(|exclude| !is_null(exclude)) {
        None => Vec::new(),
        Some(exclude) => match patterns(&exclude) {
            Some(exclude) => exclude,
            None => return failed(format!("expected a pattern or a list of patterns, got {}", describe(&exclude))),
        },
    };
    Ok(Element::Glob(Glob { include, exclude }))
}

/// Hydra 1.4's list append: the values come after those that the list already has.
fn extend_list(call: Call) -> Result<Element, ConfigError> {
    let (values, []) = call.split([])?;
    expect(&values, "plain values", is_plain)?;
    Ok(Element::Extend(values))
}

// What changes a sweep.

fn tag(call: Call) -> Result<Element, ConfigError> {
    let (mut arguments, [named]) = call.split(["sweep"])?;
    let is_tag_or_sweep = |element: &Element| matches!(element, Element::Scalar(Value::Str(_)) | Element::Sweep(_));
    expect(&arguments, "tags and a sweep", is_tag_or_sweep)?;
    if arguments.is_empty() {
        return failed("expected at least a sweep");
    }
    match named.filter(|named| !is_null(named)) {
        Some(named @ Element::Sweep(_)) => arguments.push(named),
        Some(other) => return failed(format!("expected a sweep, got {}", describe(&other))),
        None => {}
    }
    let Some(Element::Sweep(mut sweep)) = arguments.pop() else {
        return failed("the last argument must be a choice, a range or an interval");
    };
    sweep.tags.clear();
    for argument in arguments {
        let Element::Scalar(Value::Str(tag)) = argument else { return failed("expected texts as tags") };
        if !sweep.tags.contains(&tag) {
            sweep.tags.push(tag);
        }
    }
    Ok(Element::Sweep(sweep))
}

fn is_sortable(element: &Element) -> bool {
    !is_null(element)
        && match element {
            Element::Sweep(sweep) => !matches!(sweep.kind, SweepKind::Interval { .. }),
            Element::Glob(_) | Element::Extend(_) => false,
            _ => true,
        }
}

/// The parameters that `sort` and `shuffle` take by name only: a sweep and a list.
fn named_subject(sweep: Option<Element>, list: Option<Element>) -> Result<Option<Element>, ConfigError> {
    let (sweep, list) = (sweep.filter(|sweep| !is_null(sweep)), list.filter(|list| !is_null(list)));
    if let Some(sweep) = &sweep
        && !(matches!(sweep, Element::Sweep(_)) && is_sortable(sweep))
    {
        return failed(format!("expected a choice or a range, got {}", describe(sweep)));
    }
    if let Some(list) = &list
        && !matches!(list, Element::List(_))
    {
        return failed(format!("expected a list, got {}", describe(list)));
    }
    Ok(list.or(sweep))
}

fn shuffle(call: Call) -> Result<Element, ConfigError> {
    let (mut arguments, [sweep_argument, list]) = call.split(["sweep", "list"])?;
    expect(&arguments, "values, a choice or a range", is_sortable)?;
    if let Some(subject) = named_subject(sweep_argument, list)? {
        arguments = vec![subject];
    }
    if arguments.len() == 1 {
        return Ok(match arguments.remove(0) {
            Element::Sweep(mut sweep) => {
                sweep.shuffle = true;
                Element::Sweep(sweep)
            }
            // A list is shuffled where it stands in Hydra; here it keeps its order, as nothing may depend on chance.
            list @ Element::List(_) => list,
            other => Element::List(vec![other]),
        });
    }
    expect(&arguments, "plain values", is_plain)?;
    let kind = SweepKind::Choice { list: arguments, simple: true };
    Ok(Element::Sweep(Box::new(Sweep { kind, shuffle: true, tags: Vec::new() })))
}

fn sort_call(call: Call) -> Result<Element, ConfigError> {
    let (mut arguments, [sweep_argument, list, reverse]) = call.split(["sweep", "list", "reverse"])?;
    expect(&arguments, "values, a choice or a range", is_sortable)?;
    let reverse = match reverse {
        None => false,
        Some(Element::Scalar(Value::Bool(reverse))) => reverse,
        Some(other) => return failed(format!("expected a boolean as \"reverse\", got {}", describe(&other))),
    };
    if let Some(subject) = named_subject(sweep_argument, list)? {
        arguments = vec![subject];
    }
    if arguments.len() == 1 {
        return match arguments.remove(0) {
            Element::Sweep(sweep) => sort_sweep(*sweep, reverse),
            Element::List(items) => Ok(Element::List(sorted(items, reverse)?)),
            other => Ok(other),
        };
    }
    expect(&arguments, "scalars", |element| matches!(element, Element::Scalar(value) if *value != Value::Null))?;
    if arguments.is_empty() {
        return failed("nothing to sort");
    }
    sort_sweep(
        Sweep { kind: SweepKind::Choice { list: arguments, simple: true }, shuffle: false, tags: Vec::new() },
        reverse,
    )
}

fn sort_sweep(mut sweep: Sweep, reverse: bool) -> Result<Element, ConfigError> {
    match &mut sweep.kind {
        SweepKind::Choice { list, .. } => *list = sorted(std::mem::take(list), reverse)?,
        SweepKind::Range { start, stop, step } => {
            let order = compare_values(start, stop)?;
            let size =
                if compare_values(step, &Value::Int(0))? == Ordering::Less { negated(step)? } else { step.clone() };
            // A range that runs the wrong way is turned around.
            let turned = match (reverse, order) {
                (false, Ordering::Greater) => Some((add(stop, &size), add(start, &size))),
                (true, Ordering::Less) => Some((subtract(stop, &size), subtract(start, &size))),
                _ => None,
            };
            if let Some((new_start, new_stop)) = turned {
                (*start, *stop, *step) = (new_start, new_stop, negated(step)?);
            }
        }
        SweepKind::Interval { .. } => return failed("cannot sort an interval"),
    }
    Ok(Element::Sweep(Box::new(sweep)))
}

fn negated(number: &Value) -> Result<Value, ConfigError> {
    Ok(match number {
        Value::Float(float) => Value::Float(-float),
        other => subtract(&Value::Int(0), other),
    })
}

/// A stable sort by Python's `<`; `reverse` keeps the order of equals.
fn sorted(mut items: Vec<Element>, reverse: bool) -> Result<Vec<Element>, ConfigError> {
    let mut error = None;
    if reverse {
        items.reverse();
    }
    items.sort_by(|a, b| {
        compare(a, b).unwrap_or_else(|refused| {
            error.get_or_insert(refused);
            Ordering::Equal
        })
    });
    if reverse {
        items.reverse();
    }
    error.map_or(Ok(items), Err)
}

fn compare(a: &Element, b: &Element) -> Result<Ordering, ConfigError> {
    match (a, b) {
        (Element::Scalar(a), Element::Scalar(b)) => compare_values(a, b),
        (Element::List(a), Element::List(b)) => {
            for (a, b) in a.iter().zip(b) {
                if !same(a, b) {
                    return compare(a, b);
                }
            }
            Ok(a.len().cmp(&b.len()))
        }
        _ => failed(format!("cannot compare {} with {}", describe(a), describe(b))),
    }
}

/// Python's `==`: quoted texts also compare their quotes.
fn same(a: &Element, b: &Element) -> bool {
    match (a, b) {
        (Element::Quoted(a), Element::Quoted(b)) => a == b,
        (Element::Quoted(_), _) | (_, Element::Quoted(_)) => false,
        _ => match (a.to_value(), b.to_value()) {
            (Some(a), Some(b)) => python::equal(&a, &b),
            _ => a == b,
        },
    }
}

fn compare_values(a: &Value, b: &Value) -> Result<Ordering, ConfigError> {
    if let (Value::Str(a), Value::Str(b)) = (a, b) {
        return Ok(a.chars().cmp(b.chars()));
    }
    let whole = |value: &Value| match value {
        Value::Bool(flag) => Some(BigInt::from(u8::from(*flag))),
        Value::Int(number) => Some(BigInt::from(*number)),
        Value::BigInt(number) => Some(number.clone()),
        _ => None,
    };
    if let (Some(a), Some(b)) = (whole(a), whole(b)) {
        return Ok(a.cmp(&b));
    }
    match (to_float(a), to_float(b)) {
        (Some(a), Some(b)) => Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
        _ => failed(format!("cannot compare {} with {}", a.type_name(), b.type_name())),
    }
}
