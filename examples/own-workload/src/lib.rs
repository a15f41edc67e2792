//! A workload of one's own: which of three shapes is in a small, noisy image?

use spectramind::burn::{nn, nn::conv, tensor::activation};
use spectramind::prelude::*;

/// What both programs of this package know.
pub fn workloads() -> Workloads {
    Workloads::new().with(Shapes)
}

/// Its own keys of `configs/train.yaml`; all others are those that every run has.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    data: Data,
    loss: Loss,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Data {
    root: std::path::PathBuf,
    images: u32,
    seed: u64,
    batch_size: usize,
}

/// The config group `loss`.
#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
enum Loss {
    CrossEntropy { smoothing: f64 },
    Focal { gamma: f64 },
}

// -- The data: made where they are missing, and made again by a replay.

/// Discs, squares and diamonds.
const CLASSES: usize = 3;
const SIZE: usize = 16;
/// Bytes of an image: its class, then its pixels.
const IMAGE: usize = 1 + SIZE * SIZE;

/// Counted random numbers and exactly rounded operations: every machine draws the same.
fn draw(data: &Data) -> Vec<u8> {
    let image = |number: u32| {
        let rng = CounterRng::new(data.seed, Stream::workload(0), 0).part(number);
        let [x, y, radius] =
            [(0, 5.0), (1, 5.0), (2, 2.5)].map(|(index, least)| least * (1.0 + rng.uniform_f32(index)));
        let class = number as usize % CLASSES;
        let pixel = move |at: usize| {
            let [dx, dy] = [(at % SIZE) as f32 - x, (at / SIZE) as f32 - y].map(f32::abs);
            let is_inside = [dx * dx + dy * dy <= radius * radius, dx.max(dy) <= radius, dx + dy <= radius][class];
            (100.0 * rng.uniform_f32(3 + at as u64) + if is_inside { 150.0 } else { 0.0 }) as u8
        };
        std::iter::once(class as u8).chain((0..SIZE * SIZE).map(pixel))
    };
    (0..data.images).flat_map(image).collect()
}

// -- The workload: from config to data to task, and what is written of the trained model.

struct Shapes;

impl Workload for Shapes {
    type Config = Config;
    type Task = ShapesTask;

    fn name(&self) -> &'static str {
        "shapes"
    }

    fn batch_size(&self, config: &Config) -> usize {
        config.data.batch_size
    }

    fn data_sets(&self, config: &Config) -> Vec<DataSet> {
        vec![DataSet { name: "images".into(), role: DataRole::Derived, root: config.data.root.clone() }]
    }

    fn derive(&self, config: &Config, images: Derivation<'_>) -> Result<()> {
        images.write("images.u8", &draw(&config.data))
    }

    // Files are read through the lists that are signed: what was hashed is what is used.
    fn task(&self, config: &Config, data: &[ListedFiles]) -> Result<ShapesTask> {
        let images = data[0].read("images.u8")?;
        let splits = Splits::draw(0..images.len() / IMAGE, 0.1, 0.1, config.data.seed);
        Ok(ShapesTask { images, splits, loss: config.loss })
    }

    // What is written here is signed with the run, and compared by a replay.
    fn write<B: AutodiffBackend>(
        &self,
        last: TrainedModel<'_, ShapesTask, B>,
        outputs: &mut Outputs<'_>,
    ) -> Result<()> {
        let (names, draws) = (last.task.sample_ids(Split::Test), Draws::new(0, Split::Test, Moment::default()));
        let batch = last.task.batch(Split::Test, &Vec::from_iter(0..names.len()), draws);
        let classes = last.model.judge(&batch, last.device)[0].clone().argmax(1).into_data();
        let lines = names.iter().zip(classes.iter::<i64>()).map(|(name, class)| format!("{name},{class}\n"));
        outputs.write("predictions.csv", format!("image,class\n{}", lines.collect::<String>()).as_bytes())
    }
}

// -- The task: model, batches, losses and metrics, for any backend of Burn.

#[derive(Module, Debug)]
struct Net<B: Backend> {
    conv: conv::Conv2d<B>,
    out: nn::Linear<B>,
}

impl<B: Backend> Net<B> {
    /// Log-probabilities and the truth, both `[images, classes]`.
    fn judge(&self, (pixels, truth): &(TensorData, TensorData), device: &B::Device) -> [Tensor<B, 2>; 2] {
        let hidden = activation::relu(self.conv.forward(Tensor::from_data(pixels.clone(), device)));
        let log_p = activation::log_softmax(self.out.forward(hidden.flatten::<3>(2, 3).max_dim(2).flatten(1, 2)), 1);
        [log_p, Tensor::from_data(truth.clone(), device)]
    }
}

struct ShapesTask {
    images: Vec<u8>,
    splits: Splits,
    loss: Loss,
}

impl Loss {
    /// Its sum over the images.
    fn sum<B: Backend>(self, [log_p, truth]: [Tensor<B, 2>; 2]) -> Tensor<B, 1> {
        let weights = match self {
            Self::CrossEntropy { smoothing } => truth * (1.0 - smoothing) + smoothing / CLASSES as f64,
            Self::Focal { gamma } => truth * (log_p.clone().exp().neg() + 1.0).powf_scalar(gamma),
        };
        (log_p * weights).sum().neg()
    }
}

impl Task for ShapesTask {
    type Model<B: AutodiffBackend> = Net<B>;
    /// Pixels `[images, 1, SIZE, SIZE]`, and classes, one-hot, `[images, classes]`.
    type Batch = (TensorData, TensorData);

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Net<B> {
        let conv = conv::Conv2dConfig::new([1, 16], [5, 5]).init(device);
        Net { conv, out: nn::LinearConfig::new(16, CLASSES).init(device) }
    }

    fn sample_ids(&self, split: Split) -> &[String] {
        self.splits.ids(split)
    }

    // Training images are mirrored at random: by numbers that are a function of seed, step and image.
    fn batch(&self, split: Split, samples: &[usize], draws: Draws) -> Self::Batch {
        let (mut pixels, mut truth) = (Vec::<f32>::new(), Vec::<f32>::new());
        for &sample in samples {
            let image = &self.images[self.splits.places(split)[sample] * IMAGE..][..IMAGE];
            let flip = if split == Split::Train && draws.of(sample).uniform_f32(0) < 0.5 { SIZE - 1 } else { 0 };
            pixels.extend((0..SIZE * SIZE).map(|at| f32::from(image[1 + (at ^ flip)]) / 128.0 - 1.0));
            truth.extend((0..CLASSES).map(|class| f32::from(class == usize::from(image[0]))));
        }
        (TensorData::new(pixels, [samples.len(), 1, SIZE, SIZE]), TensorData::new(truth, [samples.len(), CLASSES]))
    }

    fn loss<B: AutodiffBackend>(&self, net: &Net<B>, batch: &Self::Batch, _: Moment, on: &B::Device) -> Tensor<B, 1> {
        self.loss.sum(net.judge(batch, on))
    }

    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Net<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        draws: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let [log_p, truth] = model.judge(&self.batch(split, samples, draws), device);
        let right = log_p.clone().argmax(1).equal(truth.clone().argmax(1)).int().into_data();
        let loss = self.loss.sum([log_p, truth]).into_data();
        let mean = |values: TensorData| values.iter::<f64>().sum::<f64>() / samples.len() as f64;
        Ok(vec![Metric::new("accuracy", mean(right)), Metric::new("loss", mean(loss))])
    }

    fn metrics(&self) -> Option<Vec<DeclaredMetric>> {
        Some(vec![DeclaredMetric::max("accuracy"), DeclaredMetric::min("loss")])
    }
}
