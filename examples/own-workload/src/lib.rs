//! A workload of one's own: which of three shapes is in a small, noisy image?
//!
//! Here are config and data; the model, its losses and what is measured are in `task`.

mod task;

use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use spectramind::prelude::*;

use self::task::{Loss, Net, ShapesTask};

const SIZE: usize = 16;
const PIXELS: usize = SIZE * SIZE;
const CLASSES: [&str; 3] = ["disc", "square", "cross"];

/// What both programs of this package know.
pub fn workloads() -> Workloads {
    Workloads::new().with(Shapes)
}

/// The workload.
struct Shapes;

/// Its own keys of `configs/train.yaml`; all others are those that every run has.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    data: Data,
    loss: Loss,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Data {
    root: PathBuf,
    images: u32,
    seed: u64,
    batch_size: usize,
}

impl Workload for Shapes {
    type Config = Config;
    type Task = ShapesTask;

    fn name(&self) -> &'static str {
        "shapes"
    }

    fn batch_size(&self, config: &Config) -> usize {
        config.data.batch_size
    }

    // A derived data set is made where it is missing, and made again by a replay; a raw one has to be brought.
    fn data_sets(&self, config: &Config) -> Vec<DataSet> {
        vec![DataSet::derived("images", &config.data.root)]
    }

    fn derive(&self, config: &Config, _: Derivation<'_>, out: &Path) -> Result<()> {
        fs::create_dir_all(out).context("cannot make the folder of the images")?;
        fs::write(out.join("images.u8"), draw(&config.data)).context("cannot write the images")
    }

    // Files are read through the lists that are signed: what was hashed is what is used.
    fn task(&self, config: &Config, data: &[ListedFiles]) -> Result<ShapesTask> {
        Ok(ShapesTask::new(data[0].read("images.u8")?, config.loss))
    }

    // What is written here is signed with the run, and compared by a replay.
    fn write<B: AutodiffBackend>(
        &self,
        task: &ShapesTask,
        model: &Net<B::InnerBackend>,
        outputs: &mut Outputs<'_>,
        device: &B::Device,
    ) -> Result<()> {
        outputs.write("predictions.csv", task.predictions(model, device).as_bytes())
    }
}

/// Images, each a byte for the class and one for every pixel. Counted random numbers and exactly rounded operations: every
/// machine draws the same.
fn draw(data: &Data) -> Vec<u8> {
    let mut bytes = Vec::new();
    for image in 0..data.images {
        let rng = CounterRng::new(data.seed, Stream::workload(0), 0).part(image);
        let [x, y, radius] = [(0, 5.0), (1, 5.0), (2, 2.5)].map(|(number, least)| least * (1.0 + rng.uniform_f32(number)));
        let class = image as usize % CLASSES.len();
        bytes.push(class as u8);
        for pixel in 0..PIXELS {
            let [dx, dy] = [(pixel % SIZE) as f32 - x, (pixel / SIZE) as f32 - y].map(f32::abs);
            let is_inside = match CLASSES[class] {
                "disc" => dx * dx + dy * dy <= radius * radius,
                "square" => dx.max(dy) <= radius,
                _ => dx.min(dy) <= 1.0 && dx.max(dy) <= radius,
            };
            let light = if is_inside { 100.0 } else { 0.0 };
            bytes.push((light + 150.0 * rng.uniform_f32(3 + pixel as u64)) as u8);
        }
    }
    bytes
}
