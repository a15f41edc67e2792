//! An expression's value.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::number::Number;
use super::parser::{Expression, Parser, Sign};
use super::{MAX_SOURCE_BYTES, failed, lexer};
use crate::error::ConfigError;
use crate::python;
use crate::value::{Key, Value};

/// The functions that there are; their results are those of Python's.
const FUNCTIONS: [&str; 11] = ["abs", "bool", "eval", "float", "int", "len", "max", "min", "round", "str", "sum"];
/// The methods of texts.
const METHODS: [&str; 8] = ["endswith", "join", "lower", "replace", "split", "startswith", "strip", "upper"];

/// Values that one call may look at or make.
const MAX_STEPS: usize = 100_000;
/// Bytes of a text that is made.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Whether a function has this name.
pub(super) fn is_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// Evaluates expressions under names.
pub(super) struct Evaluator<'a> {
    names: &'a BTreeMap<String, Value>,
    steps: &'a mut usize,
    /// Whether the text of an `eval` is being evaluated, which may hold no other.
    inside_eval: bool,
}

type Evaluated = Result<Value, ConfigError>;

impl<'a> Evaluator<'a> {
    pub(super) fn new(names: &'a BTreeMap<String, Value>, steps: &'a mut usize) -> Self {
        Self { names, steps, inside_eval: false }
    }

    pub(super) fn value(&mut self, expression: &Expression) -> Evaluated {
        self.spend(1)?;
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Name(name) | Expression::Spread(name) => {
                let value = self.names.get(name).ok_or_else(|| {
                    let known: Vec<&str> = self.names.keys().map(String::as_str).collect();
                    failed(format!("there is no {name:?} here: the names are {}", known.join(", ")))
                })?;
                self.spend(size(value))?;
                Ok(value.clone())
            }
            Expression::List(items) => self.values(items).map(Value::List),
            Expression::Unary(sign, operand) => {
                let operand = self.value(operand)?;
                let number = Number::of(&operand).ok_or_else(|| unfit("a number", &operand))?;
                match sign {
                    Sign::Plus => number.into_value(),
                    Sign::Minus => number.negated().into_value(),
                }
            }
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(operator, left, right)
            }
            Expression::Comparison(first, others) => {
                let mut left = self.value(first)?;
                for (operator, right) in others {
                    let right = self.value(right)?;
                    if !compare(operator, &left, &right)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Expression::Not(operand) => Ok(Value::Bool(!python::truthy(&self.value(operand)?))),
            Expression::And(left, right) => match self.value(left)? {
                left if python::truthy(&left) => self.value(right),
                left => Ok(left),
            },
            Expression::Or(left, right) => match self.value(left)? {
                left if python::truthy(&left) => Ok(left),
                _ => self.value(right),
            },
            Expression::Conditional { condition, then, otherwise } => match python::truthy(&self.value(condition)?) {
                true => self.value(then),
                false => self.value(otherwise),
            },
            Expression::Index(container, index) => {
                let (container, index) = (self.value(container)?, self.value(index)?);
                item(&container, &index)
            }
            Expression::Call(name, arguments) => {
                let arguments = self.values(arguments)?;
                self.call(name, arguments)
            }
            Expression::Method(object, name, arguments) => {
                let (object, arguments) = (self.value(object)?, self.values(arguments)?);
                self.method(&object, name, &arguments)
            }
        }
    }

    fn values(&mut self, expressions: &[Expression]) -> Result<Vec<Value>, ConfigError> {
        let mut values = Vec::new();
        for expression in expressions {
            match (expression, self.value(expression)?) {
                (Expression::Spread(_), Value::List(items)) => values.extend(items),
                (Expression::Spread(_), other) => return Err(unfit("a list", &other)),
                (_, value) => values.push(value),
            }
        }
        Ok(values)
    }

    fn spend(&mut self, steps: usize) -> Result<(), ConfigError> {
        *self.steps = self.steps.saturating_add(steps);
        match *self.steps > MAX_STEPS {
            true => Err(failed(format!("expected a function that looks at no more than {MAX_STEPS} values"))),
            false => Ok(()),
        }
    }

    fn text(&mut self, text: String) -> Evaluated {
        if text.len() > MAX_TEXT_BYTES {
            return Err(failed(format!("expected a text of at most {MAX_TEXT_BYTES} bytes")));
        }
        self.spend(text.len() / 64)?;
        Ok(Value::Str(text))
    }

    fn binary(&mut self, operator: &'static str, left: Value, right: Value) -> Evaluated {
        if let (Some(a), Some(b)) = (Number::of(&left), Number::of(&right)) {
            self.spend(a.cost(operator, &b))?;
            return a.operate(operator, b)?.into_value();
        }
        match (operator, left, right) {
            ("+", Value::Str(a), Value::Str(b)) => self.text(a + &b),
            ("+", Value::List(mut a), Value::List(b)) => {
                self.spend(a.len() + b.len())?;
                a.extend(b);
                Ok(Value::List(a))
            }
            ("*", Value::Str(text), count) | ("*", count, Value::Str(text)) if lexer::integer(&count).is_some() => {
                let count = times(&count, text.len(), MAX_TEXT_BYTES)?;
                self.text(text.repeat(count))
            }
            ("*", Value::List(items), count) | ("*", count, Value::List(items)) if lexer::integer(&count).is_some() => {
                let each = items.iter().map(size).sum::<usize>().max(1);
                let count = times(&count, each, MAX_STEPS)?;
                self.spend(each * count)?;
                Ok(Value::List(items.iter().cycle().take(items.len() * count).cloned().collect()))
            }
            (_, left, right) => {
                Err(failed(format!("{operator}: cannot be done with {} and {}", left.type_name(), right.type_name())))
            }
        }
    }

    fn call(&mut self, name: &str, arguments: Vec<Value>) -> Evaluated {
        let number = |value: &Value| Number::of(value).ok_or_else(|| unfit("a number", value));
        match (name, arguments.as_slice()) {
            ("abs", [value]) => match number(value)? {
                negative if negative.compare(&Number::Int(0.into())) == Some(Ordering::Less) => {
                    negative.negated().into_value()
                }
                Number::Float(number) => Ok(Value::Float(number.abs())),
                other => other.into_value(),
            },
            ("bool", [value]) => Ok(Value::Bool(python::truthy(value))),
            ("eval", [Value::Str(text)]) => self.eval(text),
            ("float", [Value::Str(text)]) => match python::parse_float(text) {
                Some(number) => Ok(Value::Float(number)),
                None => Err(unfit("a number", &arguments[0])),
            },
            ("float", [value]) => Ok(Value::Float(number(value)?.to_float()?)),
            ("int", [Value::Str(text)]) => {
                python::parse_int(text).ok_or_else(|| unfit("a whole number", &arguments[0]))
            }
            ("int", [value]) => number(value)?.truncated()?.into_value(),
            ("len", [value]) => match value {
                Value::Str(text) => Ok(Value::Int(text.chars().count() as i64)),
                Value::List(items) => Ok(Value::Int(items.len() as i64)),
                Value::Map(map) => Ok(Value::Int(map.len() as i64)),
                other => Err(unfit("a text, a list or a map", other)),
            },
            ("max" | "min", [Value::List(items)]) => extreme(name, items),
            ("max" | "min", [_, _, ..]) => extreme(name, &arguments),
            ("round", [value]) => number(value)?.rounded(None)?.into_value(),
            ("round", [value, Value::Int(digits @ 0..)]) => {
                let digits = usize::try_from(*digits).unwrap_or(usize::MAX);
                number(value)?.rounded(Some(digits))?.into_value()
            }
            ("str", [value]) => self.text(python::str(value)),
            ("sum", [Value::List(items)]) => {
                self.spend(items.len())?;
                let mut sum = Value::Int(0);
                for item in items {
                    number(item)?;
                    sum = self.binary("+", sum, item.clone())?;
                }
                Ok(sum)
            }
            _ if is_function(name) => {
                let got: Vec<&str> = arguments.iter().map(Value::type_name).collect();
                Err(failed(format!("{name}: does not take ({})", got.join(", "))))
            }
            _ => Err(failed(format!("there is no function {name:?} here: the functions are {}", FUNCTIONS.join(", ")))),
        }
    }

    /// The value of a text, in which only functions have names.
    fn eval(&mut self, text: &str) -> Evaluated {
        if self.inside_eval || text.len() > MAX_SOURCE_BYTES {
            return Err(failed(format!(
                "eval: expected a text of at most {MAX_SOURCE_BYTES} bytes without another eval"
            )));
        }
        // A text is read anew each time.
        self.spend(text.len())?;
        let expression = Parser::new(lexer::tokens(text.trim())?).whole()?;
        Evaluator { names: &BTreeMap::new(), steps: self.steps, inside_eval: true }.value(&expression)
    }

    fn method(&mut self, object: &Value, name: &str, arguments: &[Value]) -> Evaluated {
        let Value::Str(text) = object else { return Err(unfit("a text before a method", object)) };
        match (name, arguments) {
            ("endswith", [Value::Str(end)]) => Ok(Value::Bool(text.ends_with(end.as_str()))),
            ("join", [Value::List(items)]) => {
                let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                let texts = texts.ok_or_else(|| failed("join: expected a list of texts"))?;
                let length: usize = texts.iter().map(|item| item.len() + text.len()).sum();
                times(&Value::Int(1), length, MAX_TEXT_BYTES)?;
                self.text(texts.join(text))
            }
            ("lower", []) => self.text(text.to_lowercase()),
            ("upper", []) => self.text(text.to_uppercase()),
            ("replace", [Value::Str(from), Value::Str(to)]) => {
                let places = text.matches(from.as_str()).count();
                times(&Value::Int(places as i64), to.len(), MAX_TEXT_BYTES)?;
                self.spend(text.len() / 64)?;
                self.text(text.replace(from.as_str(), to))
            }
            ("split", [Value::Str(separator)]) if !separator.is_empty() => {
                let parts: Vec<Value> = text.split(separator.as_str()).map(Value::from).collect();
                self.spend(parts.len())?;
                Ok(Value::List(parts))
            }
            ("startswith", [Value::Str(start)]) => Ok(Value::Bool(text.starts_with(start.as_str()))),
            ("strip", []) => self.text(text.trim().to_owned()),
            _ => Err(failed(format!("there is no such method {name:?} here: the methods are {}", METHODS.join(", ")))),
        }
    }
}

/// How often a thing of a size is repeated, within a limit.
fn times(count: &Value, size: usize, most: usize) -> Result<usize, ConfigError> {
    let count = lexer::integer(count).unwrap_or_default();
    let count = if count.sign() == num_bigint::Sign::Minus { Default::default() } else { count };
    let count = usize::try_from(&count).ok().filter(|count| count.saturating_mul(size) <= most);
    count.ok_or_else(|| failed(format!("expected a result of at most {most} bytes or values")))
}

/// How many values a value holds, and texts by their length.
fn size(value: &Value) -> usize {
    match value {
        Value::Str(text) => 1 + text.len() / 64,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn unfit(expected: &str, got: &Value) -> ConfigError {
    failed(format!("expected {expected}, got {} {}", got.type_name(), python::repr(got)))
}

fn extreme(name: &str, items: &[Value]) -> Evaluated {
    let mut items = items.iter();
    let mut best = items.next().ok_or_else(|| failed(format!("{name}: expected at least one value, got none")))?;
    for item in items {
        if compare(if name == "max" { ">" } else { "<" }, item, best)? {
            best = item;
        }
    }
    Ok(best.clone())
}

fn item(container: &Value, index: &Value) -> Evaluated {
    let found = match container {
        Value::Map(map) => Key::from_value(index.clone()).and_then(|key| map.get(&key).cloned()),
        Value::List(items) => position(index, items.len()).map(|position| items[position].clone()),
        Value::Str(text) => {
            let chars: Vec<char> = text.chars().collect();
            position(index, chars.len()).map(|position| Value::Str(chars[position].to_string()))
        }
        other => return Err(unfit("a text, a list or a map", other)),
    };
    found.ok_or_else(|| failed(format!("there is nothing at [{}]", python::repr(index))))
}

/// An index that may count from the end.
fn position(index: &Value, length: usize) -> Option<usize> {
    let index = i64::try_from(&lexer::integer(index)?).ok()?;
    let position = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(position).ok().filter(|&position| position < length)
}

fn compare(operator: &str, left: &Value, right: &Value) -> Result<bool, ConfigError> {
    let ordering = |accepted: &[Ordering]| -> Result<bool, ConfigError> {
        if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
            return Ok(a.compare(&b).is_some_and(|ordering| accepted.contains(&ordering)));
        }
        match (left, right) {
            (Value::Str(a), Value::Str(b)) => Ok(accepted.contains(&a.chars().cmp(b.chars()))),
            _ => Err(failed(format!("{operator}: cannot order {} and {}", left.type_name(), right.type_name()))),
        }
    };
    match operator {
        "==" => Ok(python::equal(left, right)),
        "!=" => Ok(!python::equal(left, right)),
        "<" => ordering(&[Ordering::Less]),
        "<=" => ordering(&[Ordering::Less, Ordering::Equal]),
        ">" => ordering(&[Ordering::Greater]),
        ">=" => ordering(&[Ordering::Greater, Ordering::Equal]),
        "in" | "not in" => {
            let is_in = match (left, right) {
                (Value::Str(part), Value::Str(text)) => text.contains(part.as_str()),
                (_, Value::List(items)) => items.iter().any(|item| python::equal(item, left)),
                (_, Value::Map(map)) => Key::from_value(left.clone()).is_some_and(|key| map.contains_key(&key)),
                (_, other) => return Err(unfit("a text, a list or a map", other)),
            };
            Ok(is_in == (operator == "in"))
        }
        // Of values that there is one of each.
        _ => match (left, right) {
            (Value::Null | Value::Bool(_), _) | (_, Value::Null | Value::Bool(_)) => {
                let is_same = left.type_name() == right.type_name() && python::equal(left, right);
                Ok(is_same == (operator == "is"))
            }
            _ => Err(failed("is: expected None, True or False on one side; == compares values")),
        },
    }
}
