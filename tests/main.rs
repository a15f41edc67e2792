//! Behaviour of the programs, with real files, real binaries and a real git repository.

mod attacks;
mod attestation;
mod audit;
mod backends;
mod calibration;
mod configs;
mod docs;
mod doctor;
mod dvc;
mod errors;
mod example;
mod forgery;
mod git;
mod golden;
mod hydra;
mod keys;
mod lightness;
mod modes;
mod multirun;
mod network;
mod profiles;
mod sandbox;
mod scoring;
mod training;
mod verifier;
