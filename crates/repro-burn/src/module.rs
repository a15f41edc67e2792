//! `ModuleOps`: layers from this backend's own ops. Convolutions, pools and interpolation have files of their own; FFT is
//! not portable yet.

use burn_backend::ops::attention::attention_fallback;
use burn_backend::ops::{
    AttentionModuleOptions, ConvOptions, ConvTransposeOptions, DeformConv2dBackward, DeformConvOptions,
    InterpolateOptions, MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps,
    UnfoldOptions,
};
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};

use super::backend::Repro;
use super::kernels::Kernels;
use super::pooling::Pool;
use super::table::backend_ops;
use super::{convolution, deformable, interpolation, pooling};

backend_ops! {
    /// How each method of `ModuleOps` is treated.
    MODULE: ModuleOps {
        exact {

        }
        replaced {
            fn conv1d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvOptions<1>,
            ) -> FloatTensor<B> {
                convolution::convolve::<B, 1>(x, weight, bias, options)
            }

            fn conv1d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvOptions<1>,
            ) -> FloatTensor<B> {
                convolution::convolve_weight_backward::<B, 1>(x, weight, output_grad, options)
            }

            fn conv_transpose1d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvTransposeOptions<1>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed::<B, 1>(x, weight, bias, options)
            }

            fn conv_transpose1d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvTransposeOptions<1>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed_weight_backward::<B, 1>(x, weight, output_grad, options)
            }

            fn conv2d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvOptions<2>,
            ) -> FloatTensor<B> {
                convolution::convolve::<B, 2>(x, weight, bias, options)
            }

            fn conv2d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvOptions<2>,
            ) -> FloatTensor<B> {
                convolution::convolve_weight_backward::<B, 2>(x, weight, output_grad, options)
            }

            fn conv_transpose2d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvTransposeOptions<2>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed::<B, 2>(x, weight, bias, options)
            }

            fn conv_transpose2d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvTransposeOptions<2>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed_weight_backward::<B, 2>(x, weight, output_grad, options)
            }

            fn conv3d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvOptions<3>,
            ) -> FloatTensor<B> {
                convolution::convolve::<B, 3>(x, weight, bias, options)
            }

            fn conv3d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvOptions<3>,
            ) -> FloatTensor<B> {
                convolution::convolve_weight_backward::<B, 3>(x, weight, output_grad, options)
            }

            fn conv_transpose3d(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                bias: Option<FloatTensor<B>>,
                options: ConvTransposeOptions<3>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed::<B, 3>(x, weight, bias, options)
            }

            fn conv_transpose3d_weight_backward(
                x: FloatTensor<B>,
                weight: FloatTensor<B>,
                output_grad: FloatTensor<B>,
                options: ConvTransposeOptions<3>,
            ) -> FloatTensor<B> {
                convolution::convolve_transposed_weight_backward::<B, 3>(x, weight, output_grad, options)
            }

            fn unfold4d(x: FloatTensor<B>, kernel_size: [usize; 2], options: UnfoldOptions) -> FloatTensor<B> {
                let options = ConvOptions::new(options.stride, options.padding, options.dilation, 1);
                convolution::unfold::<B>(x, kernel_size, options)
            }

            fn avg_pool1d(
                x: FloatTensor<B>,
                kernel_size: usize,
                stride: usize,
                padding: usize,
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool {
                    kernel: [kernel_size],
                    stride: [stride],
                    padding: [padding],
                    dilation: [1; 1],
                    ceil_mode,
                };
                pooling::avg_pool::<B, 1>(x, pool, count_include_pad)
            }

            fn avg_pool1d_backward(
                x: FloatTensor<B>,
                grad: FloatTensor<B>,
                kernel_size: usize,
                stride: usize,
                padding: usize,
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool {
                    kernel: [kernel_size],
                    stride: [stride],
                    padding: [padding],
                    dilation: [1; 1],
                    ceil_mode,
                };
                pooling::avg_pool_backward::<B, 1>(x, grad, pool, count_include_pad)
            }

            fn adaptive_avg_pool1d(x: FloatTensor<B>, output_size: usize) -> FloatTensor<B> {
                pooling::adaptive_avg_pool::<B, 1>(x, [output_size])
            }

            fn adaptive_avg_pool1d_backward(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                pooling::adaptive_avg_pool_backward::<B>(x, grad)
            }

            fn max_pool1d(
                x: FloatTensor<B>,
                kernel_size: usize,
                stride: usize,
                padding: usize,
                dilation: usize,
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool {
                    kernel: [kernel_size],
                    stride: [stride],
                    padding: [padding],
                    dilation: [dilation],
                    ceil_mode,
                };
                pooling::max_pool::<B, 1>(x, pool).0
            }

            fn max_pool1d_with_indices(
                x: FloatTensor<B>,
                kernel_size: usize,
                stride: usize,
                padding: usize,
                dilation: usize,
                ceil_mode: bool,
            ) -> MaxPool1dWithIndices<Repro<B>> {
                let pool = Pool {
                    kernel: [kernel_size],
                    stride: [stride],
                    padding: [padding],
                    dilation: [dilation],
                    ceil_mode,
                };
                let (output, indices) = pooling::max_pool::<B, 1>(x, pool);
                MaxPool1dWithIndices::new(output, indices)
            }

            fn max_pool1d_with_indices_backward(
                x: FloatTensor<B>,
                kernel_size: usize,
                stride: usize,
                padding: usize,
                dilation: usize,
                ceil_mode: bool,
                output_grad: FloatTensor<B>,
                indices: IntTensor<B>,
            ) -> MaxPool1dBackward<Repro<B>> {
                let pool = Pool {
                    kernel: [kernel_size],
                    stride: [stride],
                    padding: [padding],
                    dilation: [dilation],
                    ceil_mode,
                };
                MaxPool1dBackward::new(pooling::max_pool_backward::<B, 1>(x, pool, output_grad, indices))
            }

            fn avg_pool2d(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool { kernel: kernel_size, stride, padding, dilation: [1; 2], ceil_mode };
                pooling::avg_pool::<B, 2>(x, pool, count_include_pad)
            }

            fn avg_pool2d_backward(
                x: FloatTensor<B>,
                grad: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                count_include_pad: bool,
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool { kernel: kernel_size, stride, padding, dilation: [1; 2], ceil_mode };
                pooling::avg_pool_backward::<B, 2>(x, grad, pool, count_include_pad)
            }

            fn adaptive_avg_pool2d(x: FloatTensor<B>, output_size: [usize; 2]) -> FloatTensor<B> {
                pooling::adaptive_avg_pool::<B, 2>(x, output_size)
            }

            fn adaptive_avg_pool2d_backward(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                pooling::adaptive_avg_pool_backward::<B>(x, grad)
            }

            fn max_pool2d(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
            ) -> FloatTensor<B> {
                let pool = Pool { kernel: kernel_size, stride, padding, dilation, ceil_mode };
                pooling::max_pool::<B, 2>(x, pool).0
            }

            fn max_pool2d_with_indices(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
            ) -> MaxPool2dWithIndices<Repro<B>> {
                let pool = Pool { kernel: kernel_size, stride, padding, dilation, ceil_mode };
                let (output, indices) = pooling::max_pool::<B, 2>(x, pool);
                MaxPool2dWithIndices::new(output, indices)
            }

            fn max_pool2d_with_indices_backward(
                x: FloatTensor<B>,
                kernel_size: [usize; 2],
                stride: [usize; 2],
                padding: [usize; 2],
                dilation: [usize; 2],
                ceil_mode: bool,
                output_grad: FloatTensor<B>,
                indices: IntTensor<B>,
            ) -> MaxPool2dBackward<Repro<B>> {
                let pool = Pool { kernel: kernel_size, stride, padding, dilation, ceil_mode };
                MaxPool2dBackward::new(pooling::max_pool_backward::<B, 2>(x, pool, output_grad, indices))
            }

            fn interpolate(x: FloatTensor<B>, output_size: [usize; 2], options: InterpolateOptions) -> FloatTensor<B> {
                interpolation::interpolate::<B>(x, output_size, options)
            }

            fn interpolate_backward(
                x: FloatTensor<B>,
                grad: FloatTensor<B>,
                output_size: [usize; 2],
                options: InterpolateOptions,
            ) -> FloatTensor<B> {
                interpolation::interpolate_backward::<B>(x, grad, output_size, options)
            }

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

            fn deform_conv2d(
                x: FloatTensor<B>,
                offset: FloatTensor<B>,
                weight: FloatTensor<B>,
                mask: Option<FloatTensor<B>>,
                bias: Option<FloatTensor<B>>,
                options: DeformConvOptions<2>,
            ) -> FloatTensor<B> {
                deformable::convolve::<B>(x, offset, weight, mask, bias, options)
            }

            fn deform_conv2d_backward(
                x: FloatTensor<B>,
                offset: FloatTensor<B>,
                weight: FloatTensor<B>,
                mask: Option<FloatTensor<B>>,
                bias: Option<FloatTensor<B>>,
                output_grad: FloatTensor<B>,
                options: DeformConvOptions<2>,
            ) -> DeformConv2dBackward<Repro<B>> {
                deformable::convolve_backward::<B>(x, offset, weight, mask, bias, output_grad, options)
            }
        }
        composed {
            embedding, embedding_backward, linear, linear_x_backward, linear_weight_backward, linear_bias_backward,
            conv1d_x_backward, conv1d_bias_backward, conv2d_x_backward, conv2d_bias_backward, conv3d_x_backward,
            conv3d_bias_backward, conv_transpose1d_x_backward, conv_transpose1d_bias_backward,
            conv_transpose2d_x_backward, conv_transpose2d_bias_backward, conv_transpose3d_x_backward,
            conv_transpose3d_bias_backward, layer_norm, ctc_loss, has_ctc_loss_backward, ctc_loss_backward,
        }
        refused {
            fn rfft(signal: FloatTensor<B>, dim: usize, n: Option<usize>) -> (FloatTensor<B>, FloatTensor<B>);
            fn irfft(
                spectrum_re: FloatTensor<B>,
                spectrum_im: FloatTensor<B>,
                dim: usize,
                n: Option<usize>,
            ) -> FloatTensor<B>;
        }
        refused_below {

        }
    }
}
