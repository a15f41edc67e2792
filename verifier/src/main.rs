//! placeholder until the first build
fn main() {}
