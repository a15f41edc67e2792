//! Words to an expression, by Python's precedence.

use super::lexer::{Kind, Token};
use super::{Lambda, Parameter, evaluate, failed};
use crate::error::ConfigError;
use crate::value::Value;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value),
    Name(String),
    List(Vec<Expression>),
    /// The items of a list as arguments: `*rest`.
    Spread(String),
    Unary(Sign, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    /// `a < b < c`
    Comparison(Box<Expression>, Vec<(&'static str, Expression)>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Conditional {
        condition: Box<Expression>,
        then: Box<Expression>,
        otherwise: Box<Expression>,
    },
    Index(Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
    Method(Box<Expression>, String, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// How deep brackets may nest.
const MAX_DEPTH: usize = 32;
/// Operators in one expression.
const MAX_OPERATORS: usize = 256;

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// Open brackets.
    depth: usize,
    /// Operators so far: how deep a chain of them is evaluated.
    operators: usize,
}

type Parsed = Result<Expression, ConfigError>;

impl Parser {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self { tokens, at: 0, depth: 0, operators: 0 }
    }

    /// A whole lambda.
    pub(super) fn lambda(mut self) -> Result<Lambda, ConfigError> {
        if !self.takes_name("lambda") {
            return Err(self.expected("'lambda' or the name of a function"));
        }
        let (mut parameters, mut rest) = (Vec::<Parameter>::new(), None);
        while !self.takes(":") {
            if !(parameters.is_empty() && rest.is_none()) {
                self.expect(",")?;
            }
            let is_rest = self.takes("*");
            let name = self.parameter()?;
            let is_taken = |known: &Parameter| known.name == name;
            if rest.is_some() || parameters.iter().any(is_taken) {
                return Err(self.expected("another parameter than those before it"));
            }
            if is_rest {
                rest = Some(name);
                continue;
            }
            let default = if self.takes("=") { Some(self.expression()?) } else { None };
            if default.is_none() && parameters.last().is_some_and(|last| last.default.is_some()) {
                return Err(self.expected("a default, as the parameter before has one"));
            }
            parameters.push(Parameter { name, default });
        }
        let body = self.whole()?;
        Ok(Lambda { parameters, rest, body })
    }

    /// An expression and nothing behind it.
    pub(super) fn whole(mut self) -> Parsed {
        let expression = self.expression()?;
        match self.peek() {
            Kind::End => Ok(expression),
            _ => Err(self.expected("the end")),
        }
    }

    fn parameter(&mut self) -> Result<String, ConfigError> {
        match self.peek().clone() {
            Kind::Name(name) if !KEYWORDS.contains(&name.as_str()) && !evaluate::is_function(&name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected("the name of a parameter")),
        }
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(failed(format!("expected an expression of at most {MAX_DEPTH} levels")));
        }
        let value = self.disjunction()?;
        let expression = if self.takes_name("if") {
            let condition = self.disjunction()?.into();
            if !self.takes_name("else") {
                return Err(self.expected("'else'"));
            }
            Expression::Conditional { condition, then: value.into(), otherwise: self.expression()?.into() }
        } else {
            value
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn disjunction(&mut self) -> Parsed {
        let mut left = self.conjunction()?;
        while self.takes_name("or") {
            left = Expression::Or(left.into(), self.conjunction()?.into());
            self.deeper()?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed {
        let mut left = self.negation()?;
        while self.takes_name("and") {
            left = Expression::And(left.into(), self.negation()?.into());
            self.deeper()?;
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed {
        if self.takes_name("not") {
            self.deeper()?;
            return Ok(Expression::Not(self.negation()?.into()));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let first = self.sum()?;
        let mut others = Vec::new();
        while let Some(operator) = self.comparison_operator() {
            others.push((operator, self.sum()?));
        }
        Ok(if others.is_empty() { first } else { Expression::Comparison(first.into(), others) })
    }

    fn comparison_operator(&mut self) -> Option<&'static str> {
        let sign = self.takes_one(&["==", "!=", "<=", ">=", "<", ">"]);
        if sign.is_some() {
            return sign;
        }
        if self.takes_name("in") {
            return Some("in");
        }
        if self.takes_name("is") {
            return Some(if self.takes_name("not") { "is not" } else { "is" });
        }
        let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
        if *self.peek() == Kind::Name("not".into()) && next == Some(&Kind::Name("in".into())) {
            self.at += 2;
            return Some("not in");
        }
        None
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        while let Some(operator) = self.takes_one(&["+", "-"]) {
            left = Expression::Binary(operator, left.into(), self.product()?.into());
            self.deeper()?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.factor()?;
        while let Some(operator) = self.takes_one(&["*", "/", "//", "%"]) {
            left = Expression::Binary(operator, left.into(), self.factor()?.into());
            self.deeper()?;
        }
        Ok(left)
    }

    fn factor(&mut self) -> Parsed {
        let sign = match self.takes_one(&["+", "-"]) {
            Some("+") => Sign::Plus,
            Some(_) => Sign::Minus,
            None => return self.power(),
        };
        self.deeper()?;
        Ok(Expression::Unary(sign, self.factor()?.into()))
    }

    fn power(&mut self) -> Parsed {
        let base = self.primary()?;
        if !self.takes("**") {
            return Ok(base);
        }
        self.deeper()?;
        Ok(Expression::Binary("**", base.into(), self.factor()?.into()))
    }

    fn primary(&mut self) -> Parsed {
        let mut value = self.atom()?;
        loop {
            if self.takes("[") {
                let index = self.expression()?;
                self.expect("]")?;
                value = Expression::Index(value.into(), index.into());
            } else if self.takes(".") {
                let Kind::Name(name) = self.peek().clone() else { return Err(self.expected("the name of a method")) };
                self.at += 1;
                self.expect("(")?;
                value = Expression::Method(value.into(), name, self.list_until(")")?);
            } else {
                return Ok(value);
            }
            self.deeper()?;
        }
    }

    fn atom(&mut self) -> Parsed {
        match self.peek().clone() {
            Kind::Literal(value) => {
                self.at += 1;
                Ok(Expression::Literal(value))
            }
            Kind::Name(name) if !KEYWORDS.contains(&name.as_str()) => {
                self.at += 1;
                if self.takes("(") {
                    return Ok(Expression::Call(name, self.list_until(")")?));
                }
                Ok(Expression::Name(name))
            }
            Kind::Sign("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Sign("[") => {
                self.at += 1;
                Ok(Expression::List(self.list_until("]")?))
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn list_until(&mut self, end: &'static str) -> Result<Vec<Expression>, ConfigError> {
        let mut items = Vec::new();
        while !self.takes(end) {
            if !items.is_empty() {
                if !self.takes(",") {
                    return Err(self.expected(&format!("'{end}'")));
                }
                if self.takes(end) {
                    break;
                }
            }
            items.push(match self.takes("*") {
                true => Expression::Spread(self.parameter()?),
                false => self.expression()?,
            });
        }
        Ok(items)
    }

    fn deeper(&mut self) -> Result<(), ConfigError> {
        self.operators += 1;
        match self.operators > MAX_OPERATORS {
            true => Err(failed(format!("expected at most {MAX_OPERATORS} operators"))),
            false => Ok(()),
        }
    }

    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Kind::Sign(next) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn takes_one(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        signs.iter().copied().find(|sign| self.takes(sign))
    }

    fn takes_name(&mut self, name: &str) -> bool {
        let is_next = matches!(self.peek(), Kind::Name(next) if next == name);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), ConfigError> {
        if self.takes(sign) { Ok(()) } else { Err(self.expected(&format!("'{sign}'"))) }
    }

    fn expected(&self, what: &str) -> ConfigError {
        let token = &self.tokens[self.at];
        let got = match &token.kind {
            Kind::Sign(sign @ ("&" | "|" | "^")) => {
                return failed(format!("column {}: '{sign}' is not among the operators here", token.column));
            }
            Kind::Sign(sign) => format!("'{sign}'"),
            Kind::Name(name) => format!("'{name}'"),
            Kind::Literal(value) => value.to_string(),
            Kind::End => "the end".to_owned(),
        };
        failed(format!("column {}: expected {what}, got {got}", token.column))
    }
}

const KEYWORDS: [&str; 10] = ["lambda", "if", "else", "and", "or", "not", "in", "is", "for", "await"];
