//! The workbench of one probed op: puts inputs on the device, reads results back, and remembers both as bits.

use std::fmt;

use burn_backend::ops::{BoolTensorOps, FloatTensorOps, IntTensorOps};
use burn_backend::tensor::{BoolTensor, Device, FloatTensor, IntTensor};
use burn_backend::{BoolDType, DType, Scalar, Shape, TensorData, bf16, f16, get_device_settings, try_read_sync};

use super::input;
use blake3::Hash;

use crate::Repro;
use crate::hasher::DomainHasher;
use crate::kernels::Kernels;

/// What the words of a tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bits of an f32.
    F32,
    /// Bits of an f16.
    F16,
    /// Bits of a bf16.
    Bf16,
    /// An integer of any width, as an i64.
    Int,
    /// 0 or 1.
    Bool,
}

/// One element: its bits, and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// What the bits are.
    pub kind: Kind,
    /// The bits.
    pub bits: u64,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits;
        match self.kind {
            Kind::F32 => write!(f, "0x{bits:08x} ({:e})", f32::from_bits(bits as u32)),
            Kind::F16 => write!(f, "0x{bits:04x} ({:e})", f16::from_bits(bits as u16).to_f32()),
            Kind::Bf16 => write!(f, "0x{bits:04x} ({:e})", bf16::from_bits(bits as u16).to_f32()),
            Kind::Int => write!(f, "{}", bits as i64),
            Kind::Bool => write!(f, "{}", bits == 1),
        }
    }
}

/// A tensor as bits, in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub words: Vec<u64>,
}

impl Words {
    /// The element at a row-major position; that of a scalar at any.
    pub fn number(&self, position: usize) -> Number {
        let bits = if self.words.len() == 1 { self.words[0] } else { self.words[position] };
        Number { kind: self.kind, bits }
    }

    fn of(data: &TensorData) -> Self {
        fn slice<T: burn_backend::Element>(data: &TensorData) -> &[T] {
            data.as_slice().expect("a tensor reads as its dtype")
        }
        let (kind, words) = match data.dtype {
            DType::F32 => (Kind::F32, slice::<f32>(data).iter().map(|x| x.to_bits().into()).collect()),
            DType::F16 => (Kind::F16, slice::<f16>(data).iter().map(|x| x.to_bits().into()).collect()),
            DType::BF16 => (Kind::Bf16, slice::<bf16>(data).iter().map(|x| x.to_bits().into()).collect()),
            // How wide integers and truth values are stored differs between devices.
            DType::Bool(_) => (Kind::Bool, data.iter::<bool>().map(u64::from).collect()),
            _ => (Kind::Int, data.iter::<i64>().map(|x| x as u64).collect()),
        };
        Self { kind, shape: data.shape.to_vec(), words }
    }
}

/// Whether the elements of a result can be told apart by their inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// Element i of the result comes from element i of each input.
    Elementwise,
    /// From any elements of the inputs.
    Whole,
}

/// One result of an op, and what it was computed from.
#[derive(Debug, Clone)]
pub struct Case {
    relation: Relation,
    inputs: Vec<Words>,
    /// What the op gave.
    pub output: Words,
}

impl Case {
    /// The inputs of one element, for a person: its operands, or the first numbers of every input.
    pub fn describe(&self, position: usize) -> String {
        let operand = |input: &Words| match self.relation {
            Relation::Elementwise => input.number(position).to_string(),
            Relation::Whole => {
                let shown: Vec<String> =
                    (0..input.words.len().min(3)).map(|position| input.number(position).to_string()).collect();
                let more = if input.words.len() > shown.len() { ", …" } else { "" };
                format!("shape {:?} with {}{more}", input.shape, shown.join(", "))
            }
        };
        let operands: Vec<String> = self.inputs.iter().map(operand).collect();
        if operands.is_empty() { "none".to_owned() } else { operands.join(" and ") }
    }
}

/// The digest of everything an op gave: what `probe.txt` holds.
pub fn digest(op: &str, cases: &[Case]) -> Hash {
    let mut hasher = DomainHasher::new("spectramind/numerics-probe/v1");
    hasher.field(op.as_bytes()).u64(cases.len() as u64);
    for Case { output, .. } in cases {
        hasher.field(format!("{:?}", output.kind).as_bytes()).u64(output.shape.len() as u64);
        for size in &output.shape {
            hasher.u64(*size as u64);
        }
        let bytes: Vec<u8> = output.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        hasher.field(&bytes);
    }
    hasher.finish()
}

/// Where a probed op gets its inputs from and leaves its results.
pub struct Bench<'a, B: Kernels> {
    /// The device that is probed.
    pub device: &'a Device<B>,
    inputs: Vec<Words>,
    cases: Vec<Case>,
}

impl<'a, B: Kernels> Bench<'a, B> {
    pub fn new(device: &'a Device<B>) -> Self {
        Self { device, inputs: Vec::new(), cases: Vec::new() }
    }

    pub fn cases(self) -> Vec<Case> {
        self.cases
    }

    /// The type in which this device stores truth values.
    pub fn bool_dtype(&self) -> BoolDType {
        get_device_settings::<Repro<B>>(self.device).bool_dtype
    }

    /// An input of f32.
    pub fn floats(&mut self, shape: impl Into<Shape>, values: Vec<f32>) -> FloatTensor<B> {
        let data = self.input(TensorData::new(values, shape.into()));
        Repro::<B>::float_from_data(data, self.device)
    }

    /// An input whose sums and products round at every step; see [`input::rounding`].
    pub fn numbers(&mut self, seed: u32, shape: &[usize]) -> FloatTensor<B> {
        self.floats(Shape::from(shape.to_vec()), input::rounding(seed, shape.iter().product()))
    }

    /// An input of f32 that lies column by column in the device's memory.
    pub fn strided(&mut self, [rows, columns]: [usize; 2], values: Vec<f32>) -> FloatTensor<B> {
        let stored = (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect::<Vec<_>>();
        self.input(TensorData::new(values, [rows, columns]));
        let stored = TensorData::new(stored, [columns, rows]);
        Repro::<B>::float_swap_dims(Repro::<B>::float_from_data(stored, self.device), 0, 1)
    }

    /// An input of integers.
    pub fn ints(&mut self, shape: impl Into<Shape>, values: Vec<i32>) -> IntTensor<B> {
        let data = self.input(TensorData::new(values, shape.into()));
        Repro::<B>::int_from_data(data, self.device)
    }

    /// An input of truth values.
    pub fn bools(&mut self, shape: impl Into<Shape>, values: Vec<bool>) -> BoolTensor<B> {
        let data = self.input(TensorData::new(values, shape.into()));
        Repro::<B>::bool_from_data(data.convert_dtype(self.bool_dtype().into()), self.device)
    }

    /// A number that is no tensor.
    pub fn scalar(&mut self, value: f32) -> Scalar {
        self.input(TensorData::new(vec![value], [1]));
        value.into()
    }

    fn input(&mut self, data: TensorData) -> TensorData {
        self.inputs.push(Words::of(&data));
        data
    }

    /// A result, of all inputs since the last one.
    pub fn gives(&mut self, result: FloatTensor<B>) {
        self.float_case(Relation::Whole, result);
    }

    /// A result in integers.
    pub fn gives_ints(&mut self, result: IntTensor<B>) {
        self.case(Relation::Whole, try_read_sync(Repro::<B>::int_into_data(result)));
    }

    /// A result in truth values.
    pub fn gives_bools(&mut self, result: BoolTensor<B>) {
        self.case(Relation::Whole, try_read_sync(Repro::<B>::bool_into_data(result)));
    }

    /// A function of one number, over every kind of number, of a contiguous and a strided tensor.
    ///
    /// A device has a kernel for vectors of numbers and one for single numbers; an odd length takes the second.
    pub fn each(&mut self, op: impl Fn(FloatTensor<B>) -> FloatTensor<B>) {
        let values = input::mixed();
        let whole = self.floats([values.len()], values.clone());
        self.float_case(Relation::Elementwise, op(whole));
        let strided = self.strided([31, 33], values[..31 * 33].to_vec());
        self.float_case(Relation::Elementwise, op(strided));
    }

    /// A function of two numbers, as [`each`](Self::each), and of a tensor that is broadcast.
    pub fn each_pair(&mut self, op: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>) {
        let (left, right) = input::pairs();
        let whole = (self.floats([left.len()], left.clone()), self.floats([right.len()], right.clone()));
        self.float_case(Relation::Elementwise, op(whole.0, whole.1));
        let part = 1024..1024 + 31 * 33;
        let strided =
            (self.strided([31, 33], left[part.clone()].to_vec()), self.floats([31, 33], right[part].to_vec()));
        self.float_case(Relation::Elementwise, op(strided.0, strided.1));
        let broadcast =
            (self.floats([33, 1], left[2048..2081].to_vec()), self.floats([1, 32], right[2048..2080].to_vec()));
        self.gives(op(broadcast.0, broadcast.1));
    }

    /// A function of a number and a scalar, over every kind of number for each of some scalars.
    pub fn each_scalar(&mut self, scalars: &[f32], op: impl Fn(FloatTensor<B>, Scalar) -> FloatTensor<B>) {
        for scalar in scalars {
            let tensor = self.floats([4096], input::mixed());
            let scalar = self.scalar(*scalar);
            self.float_case(Relation::Elementwise, op(tensor, scalar));
        }
    }

    /// A comparison of two numbers.
    pub fn compare(&mut self, op: impl Fn(FloatTensor<B>, FloatTensor<B>, BoolDType) -> BoolTensor<B>) {
        let (left, right) = input::pairs();
        let (left, right) = (self.floats([4096], left), self.floats([4096], right));
        let result = op(left, right, self.bool_dtype());
        self.case(Relation::Elementwise, try_read_sync(Repro::<B>::bool_into_data(result)));
    }

    /// A comparison of a number and a scalar, a tie among them.
    pub fn compare_scalar(&mut self, op: impl Fn(FloatTensor<B>, Scalar, BoolDType) -> BoolTensor<B>) {
        for scalar in [0.5, -0.0] {
            let tensor = self.floats([4096], input::mixed());
            let scalar = self.scalar(scalar);
            let result = op(tensor, scalar, self.bool_dtype());
            self.case(Relation::Elementwise, try_read_sync(Repro::<B>::bool_into_data(result)));
        }
    }

    /// A test of one number.
    pub fn test(&mut self, op: impl Fn(FloatTensor<B>, BoolDType) -> BoolTensor<B>) {
        let tensor = self.floats([4096], input::mixed());
        let result = op(tensor, self.bool_dtype());
        self.case(Relation::Elementwise, try_read_sync(Repro::<B>::bool_into_data(result)));
    }

    fn float_case(&mut self, relation: Relation, result: FloatTensor<B>) {
        self.case(relation, try_read_sync(Repro::<B>::float_into_data(result)));
    }

    fn case<E: fmt::Debug>(&mut self, relation: Relation, data: Option<Result<TensorData, E>>) {
        let data = data.expect("a device is read at once").expect("the device can be read");
        let inputs = std::mem::take(&mut self.inputs);
        self.cases.push(Case { relation, inputs, output: Words::of(&data) });
    }
}
