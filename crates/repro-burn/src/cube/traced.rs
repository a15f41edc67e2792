//! A number of a kernel that is being written: [`Number`] whose operations are recorded instead of done.
//!
//! The text of an op in [`ops`](super::super::ops) is run once, when its kernel is compiled, on [`Traced`] values; what it
//! does becomes the kernel. Compilers below may contract a product and a sum, reassociate, or fold `(a + b) − a`, and
//! neither CubeCL nor Vulkan offers a way to forbid it. So every float result passes a barrier that no compiler can see
//! through: its bits are xor-ed with a kernel argument that is always zero.

use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

use cubecl::ir::{
    Arithmetic, BinaryOperator, Bitwise, Comparison, ConstantValue, ElemType, FloatKind, Instruction, IntKind,
    ManagedVariable, Operation, Operator, Scope, Select, Type, UIntKind, UnaryOperator, Variable,
};
use cubecl::prelude::*;

use super::super::ops::number::{Integer, Number, Word};
use super::facts::Exact;
use super::{division, fma, root};

/// The kernel being written.
pub struct Tracer<'a> {
    scope: RefCell<&'a mut Scope>,
    zero: Variable,
    exact: Exact,
}

/// A f32 of the kernel being written.
#[derive(Clone, Copy)]
pub struct Traced<'a>(Value<'a>);

/// A 32-bit integer of the kernel being written.
#[derive(Clone, Copy)]
pub struct TracedInteger<'a>(Value<'a>);

/// A bool of the kernel being written.
#[derive(Clone, Copy)]
pub struct TracedMask<'a>(Value<'a>);

/// A variable and, unless it is a constant, the kernel it belongs to.
#[derive(Clone, Copy)]
struct Value<'a> {
    tracer: Option<&'a Tracer<'a>>,
    variable: Variable,
}

fn float() -> Type {
    Type::new(ElemType::Float(FloatKind::F32).into())
}

fn integer() -> Type {
    Type::new(ElemType::Int(IntKind::I32).into())
}

fn unsigned() -> Type {
    Type::new(ElemType::UInt(UIntKind::U32).into())
}

fn boolean() -> Type {
    Type::new(ElemType::Bool.into())
}

impl<'a> Tracer<'a> {
    /// Begins to write into `scope`; `zero` is the kernel argument that is always 0.
    pub fn new(scope: &'a mut Scope, zero: &NativeExpand<u32>, exact: Exact) -> Self {
        Self { scope: RefCell::new(scope), zero: *zero.expand, exact }
    }

    /// A value of the kernel as a number.
    pub fn number(&'a self, value: &NativeExpand<f32>) -> Traced<'a> {
        Traced(Value { tracer: Some(self), variable: *value.expand })
    }

    fn record(&self, ty: Type, operation: impl Into<Operation>) -> Variable {
        let mut scope = self.scope.borrow_mut();
        let out = *scope.create_local(ty);
        scope.register(Instruction::new(operation, out));
        out
    }

    /// The same bits, of which no compiler knows that they are the same.
    fn barrier(&self, value: Variable) -> Variable {
        self.hidden(self.record(unsigned(), Operator::Reinterpret(UnaryOperator { input: value })))
    }

    /// The f32 with these bits, of which no compiler knows what it is.
    fn hidden(&self, bits: Variable) -> Variable {
        let hidden = self.record(unsigned(), Bitwise::BitwiseXor(BinaryOperator { lhs: bits, rhs: self.zero }));
        self.record(float(), Operator::Reinterpret(UnaryOperator { input: hidden }))
    }
}

impl<'a> Value<'a> {
    fn constant(value: ConstantValue, ty: Type) -> Self {
        Self { tracer: None, variable: Variable::constant(value, ty) }
    }

    fn tracer(self, other: Self) -> &'a Tracer<'a> {
        self.tracer.or(other.tracer).expect("an operation has an operand that is not a constant")
    }

    fn unary(self, ty: Type, operation: impl FnOnce(UnaryOperator) -> Operation) -> Self {
        let tracer = self.tracer(self);
        Self { tracer: Some(tracer), variable: tracer.record(ty, operation(UnaryOperator { input: self.variable })) }
    }

    fn binary(self, other: Self, ty: Type, operation: impl FnOnce(BinaryOperator) -> Operation) -> Self {
        let tracer = self.tracer(other);
        let operands = BinaryOperator { lhs: self.variable, rhs: other.variable };
        Self { tracer: Some(tracer), variable: tracer.record(ty, operation(operands)) }
    }

    fn select(mask: Self, yes: Self, no: Self, ty: Type) -> Self {
        let tracer = mask.tracer(yes);
        let select = Select { cond: mask.variable, then: yes.variable, or_else: no.variable };
        Self { tracer: Some(tracer), variable: tracer.record(ty, Operator::Select(select)) }
    }

    fn reinterpret(self, ty: Type) -> Self {
        self.unary(ty, |operand| Operator::Reinterpret(operand).into())
    }

    fn rounded(self) -> Self {
        let tracer = self.tracer(self);
        Self { tracer: Some(tracer), variable: tracer.barrier(self.variable) }
    }
}

macro_rules! rounded {
    ($($trait:ident $method:ident $operation:ident),*) => { $(
        impl $trait for Traced<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                match (self.constant(), other.constant()) {
                    (Some(a), Some(b)) => a.$method(b).into(),
                    _ => {
                        let tracer = self.0.tracer(other.0);
                        let (left, right) = (self.operand(tracer), other.operand(tracer));
                        Self(left.binary(right, float(), |operands| Arithmetic::$operation(operands).into()).rounded())
                    }
                }
            }
        }
    )* };
}
rounded!(Add add Add, Sub sub Sub, Mul mul Mul);

impl Div for Traced<'_> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        if let (Some(a), Some(b)) = (self.constant(), other.constant()) {
            return (a / b).into();
        }
        let tracer = self.0.tracer(other.0);
        let (a, b) = (self.operand(tracer).variable, other.operand(tracer).variable);
        tracer.call(|scope, exact, zero| {
            let (a, b) = (native(a), native(b));
            division::divide::expand(scope, a, b, zero, exact.division)
        })
    }
}

impl Neg for Traced<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::from_bits(self.to_bits() ^ i32::MIN.into())
    }
}

impl From<f32> for Traced<'_> {
    fn from(x: f32) -> Self {
        Self(Value::constant(ConstantValue::Float(x.into()), float()))
    }
}

impl<'a> Tracer<'a> {
    /// Writes a whole function into the kernel.
    fn call(&'a self, function: impl FnOnce(&mut Scope, Exact, NativeExpand<u32>) -> NativeExpand<f32>) -> Traced<'a> {
        let variable = *function(&mut self.scope.borrow_mut(), self.exact, native(self.zero)).expand;
        Traced(Value { tracer: Some(self), variable })
    }
}

impl<'a> Traced<'a> {
    /// The number as a value of the kernel.
    pub fn value(self) -> NativeExpand<f32> {
        native(self.0.variable)
    }

    /// The number as an operand. A zero is hidden: compilers fold x + 0 to x, which is wrong for x = −0, and 0 · x to 0.
    /// What is not finite is, too: CUDA's C++ has no literal for it.
    fn operand(self, tracer: &'a Tracer<'a>) -> Value<'a> {
        match self.constant() {
            Some(x) if x == 0.0 || !x.is_finite() => {
                let bits = Variable::constant(ConstantValue::UInt(x.to_bits().into()), unsigned());
                Value { tracer: Some(tracer), variable: tracer.hidden(bits) }
            }
            _ => self.0,
        }
    }

    fn compare(self, other: Self, operation: impl FnOnce(BinaryOperator) -> Operation) -> TracedMask<'a> {
        let tracer = self.0.tracer(other.0);
        TracedMask(self.operand(tracer).binary(other.operand(tracer), boolean(), operation))
    }

    /// The f32, if it is known already.
    fn constant(self) -> Option<f32> {
        self.0.variable.as_const().map(|value| value.as_f64() as f32)
    }
}

fn native<T: CubePrimitive>(variable: Variable) -> NativeExpand<T> {
    ManagedVariable::Plain(variable).into()
}

impl<'a> Number for Traced<'a> {
    type Mask = TracedMask<'a>;
    type Integer = TracedInteger<'a>;

    fn fma(self, b: Self, c: Self) -> Self {
        let Some(tracer) = self.0.tracer.or(b.0.tracer).or(c.0.tracer) else {
            let known = |number: Self| number.constant().expect("a number without a kernel is a constant");
            return known(self).mul_add(known(b), known(c)).into();
        };
        let [a, b, c] = [self, b, c].map(|number| number.operand(tracer).variable);
        tracer.call(|scope, exact, zero| fma::fused::expand(scope, native(a), native(b), native(c), zero, exact.fma))
    }

    fn sqrt(self) -> Self {
        let tracer = self.0.tracer(self.0);
        tracer.call(|scope, exact, zero| root::square_root::expand(scope, self.value(), zero, exact.root))
    }

    fn less(self, other: Self) -> TracedMask<'a> {
        self.compare(other, |operands| Comparison::Lower(operands).into())
    }

    fn less_equal(self, other: Self) -> TracedMask<'a> {
        self.compare(other, |operands| Comparison::LowerEqual(operands).into())
    }

    fn equal(self, other: Self) -> TracedMask<'a> {
        self.compare(other, |operands| Comparison::Equal(operands).into())
    }

    // A comparison of x with itself might be folded to "true".
    fn is_nan(self) -> TracedMask<'a> {
        Integer::less(0x7f80_0000.into(), self.to_bits() & i32::MAX.into())
    }

    fn select(mask: TracedMask<'a>, yes: Self, no: Self) -> Self {
        let tracer = mask.0.tracer(yes.0);
        Self(Value::select(mask.0, yes.operand(tracer), no.operand(tracer), float()))
    }

    fn to_bits(self) -> TracedInteger<'a> {
        match self.constant() {
            Some(x) => (x.to_bits() as i32).into(),
            None => TracedInteger(self.0.reinterpret(integer())),
        }
    }

    fn from_bits(bits: TracedInteger<'a>) -> Self {
        match bits.constant() {
            Some(bits) => f32::from_bits(bits as u32).into(),
            None => Self(bits.0.reinterpret(float())),
        }
    }

    fn from_integer(integer: TracedInteger<'a>) -> Self {
        Self(integer.0.unary(float(), |operand| Operator::Cast(operand).into()))
    }
}

impl From<i32> for TracedInteger<'_> {
    fn from(x: i32) -> Self {
        Self(Value::constant(ConstantValue::Int(x.into()), integer()))
    }
}

macro_rules! integers {
    ($($trait:ident $method:ident $kind:ident $operation:ident),*) => { $(
        impl $trait for TracedInteger<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                match (self.constant(), other.constant()) {
                    (Some(a), Some(b)) => Word::from(a).$method(b.into()).get().into(),
                    _ => Self(self.0.binary(other.0, integer(), |operands| $kind::$operation(operands).into())),
                }
            }
        }
    )* };
}
integers!(
    Add add Arithmetic Add, Sub sub Arithmetic Sub, Mul mul Arithmetic Mul, BitAnd bitand Bitwise BitwiseAnd,
    BitOr bitor Bitwise BitwiseOr, BitXor bitxor Bitwise BitwiseXor
);

impl Not for TracedInteger<'_> {
    type Output = Self;
    fn not(self) -> Self {
        self ^ (-1).into()
    }
}

impl<'a> TracedInteger<'a> {
    fn unsigned(self, other: Self, operation: impl FnOnce(BinaryOperator) -> Operation) -> Self {
        let (left, right) = (self.as_unsigned(), other.as_unsigned());
        Self(left.binary(right, unsigned(), operation).reinterpret(integer()))
    }

    fn as_unsigned(self) -> Value<'a> {
        match self.constant() {
            Some(x) => Value::constant(ConstantValue::UInt(u64::from(x as u32)), unsigned()),
            None => self.0.reinterpret(unsigned()),
        }
    }

    /// The integer, if it is known already.
    fn constant(self) -> Option<i32> {
        self.0.variable.as_const().map(|value| value.as_i64() as i32)
    }
}

impl<'a> Integer for TracedInteger<'a> {
    type Mask = TracedMask<'a>;

    fn shift_left(self, count: Self) -> Self {
        self.unsigned(count, |operands| Bitwise::ShiftLeft(operands).into())
    }

    fn shift_right(self, count: Self) -> Self {
        Self(self.0.binary(count.0, integer(), |operands| Bitwise::ShiftRight(operands).into()))
    }

    fn shift_right_logical(self, count: Self) -> Self {
        self.unsigned(count, |operands| Bitwise::ShiftRight(operands).into())
    }

    fn multiply_high_unsigned(self, other: Self) -> Self {
        self.unsigned(other, |operands| Arithmetic::MulHi(operands).into())
    }

    fn less(self, other: Self) -> TracedMask<'a> {
        TracedMask(self.0.binary(other.0, boolean(), |operands| Comparison::Lower(operands).into()))
    }

    fn equal(self, other: Self) -> TracedMask<'a> {
        TracedMask(self.0.binary(other.0, boolean(), |operands| Comparison::Equal(operands).into()))
    }

    fn select(mask: TracedMask<'a>, yes: Self, no: Self) -> Self {
        Self(Value::select(mask.0, yes.0, no.0, integer()))
    }
}

macro_rules! masks {
    ($($trait:ident $method:ident $operation:ident),*) => { $(
        impl $trait for TracedMask<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(self.0.binary(other.0, boolean(), |operands| Operator::$operation(operands).into()))
            }
        }
    )* };
}
masks!(BitAnd bitand And, BitOr bitor Or);

impl Not for TracedMask<'_> {
    type Output = Self;
    fn not(self) -> Self {
        Self(self.0.unary(boolean(), |operand| Operator::Not(operand).into()))
    }
}
