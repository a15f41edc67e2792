//! A graph network: every node takes in the mean of those that point to it.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{IndexingUpdateOp, Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

const NODES: usize = 2048;
const EDGES: usize = 16_384;

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    first: Linear<B>,
    second: Linear<B>,
    head: Linear<B>,
}

pub struct Graph<B: Backend> {
    nodes: Tensor<B, 2>,
    from: Tensor<B, 1, Int>,
    to: Tensor<B, 1, Int>,
    labels: Tensor<B, 1, Int>,
}

impl<B: Backend> Clone for Graph<B> {
    fn clone(&self) -> Self {
        let Self { nodes, from, to, labels } = self;
        Self { nodes: nodes.clone(), from: from.clone(), to: to.clone(), labels: labels.clone() }
    }
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let linear = |to| LinearConfig::new(64, to).init(device);
        Self { first: linear(64), second: linear(64), head: linear(10) }
    }

    pub fn inputs(device: &B::Device) -> Graph<B> {
        Graph {
            nodes: normal([NODES, 64], device),
            from: classes([EDGES], NODES, device),
            to: classes([EDGES], NODES, device),
            labels: classes([NODES], 10, device),
        }
    }

    pub fn loss(&self, graph: Graph<B>) -> Tensor<B, 1> {
        let Graph { nodes, from, to, labels } = graph;
        let pass = |x: Tensor<B, 2>| {
            let sums = x.zeros_like().select_assign(0, to.clone(), x.clone().select(0, from.clone()), IndexingUpdateOp::Add);
            x + sums / (EDGES / NODES) as f64
        };
        let x = pass(relu(self.first.forward(nodes)));
        let x = pass(relu(self.second.forward(x)));
        cross_entropy(self.head.forward(x), labels)
    }
}
