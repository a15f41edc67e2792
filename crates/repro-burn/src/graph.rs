//! Batch norm as one op of Burn's autodiff graph, with the gradients of [`ops::norm`](super::ops::norm).

use burn::backend::Autodiff;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{Shape, TensorMetadata};

use super::backend::Repro;
use super::kernels::Kernels;
use super::norm::{self, Normalised};
use super::statistics::{self, Exchange};

/// A float tensor of the autodiff backend above.
type Node<B> = FloatTensor<Autodiff<Repro<B>>>;

/// What a layer gets: the outputs, and what its running statistics follow.
pub struct Normed<B: Kernels> {
    /// Of the input's shape.
    pub out: Node<B>,
    /// Mean of each channel over the whole batch, `[channels]`.
    pub mean: FloatTensor<B>,
    /// Variance of each channel over the whole batch, `[channels]`.
    pub variance: FloatTensor<B>,
}

/// Batch norm of x, `[batch, channels, ..]`, by γ and β, `[channels]`. Nothing of it is empty.
///
/// It is that of the whole batch where this thread has a [part](statistics::with_batch_statistics) of it.
pub fn batch_norm<B: Kernels>(x: Node<B>, gamma: Node<B>, beta: Node<B>, epsilon: f32) -> Normed<B> {
    let shape = x.primitive.shape();
    let nodes = [x.node, gamma.node, beta.node];
    let positions = shape.iter().skip(2).product();
    let x = Repro::<B>::float_reshape(x.primitive, Shape::from([shape[0], shape[1], positions]));
    let affine = [gamma.primitive.clone(), beta.primitive];
    let exchange = statistics::in_force();
    let mut count = (shape[0] * positions) as u64;
    let Normalised { out, mean, variance, std } = match &exchange {
        None => B::batch_norm(x.clone(), affine, epsilon),
        Some(exchange) => {
            let ([sum], total) = exchange.sum::<B, 1>([B::channel_sums(x.clone())], count);
            let mean = norm::over::<B>(sum, total as f32);
            let squares = B::channel_squares(x.clone(), mean.clone());
            let ([squares], total) = exchange.sum::<B, 1>([squares], count);
            count = total;
            let variance = norm::over::<B>(squares, total as f32);
            norm::finished::<B>(x.clone(), mean, variance, affine, epsilon)
        }
    };
    let out = Repro::<B>::float_reshape(out, shape);
    let prepared = Backward::<Repro<B>, 3>::prepare::<NoCheckpointing>(BatchNormBackward, nodes).compute_bound();
    let out = match prepared.stateful() {
        OpsKind::Tracked(tracked) => {
            let by = [mean.clone(), std];
            tracked.finish(State { x, by, gamma: gamma.primitive, count, exchange }, out)
        }
        OpsKind::UnTracked(untracked) => untracked.finish(out),
    };
    Normed { out, mean, variance }
}

#[derive(Debug)]
struct BatchNormBackward;

/// What the gradients are made of.
#[derive(Debug, Clone)]
struct State<T> {
    /// `[batch, channels, positions]`.
    x: T,
    /// Mean and std of each channel.
    by: [T; 2],
    gamma: T,
    /// Elements of a channel in the whole batch.
    count: u64,
    exchange: Option<Exchange>,
}

impl<B: Kernels> Backward<Repro<B>, 3> for BatchNormBackward {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, gamma_node, beta_node] = ops.parents;
        let State { x, by, gamma, count, exchange } = ops.state;
        let gradient = gradients.consume::<Repro<B>>(&ops.node);
        let shape = gradient.shape();
        let gradient = Repro::<B>::float_reshape(gradient, x.shape());
        let of = match (&exchange, &x_node) {
            (None, Some(_)) => B::batch_norm_backward(x, gradient, by, gamma),
            // Not of the batch as a whole, or of the parameters alone.
            _ => {
                let [beta_sum, gamma_sum] = B::gradient_sums(x.clone(), gradient.clone(), by.clone());
                let own = [beta_sum.clone(), gamma_sum.clone()];
                let all = exchange.map_or(own.clone(), |exchange| exchange.sum::<B, 2>(own, count_of(&x)).0);
                let input = match &x_node {
                    Some(_) => {
                        let slope = norm::slope::<B>(by[1].clone(), gamma, all, count as f32);
                        B::input_gradient(x, gradient, by, slope)
                    }
                    // Nobody asks for it.
                    None => gradient,
                };
                norm::Gradients { input, gamma: gamma_sum, beta: beta_sum }
            }
        };
        if let Some(node) = x_node {
            gradients.register::<Repro<B>>(node.id, Repro::<B>::float_reshape(of.input, shape));
        }
        if let Some(node) = gamma_node {
            gradients.register::<Repro<B>>(node.id, of.gamma);
        }
        if let Some(node) = beta_node {
            gradients.register::<Repro<B>>(node.id, of.beta);
        }
    }
}

/// Elements of a channel in this part of the batch.
fn count_of(x: &impl TensorMetadata) -> u64 {
    norm::count(&x.shape()) as u64
}
