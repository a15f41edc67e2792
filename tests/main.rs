//! Behaviour of the programs, with real files, real binaries and a real git repository.

mod audit;
mod calibration;
mod errors;
mod example;
mod golden;
mod lightness;
mod profiles;
mod sandbox;
mod scoring;
mod training;
