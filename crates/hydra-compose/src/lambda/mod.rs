//! Python's `lambda`, as far as a resolver needs it: one expression over its arguments, pure and bounded.
//!
//! Numbers, texts, lists; `+ - * / // % **`, comparisons, `and or not`, `a if c else b`, indices; the functions and
//! methods of [`evaluate`]. There are no loops and no state, so a call ends; texts, lists and whole numbers have a limit.
//! Results are Python's, but that powers are rounded correctly: CPython's last bit is that of the C library, which misses it
//! now and then. A power with a fractional exponent is refused but for 0.5.

mod evaluate;
mod lexer;
mod number;
mod parser;

use std::collections::BTreeMap;

use super::error::{ConfigError, ErrorKind};
use super::value::Value;
use evaluate::Evaluator;
use parser::{Expression, Parser};

/// Bytes of the text of a function.
const MAX_SOURCE_BYTES: usize = 4096;

/// A function that was read and can be called.
#[derive(Debug, Clone)]
pub(super) struct Lambda {
    parameters: Vec<Parameter>,
    /// What takes the further arguments: `*rest`.
    rest: Option<String>,
    body: Expression,
}

#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    default: Option<Expression>,
}

impl Lambda {
    /// Reads `lambda a, b=1, *rest: …`, or the name of a function such as `len`.
    ///
    /// # Errors
    /// [`ErrorKind::ResolverFailed`], with the column, for what is no such thing.
    pub(super) fn parse(source: &str) -> Result<Self, ConfigError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(failed(format!(
                "expected a function of at most {MAX_SOURCE_BYTES} bytes, got {}",
                source.len()
            )));
        }
        if evaluate::is_function(source.trim()) {
            let call = Expression::Call(source.trim().to_owned(), vec![Expression::Spread("arguments".to_owned())]);
            return Ok(Self { parameters: Vec::new(), rest: Some("arguments".to_owned()), body: call });
        }
        Parser::new(lexer::tokens(source)?).lambda()
    }

    /// Calls the function; adds to `steps` what it cost, about as many as it looked at or made values, whether it fails or
    /// not.
    ///
    /// # Errors
    /// [`ErrorKind::ResolverFailed`] where Python raises, and beyond the limits.
    pub(super) fn call(&self, arguments: Vec<Value>, steps: &mut usize) -> Result<Value, ConfigError> {
        let given = arguments.len();
        let mut arguments = arguments.into_iter();
        let mut names = BTreeMap::new();
        for parameter in &self.parameters {
            let value = match (arguments.next(), &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => Evaluator::new(&BTreeMap::new(), steps).value(default)?,
                (None, None) => return Err(self.wrong_count(given)),
            };
            names.insert(parameter.name.clone(), value);
        }
        let further: Vec<Value> = arguments.collect();
        match &self.rest {
            Some(rest) => drop(names.insert(rest.clone(), Value::List(further))),
            None if further.is_empty() => {}
            None => return Err(self.wrong_count(given)),
        }
        Evaluator::new(&names, steps).value(&self.body)
    }

    fn wrong_count(&self, given: usize) -> ConfigError {
        let least = self.parameters.iter().filter(|parameter| parameter.default.is_none()).count();
        let expected = match (&self.rest, self.parameters.len()) {
            (Some(_), _) => format!("at least {least}"),
            (None, most) if most == least => least.to_string(),
            (None, most) => format!("{least} to {most}"),
        };
        failed(format!("expected {expected} arguments, got {given}"))
    }
}

fn failed(message: impl Into<String>) -> ConfigError {
    ConfigError::new(ErrorKind::ResolverFailed, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(source: &str, arguments: &[Value]) -> Result<Value, String> {
        let called = Lambda::parse(source).and_then(|lambda| lambda.call(arguments.to_vec(), &mut 0));
        called.map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_go_to_parameters_defaults_and_the_rest() {
        let [one, two, three] = [1, 2, 3].map(Value::Int);
        let source = "lambda a, b=10, *more: a * 100 + b + sum(more)";
        assert_eq!(call(source, std::slice::from_ref(&one)), Ok(Value::Int(110)));
        assert_eq!(call(source, &[one.clone(), two.clone(), three.clone()]), Ok(Value::Int(105)));
        assert_eq!(call(source, &[]), Err("expected at least 1 arguments, got 0".into()));
        assert_eq!(call("lambda a: a", &[one.clone(), two.clone()]), Err("expected 1 arguments, got 2".into()));
        assert_eq!(call("max", &[one, three.clone(), two]), Ok(three));
    }

    #[test]
    fn what_would_not_end_or_would_take_all_memory_is_refused() {
        let deep = format!("lambda: {}1{}", "(".repeat(500), ")".repeat(500));
        let nested = "lambda t: eval(t)";
        let itself = Value::from("eval('eval(1)')");
        for (source, arguments) in [
            ("lambda: 'a' * 10 ** 9", vec![]),
            ("lambda: [0] * 10 ** 9", vec![]),
            ("lambda: 10 ** 10 ** 9", vec![]),
            ("lambda: 2 ** 100000", vec![]),
            (deep.as_str(), vec![]),
            (nested, vec![itself]),
        ] {
            assert!(call(source, &arguments).is_err(), "{}", &source[..source.len().min(40)]);
        }
        let long = format!("lambda: {}1", "1 + ".repeat(2000));
        assert!(call(&long, &[]).is_err());
    }

    #[test]
    fn what_a_call_costs_is_counted_also_where_it_fails() {
        let cost = |source: &str| {
            let mut steps = 0;
            let _ = Lambda::parse(source).expect("a function").call(Vec::new(), &mut steps);
            steps
        };
        assert!(cost("lambda: 1 + 1") < 10);
        assert!(cost("lambda: 1.5 ** 2000") > 1000);
        assert!(cost("lambda: [[1] * 100] * 100") > 10_000);
        assert!(cost("lambda: eval('1 +' + ' ' * 2000)") > 2000, "a text that does not parse was read, too");
        assert!(cost("lambda: ['x' * 6400] * 3 + 1") > 300);
    }

    proptest! {
        #[test]
        fn random_texts_are_read_or_refused(
            source in "(lambda a, b: )?[-+*/%<>=!()\\[\\],.: '\"0-9abel]{0,60}",
            a in any::<f64>(),
            b in any::<i64>(),
        ) {
            let _ = call(&source, &[Value::Float(a), Value::Int(b)]);
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_its_place() {
        let refused = |source: &str| Lambda::parse(source).expect_err(source).to_string();
        assert_eq!(refused("lambda x: x & 1"), "column 13: '&' is not among the operators here");
        assert_eq!(refused("lambda x: [y for y in x]"), "column 14: expected ']', got 'for'");
        assert_eq!(refused("x + 1"), "column 1: expected 'lambda' or the name of a function, got 'x'");
        assert!(call("lambda: open('x')", &[]).expect_err("no such function").contains("open"));
        assert!(
            call("lambda x: x.__class__()", &[Value::from("a")]).expect_err("no such method").contains("__class__")
        );
    }
}
