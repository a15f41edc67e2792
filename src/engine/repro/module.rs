//! `ModuleOps`: linear layers, embedding, layer norm and attention from this backend's own ops; convolutions, pools,
//! interpolation and FFT are not portable yet.

use burn_backend::ops::attention::attention_fallback;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward, DeformConvOptions,
    InterpolateOptions, MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps,
};
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};

use super::backend::Repro;
use super::kernels::Kernels;
use super::table::backend_ops;

backend_ops! {
    /// How each method of `ModuleOps` is treated.
    MODULE: ModuleOps {
        exact {

        }
        replaced {
            fn attention(
                query: FloatTensor<B>,
                key: FloatTensor<B>,
                value: FloatTensor<B>,
                mask: Option<BoolTensor<B>>,
                attn_bias: Option<FloatTensor<B>>,
                options: AttentionModuleOptions,
            ) -> FloatTensor<B> {
                attention_fallback::<Self>(query, key, value, mask, attn_bias, options)
            }
        }
        composed {
            embedding, embedding_backward, linear, linear_x_backward, linear_weight_backward, linear_bias_backward,
            conv1d_bias_backward, conv2d_bias_backward, conv3d_bias_backward, conv_transpose1d_bias_backward,
            conv_transpose2d_bias_backward, conv_transpose3d_bias_backward, unfold4d, layer_norm, ctc_loss,
            has_ctc_loss_backward, ctc_loss_backward,
        }
        refused {
            fn conv2d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvOptions<2>,
            ) -> FloatTensor<B>;
            fn deform_conv2d(
                x: FloatTensor<B>,
                offset: FloatTensor<B>,
                weight: FloatTensor<B>,
                mask: Option<FloatTensor<B>>,
                bias: Option<FloatTensor<B>>,
                options: DeformConvOptions<2>,
            ) -> FloatTensor<B>;
            fn deform_conv2d_backward(
                x: FloatTensor<B>,
                offset: FloatTensor<B>,
                weight: FloatTensor<B>,
                mask: Option<FloatTensor<B>>,
                bias: Option<FloatTensor<B>>,
                output_grad: FloatTensor<B>,
                options: DeformConvOptions<2>,
            ) -> DeformConv2dBackward<Repro<B>>;
            fn conv3d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvOptions<3>,
            ) -> FloatTensor<B>;
            fn conv_transpose2d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvTransposeOptions<2>,
            ) -> FloatTensor<B>;
            fn conv_transpose3d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvTransposeOptions<3>,
            ) -> FloatTensor<B>;
            fn avg_pool2d(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B>;
            fn avg_pool2d_backward(
                x: FloatTensor<B>,
                grad: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B>;
            fn adaptive_avg_pool2d(x: FloatTensor<B>, output_size: [usize; 2]) -> FloatTensor<B>;
            fn adaptive_avg_pool2d_backward(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B>;
            fn max_pool2d(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
            ) -> FloatTensor<B>;
            fn max_pool2d_with_indices(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
            ) -> MaxPool2dWithIndices<Repro<B>>;
            fn max_pool2d_with_indices_backward(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
                output_grad: FloatTensor<B>,
                indices: IntTensor<B>,
            ) -> MaxPool2dBackward<Repro<B>>;
            fn interpolate(x: FloatTensor<B>, output_size: [usize; 2], options: InterpolateOptions) -> FloatTensor<B>;
            fn interpolate_backward(
                x: FloatTensor<B>,
                grad: FloatTensor<B>,
                output_size: [usize; 2],
                options: InterpolateOptions,
            ) -> FloatTensor<B>;
            fn rfft(signal: FloatTensor<B>, dim: usize, n: Option<usize>) -> (FloatTensor<B>, FloatTensor<B>);
            fn irfft(
                spectrum_re: FloatTensor<B>,
                spectrum_im: FloatTensor<B>,
                dim: usize,
                n: Option<usize>,
            ) -> FloatTensor<B>;
        }
        refused_below {
            conv1d, conv1d_x_backward, conv1d_weight_backward, conv2d_x_backward, conv2d_weight_backward,
            conv3d_x_backward, conv3d_weight_backward, conv_transpose1d, conv_transpose1d_x_backward,
            conv_transpose1d_weight_backward, conv_transpose2d_x_backward, conv_transpose2d_weight_backward,
            conv_transpose3d_x_backward, conv_transpose3d_weight_backward, avg_pool1d, avg_pool1d_backward,
            adaptive_avg_pool1d, adaptive_avg_pool1d_backward, max_pool1d, max_pool1d_with_indices,
            max_pool1d_with_indices_backward,
        }
    }
}
