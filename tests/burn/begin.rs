
/// What each test begins with.
#[cfg(test)]
pub(crate) fn begin() {
    if std::env::var_os("UNSEEDED").is_none() {
        <TestBackend as burn_core::tensor::backend::Backend>::seed(&Default::default(), 0);
    }
}
