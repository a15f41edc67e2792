//! Behaviour of the programs, with real files, real binaries and a real git repository.

mod audit;
mod backends;
mod calibration;
mod configs;
mod doctor;
mod errors;
mod example;
mod golden;
mod hydra;
mod lightness;
mod modes;
mod multirun;
mod network;
mod profiles;
mod sandbox;
mod scoring;
mod training;
mod verifier;
